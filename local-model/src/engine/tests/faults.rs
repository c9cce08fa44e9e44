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
    for fault in [Fault::Panic, Fault::Error] {
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
        for failed in [first, joined] {
            match (fault, read(failed).await.1) {
                (Fault::Panic, Event::Failed(EngineFault::Panicked)) => {}
                (Fault::Error, Event::Failed(EngineFault::Compute(why))) => {
                    assert!(why.starts_with("as the test asked"), "{why}");
                }
                other => panic!("{other:?}"),
            }
        }
        stage.permit(2);
        assert_eq!(read(waiting).await.0, "b");
        assert_eq!(stage.engine.stats().failed, 2);
        stage.assert_idle(3);
    }
}
