//! Calls whose answer is of no use after some time.

use super::super::*;
use super::stage::{Play, Stage, read, said, text};

fn by_permit() -> Stage {
    Play {
        by_permit: true,
        ..Play::default()
    }
    .stage()
}

fn within(stage: &Stage, seconds: u64) -> GenerateRequest {
    GenerateRequest {
        deadline: Some(stage.now() + Duration::from_secs(seconds)),
        ..text("a")
    }
}

const EXCEEDED: Event = Event::Failed(EngineFault::DeadlineExceeded);

#[tokio::test]
async fn a_deadline_that_has_passed_is_refused() {
    let stage = by_permit();
    let late = within(&stage, 1);
    stage.advance(Duration::from_secs(1));
    let refused = stage.engine.generate(late).unwrap_err();
    assert_eq!(refused, GenerateError::DeadlinePassed);
    assert_eq!(stage.engine.stats().refused, 1);
    stage.assert_idle(0);
}

#[tokio::test]
async fn a_call_expires_while_it_waits() {
    let stage = by_permit();
    let served = stage.generate(within(&stage, 10));
    stage.in_pass(1);
    let late = stage.generate(within(&stage, 2));
    let patient = stage.generate(within(&stage, 10));
    stage.advance(Duration::from_secs(3));
    stage.permit(1);
    assert_eq!(read(late).await, (String::new(), EXCEEDED));
    let stats = stage.engine.stats();
    assert_eq!((stats.waiting, stats.running, stats.expired), (1, 1, 1));
    stage.permit(9);
    assert_eq!(read(served).await.0, " the thing");
    assert_eq!(read(patient).await.0, " the thing");
    assert_eq!(stage.passes().len(), 10);
    stage.assert_idle(3);
}

#[tokio::test]
async fn a_call_expires_while_it_runs() {
    let stage = by_permit();
    let mut late = stage.generate(within(&stage, 2));
    stage.permit(1);
    assert_eq!(late.next().await, Some(said(" the")));
    stage.in_pass(2);
    stage.advance(Duration::from_secs(2));
    stage.permit(1);
    // What the pass that had begun gave is still told.
    let (said, last) = read(late).await;
    assert_eq!((said.as_str(), last), (" ", EXCEEDED));
    stage.assert_idle(1);
    stage.permit(5);
    assert_eq!(read(stage.generate(text("a"))).await.0, " the thing");
    assert_eq!(stage.passes().len(), 7);
}

#[tokio::test]
async fn a_waiting_call_that_expires_makes_room_for_a_new_one() {
    let stage = Play {
        by_permit: true,
        max_queue: 1,
        ..Play::default()
    }
    .stage();
    let served = stage.generate(text("a"));
    let late = stage.generate(within(&stage, 2));
    stage.advance(Duration::from_secs(3));
    // The engine is in a pass and has not seen it yet.
    let next = stage.generate(text("a"));
    assert_eq!(read(late).await.1, EXCEEDED);
    stage.permit(10);
    assert_eq!(read(served).await.0, " the thing");
    assert_eq!(read(next).await.0, " the thing");
    stage.assert_idle(3);
}
