//! A gateway that is killed loses nothing that was billed, and counts nothing twice.

use skinflint_tests::soak::crash::{self, CrashPlan};

/// Once through every fail point, and three times at a random moment.
const ROUNDS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_billed_call_is_in_the_ledger_once_however_the_gateway_ends() {
    let plan = CrashPlan {
        rounds: ROUNDS,
        seed: crash::any_seed(),
    };
    println!("seed {}", plan.seed);
    let totals = crash::run(plan, |_| {}).await;
    assert!(totals.is_sound(), "{totals:#?}");
    assert_eq!(totals.rounds, ROUNDS);
    // The calls were really under way.
    assert!(
        totals.billed > 1_000 && totals.open_at_kills > 100,
        "{totals:#?}"
    );
}
