//! What goes wrong ends the calls that it belongs to.

use super::super::*;
use super::stage::{Fault, Play, read, text};

#[tokio::test]
async fn a_panic_ends_one_call_and_not_the_engine() {
    let stage = Play {
        fault: Some((2, Fault::Panic)),
        ..Play::default()
    }
    .stage();
    let (said, last) = read(stage.generate(text("a"))).await;
    assert_eq!(
        (said.as_str(), last),
        (" the", Event::Failed(EngineFault::Panicked))
    );
    assert_eq!(read(stage.generate(text("a"))).await.0, " the thing");
    stage.assert_idle(2);
}

#[tokio::test]
async fn a_step_that_fails_ends_its_calls_and_no_others() {
    let compute = EngineFault::Compute("as the test asked".to_owned());
    for (fault, expected) in [
        (Fault::Panic, EngineFault::Panicked),
        (Fault::Error, compute),
    ] {
        let stage = Play {
            by_permit: true,
            max_sequences: 2,
            scripts: &[("b", "b")],
            fault: Some((2, fault)),
            ..Play::default()
        }
        .stage();
        let first = stage.generate(text("a"));
        stage.in_pass(1);
        let joined = stage.generate(text("b"));
        let waiting = stage.generate(text("b"));
        stage.permit(2);
        assert_eq!(read(first).await.1, Event::Failed(expected.clone()));
        assert_eq!(read(joined).await.1, Event::Failed(expected));
        stage.permit(2);
        assert_eq!(read(waiting).await.0, "b");
        assert_eq!(stage.engine.stats().failed, 2);
        stage.assert_idle(3);
    }
}

#[tokio::test]
async fn a_panic_over_one_answer_leaves_those_beside_it() {
    let stage = Play {
        by_permit: true,
        max_sequences: 3,
        scripts: &[("b", " the thing"), ("c", " in the bath")],
        poisoned: Some("b"),
        ..Play::default()
    }
    .stage();
    let first = stage.generate(text("a"));
    stage.in_pass(1);
    let poisoned = stage.generate(text("b"));
    let beside = stage.generate(text("c"));
    stage.permit(100);
    let (said, last) = read(poisoned).await;
    assert_eq!(
        (said.as_str(), last),
        (" the", Event::Failed(EngineFault::Panicked))
    );
    assert_eq!(read(first).await.0, " the thing");
    assert_eq!(read(beside).await.0, " in the bath");
    stage.assert_idle(3);
}
