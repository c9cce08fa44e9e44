//! Where a crash test ends the process: `FAILPOINTS='ledger-before-commit=return'`, with the feature `failpoints`.

/// Reservations are in the transaction and not durable.
pub(crate) fn before_commit() {
    fail::fail_point!("ledger-before-commit", |_| std::process::abort());
}

/// Reservations are durable and nobody was told.
pub(crate) fn after_commit() {
    fail::fail_point!("ledger-after-commit-before-ack", |_| std::process::abort());
}

/// Settlements are in the transaction and not durable.
pub(crate) fn before_settle_commit() {
    fail::fail_point!("ledger-before-settle-commit", |_| std::process::abort());
}

/// The log of SQLite is about to be moved into the file.
pub(crate) fn before_checkpoint() {
    fail::fail_point!("ledger-checkpoint", |_| std::process::abort());
}
