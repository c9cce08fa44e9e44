//! The binary with its books in a Postgres that goes away, and the binary that goes away from its books.

use serde_json::Value;
use skinflint_ledger::{AttemptRow, PostgresUrl, Reader, Source, Store, request_id};
use skinflint_tests::{
    ChaosProxy, FakeProvider, Gate, Gateway, GatewayBuilder, Mode, PostgresServer, Script,
};

use crate::{api::Api, told};

fn builder(provider: &FakeProvider, url: &str, node: &str) -> GatewayBuilder {
    Gateway::builder(provider)
        .postgres(url)
        .field("ledger", "node", &format!("{node:?}"))
}

async fn reader(url: &str) -> Reader {
    let url = PostgresUrl::new(url);
    Reader::open(&Store::Postgres { url }).await.unwrap()
}

/// The attempts of a call, by the id that its client was told.
async fn attempts(reader: &Reader, id: &str) -> Vec<AttemptRow> {
    let id = request_id(id).expect("an id");
    let told = reader.explain(id).await.unwrap();
    told.map(|told| told.attempts).unwrap_or_default()
}

async fn call(gateway: &Gateway, stream: bool) -> reqwest::Response {
    let request = gateway.post(Api::Chat.path(), Api::Chat.text(stream));
    request.send().await.unwrap()
}

/// The id of a call that was answered whole.
async fn answered(gateway: &Gateway) -> String {
    let answer = call(gateway, false).await;
    assert_eq!(answer.status(), 200);
    let id = told::request_id(&answer);
    answer.bytes().await.unwrap();
    id
}

#[tokio::test]
async fn nothing_is_spent_while_the_ledger_is_down_and_nothing_is_lost() {
    let provider = FakeProvider::start().await;
    let url = PostgresServer::shared().await.database().await;
    let (user, address) = url.split_once('@').unwrap();
    let (address, database) = address.split_once('/').unwrap();
    let proxy = ChaosProxy::start(address.parse().unwrap());
    let through = proxy.url().replace("http://", "");
    let through = format!("{user}@{through}/{database}");
    let gateway = builder(&provider, &through, "one").start().await;
    let before = answered(&gateway).await;
    // Under way when the ledger goes.
    let gate = Gate::closed();
    provider.script(Script::tokens(5).gate(&gate));
    let open = call(&gateway, true).await;
    let during = told::request_id(&open);

    proxy.set(Mode::Refuse).await;
    let sent = provider.exchanges().len();
    let refused = call(&gateway, false).await;
    assert_eq!(refused.status(), 503);
    let body: Value = serde_json::from_slice(&refused.bytes().await.unwrap()).unwrap();
    assert_eq!(body["error"]["code"], "ledger_unavailable", "{body}");
    assert_eq!(
        provider.exchanges().len(),
        sent,
        "sent without a reservation"
    );
    gate.open();
    let stream = open.text().await.unwrap();
    assert!(
        stream.contains("[DONE]"),
        "a paid stream was broken off: {stream}"
    );

    proxy.restore().await;
    let again = |event: &Value| event["message"] == "the ledger can be written again";
    gateway.log().wait("the ledger is back", again).await;
    let after = answered(&gateway).await;
    gateway.finish().await;

    let reader = reader(&url).await;
    for id in [before, during, after] {
        let rows = attempts(&reader, &id).await;
        let sources: Vec<Source> = rows.iter().map(|row| row.source).collect();
        assert_eq!(sources, [Source::Provider], "{id}: {rows:?}");
    }
    assert_eq!(reader.open_reservations("default").await.unwrap(), []);
}

#[tokio::test]
async fn a_killed_gateway_finds_its_open_calls_in_postgres_and_leaves_those_of_others() {
    let provider = FakeProvider::start().await;
    let url = PostgresServer::shared().await.database().await;
    let mut one = builder(&provider, &url, "one").start().await;
    let other = builder(&provider, &url, "other").start().await;
    let gate = Gate::closed();
    provider.script_when(
        |request| request.method == http::Method::POST,
        Script::tokens(5).gate(&gate),
    );
    let (killed, kept) = (call(&one, true).await, call(&other, true).await);
    let ids = [told::request_id(&killed), told::request_id(&kept)];
    let reader = reader(&url).await;
    assert_eq!(reader.open_reservations("default").await.unwrap().len(), 2);

    one.kill().await;
    one.start_again().await;
    let open = reader.open_reservations("default").await.unwrap();
    let nodes: Vec<&str> = open.iter().map(|open| open.node.as_str()).collect();
    assert_eq!(nodes, ["other"]);
    gate.open();
    kept.text().await.unwrap();
    one.finish().await;
    other.finish().await;

    for (id, source) in ids.iter().zip([Source::Crash, Source::Provider]) {
        let rows = attempts(&reader, id).await;
        let [row] = &rows[..] else {
            panic!("{id}: {rows:?}");
        };
        assert_eq!(row.source, source);
        assert_eq!(
            source == Source::Crash,
            row.money.cost == row.upper,
            "{row:?}"
        );
    }
    assert_eq!(reader.open_reservations("default").await.unwrap(), []);
}
