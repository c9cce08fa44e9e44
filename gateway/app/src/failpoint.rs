//! Where a crash test ends the process: `FAILPOINTS='gateway-before-send=return'`, with the feature `failpoints`. The ledger has more.

/// The reservation is durable and nothing was sent.
pub(crate) fn before_send() {
    fail::fail_point!("gateway-before-send", |_| std::process::abort());
}

/// The provider has begun to answer, and will bill.
pub(crate) fn after_send() {
    fail::fail_point!("gateway-after-send", |_| std::process::abort());
}

/// The cost is known here and nowhere else.
pub(crate) fn before_settle() {
    fail::fail_point!("gateway-before-settle", |_| std::process::abort());
}
