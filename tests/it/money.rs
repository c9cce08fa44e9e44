//! Prices, budgets and what the ledger says of a gateway's calls, for tests about money.

use std::{fmt::Write, time::Duration};

use serde_json::Value;
use skinflint_tests::{FakeProvider, Gateway, GatewayBuilder};
use sqlx::{Connection, Row as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::time::{Instant, sleep};

use crate::{
    api::Api,
    told::{header, request_id},
};

/// A token of output is a tenth of a cent and one of input is free: ten tokens are a cent, exactly.
pub(crate) const OUTPUT_ONLY: &str = r#"
[[price]]
model = "gpt-cent"
input = 0
output = 1000
free = true
hidden_reasoning = false

[[price]]
model = "claude-cent"
input = 0
output = 1000
free = true
hidden_reasoning = false
"#;
/// Nano-dollars of a token of such a model.
pub(crate) const TOKEN: u64 = 1_000_000;
/// Nano-dollars.
pub(crate) const CENT: u64 = 10 * TOKEN;

/// How long a ledger may take until nothing in it is open.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A gateway whose models `gpt-cent` and `claude-cent` cost what [`OUTPUT_ONLY`] says, with the tenant `acme`, which needs no key.
pub(crate) fn gateway(provider: &FakeProvider, budgets: &str) -> GatewayBuilder {
    Gateway::builder(provider)
        .tenant("acme", &tenant("", budgets))
        .append(OUTPUT_ONLY)
}

/// The file of the tenant `acme`, which needs no key; `more` is TOML of its table.
pub(crate) fn tenant(more: &str, budgets: &str) -> String {
    format!("[tenant]\nid = \"acme\"\nkeyless = true\n{more}\n{budgets}")
}

/// A budget of so many dollars; `more` is TOML of its table.
pub(crate) fn budget(scope: &str, window: &str, usd: &str, more: &str) -> String {
    format!("\n[[budget]]\nscope = {scope:?}\nwindow = {window:?}\nlimit_usd = {usd:?}\n{more}\n")
}

/// The month's budget of the whole tenant.
pub(crate) fn monthly(usd: &str) -> String {
    budget("tenant", "month", usd, "")
}

/// A request for at most so many tokens of a model of [`OUTPUT_ONLY`].
pub(crate) fn ask(api: Api, tokens: u64, stream: bool) -> Value {
    let mut body = api.body(stream);
    body["model"] = match api {
        Api::Messages => "claude-cent".into(),
        Api::Chat | Api::Responses => "gpt-cent".into(),
    };
    body[limit_name(api)] = tokens.into();
    body
}

/// Where the protocol says how long an answer may be.
pub(crate) fn limit_name(api: Api) -> &'static str {
    match api {
        Api::Chat | Api::Messages => "max_tokens",
        Api::Responses => "max_output_tokens",
    }
}

/// What became of a call.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) id: String,
    pub(crate) route: String,
    pub(crate) cost: String,
    pub(crate) should_retry: String,
    pub(crate) retry_after: String,
    pub(crate) body: String,
}

impl Told {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// `error.type`, where there is one.
    pub(crate) fn error(&self) -> String {
        let json = self.json();
        json["error"]["type"].as_str().unwrap_or_default().into()
    }

    /// `SCOPE: SPENT + RESERVED of LIMIT`, as the error of a budget tells it.
    pub(crate) fn budget(&self) -> String {
        let budget = &self.json()["error"]["budget"];
        let text = |name: &str| budget[name].as_str().unwrap_or("?").to_owned();
        format!(
            "{}: {} + {} of {}",
            text("scope"),
            text("spent_usd"),
            text("reserved_usd"),
            text("limit_usd")
        )
    }

    /// The refusal of a budget, in a form that lets its caller give up at once.
    pub(crate) fn assert_refused(&self) {
        assert_eq!(
            (self.status, self.error().as_str()),
            (429, "budget_exceeded"),
            "{self:?}"
        );
        assert_eq!(self.should_retry, "false", "{self:?}");
        let seconds: u64 = self.retry_after.parse().expect("whole seconds");
        assert!((1..=86_400).contains(&seconds), "{self:?}");
    }

