//! How many calls a second a ledger takes. Run by hand: `cargo test -p skinflint-ledger -- --ignored --nocapture`.

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::checks::{receipt, reservation, settlement, start};
use crate::file;

/// As in the gateway.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Calls under way at a time, and calls of each.
const CALLERS: u64 = 256;
const CALLS: u64 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn calls_a_second() {
    let (_directory, store) = file();
    let running = start(&store).await;
    let begin = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let ledger = running.ledger.clone();
        callers.spawn(async move {
            for call in 0..CALLS {
                let task = format!("task{}", caller % 32);
                let reserved = reservation("acme", &task);
                ledger.reserve(reserved.clone()).await.unwrap();
                let mut settled = settlement(reserved.attempt, call);
                settled.referable = false;
                ledger.settle(settled);
                ledger.record(receipt(&reserved));
            }
        });
    }
    callers.join_all().await;
    running.ledger.flush().await.unwrap();
    let seconds = begin.elapsed().as_secs_f64();
    let calls = CALLERS * CALLS;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = calls as f64 / seconds;
    println!("{calls} calls reserved, settled and recorded in {seconds:.2} s: {rate:.0} a second");
    let tasks = running
        .ledger
        .reader()
        .task(Some("acme"), "task0")
        .await
        .unwrap();
    assert_eq!(tasks[0].task.sums.calls, CALLS * CALLERS / 32);
    running.stop().await;
}
