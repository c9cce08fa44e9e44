//! What a recorded conversation cost by the ledger is what its provider billed.

use skinflint_tests::soak::replay;

/// Conversations of each protocol; `make soak` replays them all.
const CONVERSATIONS: usize = 15;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_conversations_cost_what_was_billed() {
    let Some(folder) = replay::data() else {
        println!("skipped: no recorded conversations here; SKINFLINT_EVAL_DATA names their folder");
        return;
    };
    let totals = replay::run(&folder, CONVERSATIONS).await;
    assert_eq!(totals.faults, Vec::<String>::new(), "{totals:#?}");
    assert_eq!(totals.difference_nano, 0);
    assert_eq!(totals.ledger_nano, totals.bill_nano);
    assert_eq!(totals.tasks, 2 * CONVERSATIONS);
    // Every kind of line was there.
    assert!(
        totals.calls > 200 && totals.cached.iter().all(|tokens| *tokens > 10_000),
        "{totals:#?}"
    );
}