    #[track_caller]
    pub(crate) fn assert_answered(&self) {
        assert_eq!(self.status, 200, "{self:?}");
    }
}

/// Makes a call and reads its answer to the end.
pub(crate) async fn call(
    gateway: &Gateway,
    api: Api,
    body: &Value,
    headers: &[(&str, &str)],
) -> Told {
    let request = gateway.post(api.path(), body.to_string());
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    let response = request.send().await.expect("an answer");
    Told {
        status: response.status().as_u16(),
        id: request_id(&response),
        route: header(&response, "x-skinflint-route"),
        cost: header(&response, "x-skinflint-cost-usd"),
        should_retry: header(&response, "x-should-retry"),
        retry_after: header(&response, "retry-after"),
        body: response.text().await.expect("a whole body"),
    }
}

/// An unstreamed chat completion of at most so many tokens.
pub(crate) async fn chat(gateway: &Gateway, tokens: u64) -> Told {
    call(gateway, Api::Chat, &ask(Api::Chat, tokens, false), &[]).await
}

/// An attempt as the ledger has it.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) source: String,
    /// In nano-dollars.
    pub(crate) cost: u64,
    pub(crate) output: u64,
    pub(crate) price_version: String,
}

/// Everything in the gateway's SQLite ledger, once nothing in it is open any more, in the order of the reservations.
///
/// # Panics
/// If something stays open.
pub(crate) async fn settled(gateway: &Gateway) -> Vec<Attempt> {
    let mut ledger = open(gateway).await;
    let began = Instant::now();
    while count(&mut ledger, "reservations").await > 0 {
        assert!(began.elapsed() < PATIENCE, "a reservation stays open");
        sleep(LOOK_AGAIN).await;
    }
    let rows = sqlx::query("SELECT source, cost, output, price_version FROM attempts ORDER BY id")
        .fetch_all(&mut ledger)
        .await
        .expect("read the attempts");
    let number = |value: i64| u64::try_from(value).expect("no negative amounts");
    let attempts = rows.iter().map(|row| Attempt {
        source: row.get("source"),
        cost: number(row.get("cost")),
        output: number(row.get("output")),
        price_version: row.get("price_version"),
    });
    attempts.collect()
}

/// Waits until the ledger has the receipts of so many calls.
///
/// # Panics
/// If it does not get them.
pub(crate) async fn wait_receipts(gateway: &Gateway, wanted: i64) {
    let mut ledger = open(gateway).await;
    let began = Instant::now();
    loop {
        let receipts = count(&mut ledger, "requests").await;
        if receipts == wanted {
            return;
        }
        assert!(
            began.elapsed() < PATIENCE && receipts < wanted,
            "{receipts} receipts instead of {wanted}"
        );
        sleep(LOOK_AGAIN).await;
    }
}

/// The sum of all costs, in nano-dollars.
pub(crate) fn total(attempts: &[Attempt]) -> u64 {
    attempts.iter().map(|attempt| attempt.cost).sum()
}

/// Source and cost of each attempt, a line each.
pub(crate) fn lines(attempts: &[Attempt]) -> String {
    attempts.iter().fold(String::new(), |mut text, attempt| {
        let Attempt { source, cost, .. } = attempt;
        let _ = writeln!(text, "{source} {cost}");
        text
    })
}

async fn open(gateway: &Gateway) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(gateway.ledger())
        .busy_timeout(PATIENCE);
    SqliteConnection::connect_with(&options)
        .await
        .expect("open the ledger")
}

async fn count(ledger: &mut SqliteConnection, table: &'static str) -> i64 {
    let sql = match table {
        "reservations" => "SELECT COUNT(*) FROM reservations",
        _ => "SELECT COUNT(*) FROM requests",
    };
    sqlx::query_scalar(sql)
        .fetch_one(ledger)
        .await
        .expect("count rows")
}
