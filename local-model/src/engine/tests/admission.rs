//! Who may wait, who may run, and in which order.

use super::super::*;
use super::stage::{BYTES_PER_POSITION, Play, Stage, finish, of_tenant, read, said, text};

/// A call that may take this many positions, its prompt of two tokens among them.
fn of_size(positions: u32) -> GenerateRequest {
    GenerateRequest {
        max_tokens: Some(positions - 2),
        ..text("a")
    }
}

/// Calls that wait, calls that run, and what these may take in positions.
fn held(stage: &Stage) -> (usize, usize, usize) {
    let stats = stage.engine.stats();
    let positions = stats.cache_bytes / BYTES_PER_POSITION;
    (stats.waiting, stats.running, positions)
}

#[tokio::test]
async fn a_full_queue_refuses_and_a_dropped_call_frees_its_place() {
    let stage = Play {
        by_permit: true,
        max_queue: 1,
        ..Play::default()
    }
    .stage();
    let served = stage.generate(text("a"));
    let waiting = stage.generate(text("a"));
    let full = stage.engine.generate(text("a")).unwrap_err();
    let retry_after = Duration::from_secs(5);
    assert_eq!(full, GenerateError::QueueFull { retry_after });
    drop(waiting);
    assert_eq!(stage.engine.stats().waiting, 0);
    let next = stage.generate(text("a"));
    stage.permit(10);
    assert_eq!(read(served).await.0, " the thing");
    assert_eq!(read(next).await.0, " the thing");
    assert_eq!(stage.passes().len(), 10);
    assert_eq!(stage.engine.stats().refused, 1);
    stage.assert_idle(3);
}

#[tokio::test]
async fn without_a_queue_what_can_run_is_served() {
    let stage = Play {
        by_permit: true,
        max_queue: 0,
        max_sequences: 2,
        ..Play::default()
    }
    .stage();
    let both = [stage.generate(text("a")), stage.generate(text("a"))];
    assert!(stage.engine.generate(text("a")).is_err());
    // Twice where the second came too late for the first one's steps.
    stage.permit(10);
    for generation in both {
        assert_eq!(read(generation).await.0, " the thing");
    }
    stage.generate(text("a"));
}

#[tokio::test]
async fn a_refused_client_is_told_how_long_calls_last() {
    for (took, expected) in [(1, 4), (9, 6), (600, 60)] {
        let stage = Play {
            by_permit: true,
            max_queue: 0,
            ..Play::default()
        }
        .stage();
        let served = stage.generate(text("a"));
        stage.advance(Duration::from_secs(took));
        stage.permit(5);
        read(served).await;
        let _running = stage.generate(text("a"));
        // A quarter of the new duration, three quarters of the first guess of 5 s.
        let full = stage.engine.generate(text("a")).unwrap_err();
        let retry_after = Duration::from_secs(expected);
        assert_eq!(full, GenerateError::QueueFull { retry_after });
    }
}

#[tokio::test]
async fn many_calls_of_one_tenant_do_not_hold_up_another() {
    let stage = Play {
        by_permit: true,
        max_queue: 1000,
        scripts: &[("b", "b")],
        ..Play::default()
    }
    .stage();
    let first = stage.generate(of_tenant("many", text("a")));
    stage.in_pass(1);
    let many: Vec<Generation> = (0..50)
        .map(|_| stage.generate(of_tenant("many", text("a"))))
        .collect();
    let one = stage.generate(of_tenant("one", text("b")));
    let nobodys = stage.generate(text("b"));
    stage.permit(1000);
    assert_eq!(read(first).await.0, " the thing");
    assert_eq!(read(one).await.0, "b");
    assert_eq!(read(nobodys).await.0, "b");
    drop(many);
    // Two passes each, after one more call of the tenant that came first.
    let scripts: Vec<usize> = stage.passes().iter().map(|pass| pass[0].script).collect();
    assert_eq!(scripts[..14], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1]);
}

#[tokio::test]
async fn calls_run_only_where_their_cache_fits() {
    let stage = Play {
        by_permit: true,
        max_sequences: 8,
        cache_limit_bytes: 100 * BYTES_PER_POSITION,
        ..Play::default()
    }
    .stage();
    let first = stage.generate(of_size(60));
    let second = stage.generate(of_size(40));
    let third = stage.generate(of_size(41));
    let fourth = stage.generate(of_size(5));
    // The fourth would fit, but the third must not wait for ever.
    assert_eq!(held(&stage), (2, 2, 100));
    drop(third);
    assert_eq!(held(&stage), (1, 2, 100));
    stage.permit(16);
    for generation in [first, second, fourth] {
        assert_eq!(read(generation).await.0[..4], *" the");
    }
    assert!(stage.passes().iter().all(|pass| pass.len() <= 2));
    stage.assert_idle(4);
}

