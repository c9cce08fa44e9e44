//! SIGTERM lets running calls finish, and ends what does not finish with an error event.

use futures_util::future::join_all;
use nix::sys::signal::Signal;
use skinflint_tests::{CutAt, Ending, FakeProvider, Gate, Gateway, Script, sse};
use tokio::net::TcpStream;

use crate::api::Api;

const STREAMS: usize = 200;

/// Starts a stream, and waits for its first event.
async fn begin(gateway: &Gateway, api: Api) -> (reqwest::Response, Vec<u8>) {
    let mut response = gateway
        .post(api.path(), api.text(true))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let first = response.chunk().await.unwrap().expect("the first event");
    (response, first.to_vec())
}

async fn rest(begun: (reqwest::Response, Vec<u8>)) -> Vec<u8> {
    let (mut response, mut relayed) = begun;
    while let Some(chunk) = response.chunk().await.expect("the HTTP body ends cleanly") {
        relayed.extend_from_slice(&chunk);
    }
    relayed
}

async fn unready(gateway: &Gateway) {
    let event = gateway.log().wait("the word that it stops", |event| {
        event["message"]
            .as_str()
            .is_some_and(|message| message.starts_with("stopping"))
    });
    event.await;
    let (status, _) = gateway.admin_get("/readyz").await;
    assert_eq!(status, 503);
}

#[tokio::test]
async fn two_hundred_streams_end_whole_or_with_an_error_event() {
    let provider = FakeProvider::start().await;
    let mut gateway = Gateway::builder(&provider)
        .timeout("drain", "2s")
        .start()
        .await;
    assert_eq!(gateway.admin_get("/readyz").await.0, 200);
    // One gate each: a shared one would let some streams through at the expense of others.
    let gates: Vec<Gate> = (0..STREAMS).map(|_| Gate::closed()).collect();
    for (turn, gate) in gates.iter().enumerate() {
        gate.release(1);
        provider.script_when(
            move |exchange| exchange.header("x-turn") == turn.to_string(),
            Script::tokens(5).gate(gate),
        );
    }
    let begun = join_all((0..STREAMS).map(|turn| {
        let api = Api::ALL[turn % 3];
        let request = gateway
            .post(api.path(), api.text(true))
            .header("x-turn", turn.to_string());
        async move {
            let mut response = request.send().await.unwrap();
            let first = response.chunk().await.unwrap().expect("the first event");
            (response, first.to_vec())
        }
    }))
    .await;
    gateway
        .wait_in_flight(u32::try_from(STREAMS).unwrap())
        .await;

    gateway.signal(Signal::SIGTERM);
    unready(&gateway).await;
    assert!(
        TcpStream::connect(gateway.calls()).await.is_err(),
        "a new connection was taken"
    );
    gates.iter().step_by(2).for_each(Gate::open);
    let ended = join_all(begun.into_iter().map(rest)).await;

    let mut whole = 0;
    for (turn, relayed) in ended.iter().enumerate() {
        let api = Api::ALL[turn % 3];
        let (events, rest) = sse::events(relayed);
        assert!(
            rest.is_empty(),
            "stream {turn} ends in half an event: {}",
            rest.escape_ascii()
        );
        let last = events.last().unwrap();
        if api.is_terminal(last) {
            whole += 1;
        } else {
            assert!(
                last.data.contains("error"),
                "stream {turn} is cut: {last:?}"
            );
            assert!(last.data.contains("stopping"), "stream {turn}: {last:?}");
        }
    }
    assert_eq!(
        whole,
        STREAMS / 2,
        "every stream whose provider went on is whole"
    );
    assert_eq!(gateway.exited().await.code(), Some(0));
    provider.wait_idle().await;
    gateway.finish().await;
}

#[tokio::test]
async fn a_whole_answer_is_waited_for_and_then_told() {
    let provider = FakeProvider::start().await;
    let mut gateway = Gateway::builder(&provider)
        .timeout("drain", "500ms")
        .start()
        .await;
    let gate = Gate::closed();
    provider.script(Script::text("in time").gate(&gate));
    provider.script(Script::silent());
    let first = gateway
        .post("/v1/messages", Api::Messages.text(false))
        .send();
    let in_time = tokio::join!(first, async {
        provider
            .wait_until("the first is in", |all| all.len() == 1)
            .await;
        let late = gateway
            .post("/v1/messages", Api::Messages.text(false))
            .send();
        let ((), late) = tokio::join!(
            async {
                provider
                    .wait_until("both are in", |all| all.len() == 2 && all[1].body_complete)
                    .await;
                gateway.signal(Signal::SIGTERM);
                unready(&gateway).await;
                gate.open();
            },
            late
        );
        late.unwrap()
    });
    let (first, late) = in_time;
    let first = first.unwrap();
    assert_eq!(first.status(), 200);
    assert!(first.text().await.unwrap().contains("in time"));
    assert_eq!(late.status(), 503);
    assert_eq!(late.headers()["retry-after"], "1");
    assert_eq!(gateway.exited().await.code(), Some(0));
    gateway.finish().await;
}

