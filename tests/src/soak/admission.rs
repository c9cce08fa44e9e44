//! Ten thousand calls of a cent at once, and a dollar to spend. See [`admitted`].

use super::books::Books;
use crate::{
    Answer, FakeProvider, Gateway, GatewayBuilder, Load, PostgresServer, RedisServer, Reply,
    Script, Usage,
};
use nix::sys::signal::Signal;

/// A token of output, which every call has, costs a cent; its prompt costs nothing.
const PRICE: &str = r#"
[[price]]
model = "gpt-cent"
input = 0
output = 10000
free = true
"#;
const TENANT: &str = r#"
[tenant]
id = "thrifty"
keyless = true

[[budget]]
scope = "tenant"
window = "month"
limit_usd = 1
"#;
const CALL: &str = r#"{"model":"gpt-cent","max_completion_tokens":1,"messages":[{"role":"user","content":"hello"}]}"#;
/// A dollar in nano-dollars.
const DOLLAR: i64 = 1_000_000_000;

/// What became of the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Admitted {
    /// Answered.
    pub(super) calls: usize,
    /// Refused because the store of the budgets did not answer in time; all others because the dollar was spent.
    pub(super) unasked: usize,
}

/// Sends so many calls to one gateway.
///
/// # Panics
/// If a call is answered with anything but a whole answer or a refusal for the budget, or the ledger says otherwise than the provider.
pub(super) async fn admitted(calls: usize) -> Admitted {
    let provider = provider().await;
    let mut gateway = builder(&provider).start().await;
    let replies = gateway.load().run(calls, calls, |_| call()).await;
    let admitted = Admitted::count(&replies);
    assert_eq!(
        provider.exchanges().len(),
        admitted.calls,
        "sent, though refused"
    );
    gateway.signal(Signal::SIGTERM);
    assert!(gateway.exited().await.success(), "{}", gateway.output());
    let mut books = Books::open(&gateway.ledger())
        .await
        .expect("open the books");
    let spent = books.sums().await.expect("read the books").agreed();
    books.close().await.expect("close the books");
    assert!(spent <= Some(DOLLAR), "spent {spent:?} nano-dollars");
    admitted
}

/// Sends so many calls to two gateways, with a Redis and a Postgres between them.
///
/// # Panics
/// Like [`admitted`], but for the ledger.
pub(super) async fn admitted_by_two(calls: usize) -> Admitted {
    let provider = provider().await;
    let redis = RedisServer::start().await;
    let ledger = PostgresServer::shared().await.database().await;
    let start = |node: &str| {
        builder(&provider)
            .redis(&redis.url())
            .postgres(&ledger)
            .field("ledger", "node", &format!("{node:?}"))
            .start()
    };
    let gateways = [start("one").await, start("other").await];
    let half = calls / 2;
    let [one, other] = gateways.each_ref().map(Gateway::load);
    let (mut replies, others) = tokio::join!(
        one.run(half, half, |_| call()),
        other.run(calls - half, calls - half, |_| call()),
    );
    replies.extend(others);
    let admitted = Admitted::count(&replies);
    assert_eq!(
        provider.exchanges().len(),
        admitted.calls,
        "sent, though refused"
    );
    for gateway in gateways {
        gateway.finish().await;
    }
    admitted
}

async fn provider() -> FakeProvider {
    let provider = FakeProvider::start().await;
    provider.script_by(|_| {
        Some(Script::answer(Answer {
            tokens: Some(1),
            usage: Usage {
                input: Some(8),
                output: Some(1),
                ..Usage::default()
            },
            ..Answer::default()
        }))
    });
    provider
}

fn builder(provider: &FakeProvider) -> GatewayBuilder {
    Gateway::builder(provider)
        .limit("in_flight", "20000")
        .tenant("thrifty", TENANT)
        .append(PRICE)
}

fn call() -> http::Request<bytes::Bytes> {
    Load::post("/v1/chat/completions", CALL)
}

// === impl Admitted ===

impl Admitted {
    fn count(replies: &[Reply]) -> Self {
        let mut admitted = Self {
            calls: 0,
            unasked: 0,
        };
        for reply in replies {
            match (reply.status, reply.error_type.as_deref()) {
                (Some(200), _) => admitted.calls += 1,
                (Some(429), Some("budget_exceeded")) => {}
                (Some(429), Some("budget_store_unavailable")) => admitted.unasked += 1,
                _ => panic!("neither admitted nor refused for the budget: {reply:?}"),
            }
        }
        admitted
    }
}