#[tokio::test]
async fn what_could_never_fit_is_refused_with_its_size() {
    let stage = Play {
        cache_limit_bytes: 100 * BYTES_PER_POSITION,
        ..Play::default()
    }
    .stage();
    let refused = stage.engine.generate(of_size(101)).unwrap_err();
    assert_eq!(
        refused,
        GenerateError::CacheOverflow {
            needed_bytes: 101 * BYTES_PER_POSITION,
            limit_bytes: 100 * BYTES_PER_POSITION
        }
    );
    assert_eq!(read(stage.generate(of_size(100))).await.0, " the thing");
    assert_eq!(stage.engine.stats().refused, 1);
    stage.assert_idle(1);
}

#[tokio::test]
async fn a_call_can_be_given_up_at_any_token() {
    for passes in 0..5 {
        let stage = Play {
            by_permit: true,
            ..Play::default()
        }
        .stage();
        let mut given_up = stage.generate(text("a"));
        stage.permit(passes);
        for _ in 0..passes.min(4) {
            assert!(matches!(given_up.next().await, Some(Event::Text { .. })));
        }
        drop(given_up);
        // The pass that may have begun ends; none follows it. The next call takes five.
        stage.permit(6);
        let (said, _) = read(stage.generate(text("a"))).await;
        assert_eq!(said, " the thing");
        let total = stage.passes().len();
        assert!(
            total <= passes + 6,
            "{total} passes, given up after {passes}"
        );
        stage.assert_idle(2);
    }
}

#[tokio::test]
async fn a_call_can_be_given_up_while_its_prompt_is_read() {
    let stage = Play {
        by_permit: true,
        ..Play::default()
    }
    .stage();
    let long = stage.generate(text(&"a".repeat(550)));
    stage.in_pass(1);
    assert_eq!(stage.engine.stats().running, 1);
    drop(long);
    let next = stage.generate(text("a"));
    stage.permit(6);
    assert_eq!(read(next).await.0, " the thing");
    assert_eq!(stage.passes().len(), 6);
    assert_eq!(stage.engine.stats().cancelled, 1);
    stage.assert_idle(2);
}

#[tokio::test]
async fn calls_given_up_at_random_leave_nothing_behind() {
    let stage = Play {
        max_sequences: 4,
        max_queue: 1000,
        cache_limit_bytes: 1400 * BYTES_PER_POSITION,
        ..Play::default()
    }
    .stage();
    // A congruential generator (Knuth's MMIX) is random enough to vary the order.
    let mut random = 1_u64;
    let mut next = |below: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let mut open: Vec<Generation> = Vec::new();
    for _ in 0..500 {
        let prompt = "a".repeat(1 + next(300) as usize);
        open.push(stage.generate(GenerateRequest {
            max_tokens: Some(8),
            ..of_tenant(["x", "y", "z"][next(3) as usize], text(&prompt))
        }));
        while open.len() as u64 > next(12) {
            let at = next(open.len() as u64) as usize;
            let mut generation = open.swap_remove(at);
            for _ in 0..next(4) {
                generation.next().await;
            }
        }
    }
    drop(open);
    let (said, last) = read(stage.generate(text("a"))).await;
    assert_eq!(
        (said.as_str(), finish(&last)),
        (" the thing", &Finish::EndOfTurn)
    );
    stage.assert_idle(501);
}

#[tokio::test]
async fn a_stopped_engine_finishes_what_it_serves() {
    let stage = Play {
        by_permit: true,
        ..Play::default()
    }
    .stage();
    let mut served = stage.generate(text("a"));
    let waiting = stage.generate(text("a"));
    stage.permit(1);
    assert_eq!(served.next().await, Some(said(" the")));
    stage.engine.stop();
    assert_eq!(read(waiting).await.1, Event::Failed(EngineFault::Stopped));
    let refused = stage.engine.generate(text("a")).unwrap_err();
    assert_eq!(refused, GenerateError::Stopped);
    stage.permit(4);
    assert_eq!(read(served).await.0, " thing");
    stage.assert_idle(2);
}

#[tokio::test]
async fn dropping_the_engine_stops_it() {
    let stage = Play {
        by_permit: true,
        ..Play::default()
    }
    .stage();
    let mut served = stage.generate(text("a"));
    let waiting = stage.generate(text("a"));
    stage.permit(1);
    assert!(matches!(served.next().await, Some(Event::Text { .. })));
    drop(stage);
    assert_eq!(read(waiting).await.1, Event::Failed(EngineFault::Stopped));
}

#[tokio::test]
async fn the_thread_ends_with_the_last_clone() {
    let stage = Play::default().stage();
    let clone = stage.engine.clone();
    assert_eq!(read(stage.generate(text("a"))).await.0, " the thing");
    assert_eq!(clone.stats().served, 1);
    drop(clone);
    stage.close();
}
