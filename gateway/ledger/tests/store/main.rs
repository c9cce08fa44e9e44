//! The checks of every ledger, on SQLite; and what only a file does.
#![expect(clippy::unwrap_used, reason = "a check that cannot go on has failed")]

mod checks;
mod files;
mod model;
mod throughput;

use skinflint_ledger::Store;
use tempfile::TempDir;

/// A file that is not there yet. The directory goes with the first of the two.
fn file() -> (TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    (directory, Store::Sqlite { path })
}

macro_rules! on_sqlite {
    ($($check:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $check() {
                let (_directory, store) = file();
                Box::pin(checks::$check(store)).await;
            }
        )*
    };
}

on_sqlite!(
    settles_exactly_once,
    a_crash_is_settled_at_the_upper_bound,
    an_unheard_reservation_is_taken_back,
    a_task_is_a_tree_of_agents,
    the_costliest_tasks_come_first,
    tasks_close_and_open_again,
    reports_group_by_time_and_name,
    providers_bill_by_day_and_model,
    budgets_start_from_what_was_spent,
    other_prices_change_history_and_its_sums,
    a_receipt_is_told_as_it_was_given,
    absurd_text_is_cut_and_absurd_amounts_are_refused,
    an_alert_is_sent_once,
);