#[tokio::test]
async fn a_second_signal_waits_no_longer() {
    let provider = FakeProvider::start().await;
    // Far beyond the patience of the test.
    let mut gateway = Gateway::builder(&provider)
        .timeout("drain", "1h")
        .start()
        .await;
    let gate = Gate::closed();
    gate.release(1);
    provider.script(Script::tokens(5).gate(&gate));
    let begun = begin(&gateway, Api::Messages).await;
    gateway.signal(Signal::SIGTERM);
    unready(&gateway).await;
    gateway.signal(Signal::SIGINT);
    let relayed = rest(begun).await;
    let (events, _) = sse::events(&relayed);
    assert_eq!(events.last().unwrap().name, "error");
    assert_eq!(gateway.exited().await.code(), Some(0));
    provider.wait_idle().await;
    gateway.finish().await;
}

/// A provider that keeps its connection open after the last event has said all: the client is told nothing else.
#[tokio::test]
async fn a_stream_that_has_ended_ends_without_an_error_event() {
    for api in [Api::Chat, Api::Messages, Api::Responses] {
        let provider = FakeProvider::start().await;
        let mut gateway = Gateway::builder(&provider)
            .timeout("drain", "1h")
            .start()
            .await;
        provider.script(Script::tokens(2).cut(CutAt::Events(usize::MAX), Ending::Stall));
        let (mut response, mut relayed) = begin(&gateway, api).await;
        while !ended(&relayed) {
            relayed.extend_from_slice(&response.chunk().await.unwrap().unwrap());
        }
        let whole = relayed.len();
        gateway.signal(Signal::SIGTERM);
        unready(&gateway).await;
        gateway.signal(Signal::SIGTERM);
        let relayed = rest((response, relayed)).await;
        assert_eq!(relayed.len(), whole, "nothing comes after the end");
        assert_eq!(gateway.exited().await.code(), Some(0));
        provider.wait_idle().await;
        gateway.finish().await;
    }
}

/// Whether the terminal event of any of the protocols is there.
fn ended(relayed: &[u8]) -> bool {
    let text = String::from_utf8_lossy(relayed);
    let last = text.trim_end().rsplit("\n\n").next().unwrap_or_default();
    text.ends_with("\n\n")
        && ["[DONE]", "message_stop", "response.completed"]
            .iter()
            .any(|mark| last.contains(mark))
}

/// Idle keep-alive connections hold nothing up, nor do those that have never said anything.
#[tokio::test]
async fn idle_connections_are_closed_at_once() {
    let provider = FakeProvider::start().await;
    let mut gateway = Gateway::builder(&provider)
        .timeout("drain", "1h")
        .timeout("header", "1h")
        .start()
        .await;
    let mut used = gateway.raw().await;
    used.post("/v1/messages", &Api::Messages.text(false)).await;
    assert_eq!(used.response().await.unwrap().status, 200);
    let mut silent = gateway.raw().await;
    answered(&gateway).await;
    gateway.signal(Signal::SIGTERM);
    assert_eq!(gateway.exited().await.code(), Some(0));
    assert!(used.closed().await.is_empty());
    assert!(silent.closed().await.is_empty());
    gateway.finish().await;
}

/// Half a head may still become a call, for as long as a head may take.
#[tokio::test]
async fn a_head_that_never_ends_holds_nothing_up_for_long() {
    let provider = FakeProvider::start().await;
    let mut gateway = Gateway::builder(&provider)
        .timeout("drain", "1h")
        .timeout("header", "500ms")
        .start()
        .await;
    let mut half = gateway.raw().await;
    half.send("POST /v1/mess").await;
    answered(&gateway).await;
    gateway.signal(Signal::SIGTERM);
    assert_eq!(gateway.exited().await.code(), Some(0));
    half.closed().await;
    gateway.finish().await;
}

/// A call goes through; earlier connections have been accepted by then.
async fn answered(gateway: &Gateway) {
    let request = gateway.post("/v1/messages", Api::Messages.text(false));
    assert_eq!(request.send().await.unwrap().status(), 200);
}
