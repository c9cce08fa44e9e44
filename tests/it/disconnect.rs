//! A client that leaves takes its upstream call with it.

use std::time::Duration;

use skinflint_tests::{CutAt, End, Ending, FakeProvider, Gate, Gateway, RawConnection, Script};
use tokio::time::Instant;

use crate::api::Api;

/// The promise.
const NOTICED_WITHIN: Duration = Duration::from_millis(100);
/// Departures per test; the median is judged, so that one hiccup of a busy machine does not fail it.
const DEPARTURES: usize = 5;

/// When the provider saw the exchange with this index being given up.
async fn given_up(provider: &FakeProvider, index: usize) -> Instant {
    let all = provider.wait_until("the upstream call is given up", |all| {
        all[index].end.is_some()
    });
    match all.await[index].end {
        Some(End::PeerClosed { at }) => at,
        end => panic!("the upstream call ended with {end:?}"),
    }
}

fn judge(mut times: Vec<Duration>) {
    times.sort();
    let median = times[times.len() / 2];
    assert!(
        median <= NOTICED_WITHIN,
        "the upstream noticed after {times:?}"
    );
}

/// The client leaves with FIN or RST, by turns, after it has read past `read`.
async fn departures(stream: bool, script: impl Fn() -> Script, read: &str) {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let mut times = Vec::new();
    for turn in 0..DEPARTURES {
        provider.script(script());
        let mut client: RawConnection = gateway.raw().await;
        client
            .post("/v1/messages", &Api::Messages.text(stream))
            .await;
        provider
            .wait_until("the request is in", |all| {
                all.len() == turn + 1 && all[turn].body_complete
            })
            .await;
        if !read.is_empty() {
            client.read_past(read).await;
        }
        let left = Instant::now();
        if turn % 2 == 0 {
            client.close();
        } else {
            client.reset();
        }
        times.push(given_up(&provider, turn).await - left);
        let line = gateway.log().wait("the call's line", |event| {
            event["message"] == "call" && event["outcome"] == "client_gone"
        });
        line.await;
    }
    judge(times);
    gateway.finish().await;
}

#[tokio::test]
async fn before_the_answers_head() {
    departures(true, Script::silent, "").await;
}

#[tokio::test]
async fn before_the_head_of_a_whole_answer() {
    departures(false, Script::silent, "").await;
}

#[tokio::test]
async fn within_a_whole_answer() {
    departures(
        false,
        || Script::default().cut(CutAt::InsideEvent(0), Ending::Stall),
        "",
    )
    .await;
}

#[tokio::test]
async fn after_the_first_event() {
    departures(
        true,
        || Script::tokens(5).cut(CutAt::Events(1), Ending::Stall),
        "message_start",
    )
    .await;
}

#[tokio::test]
async fn while_tokens_flow() {
    let flowing = || Script {
        event_delay_ms: 2,
        ..Script::tokens(5_000)
    };
    departures(true, flowing, "text_delta").await;
}

#[tokio::test]
async fn over_http2() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let mut times = Vec::new();
    for turn in 0..DEPARTURES {
        provider.script(Script::tokens(5).cut(CutAt::Events(1), Ending::Stall));
        let request = client
            .post(gateway.url("/v1/messages"))
            .body(Api::Messages.text(true));
        let mut response = request.send().await.unwrap();
        response.chunk().await.unwrap().expect("the first event");
        let left = Instant::now();
        drop(response);
        times.push(given_up(&provider, turn).await - left);
    }
    judge(times);
    drop(client);
    gateway.finish().await;
}

/// The provider still holds its connection open after the terminal event; the client has all it asked for.
#[tokio::test]
async fn a_client_that_leaves_after_the_terminal_event_is_done() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let ends = [
        (Api::Chat, "[DONE]\n\n"),
        (Api::Messages, "\"message_stop\"}\n\n"),
        (Api::Responses, "\n\n"),
    ];
    for (turn, (api, end)) in ends.into_iter().enumerate() {
        provider.script(Script::text("hi").cut(CutAt::Events(usize::MAX), Ending::Stall));
        let mut client = gateway.raw().await;
        client.post(api.path(), &api.text(true)).await;
        let (_, headers) = client.head().await.unwrap();
        if api == Api::Responses {
            client.read_past("event: response.completed").await;
        }
        client.read_past(end).await;
        client.close();
        given_up(&provider, turn).await;
        let (_, id) = headers
            .iter()
            .find(|(name, _)| name == "x-skinflint-request-id")
            .unwrap();
        let line = gateway.call_line(id).await;
        assert_eq!(line["outcome"], "answered", "{api:?}: {line}");
    }
    gateway.finish().await;
}

/// A slow reader makes the provider wait: nothing is piled up on its behalf.
#[tokio::test]
async fn a_reader_that_stops_stops_the_provider() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let gate = Gate::closed();
    // 512 MiB, were it all sent.
    let part = format!(
        "event: ping\ndata: {{\"type\":\"ping\",\"x\":\"{}\"}}\n\n",
        "x".repeat(64 << 10)
    );
    provider.script(Script::sse(std::iter::repeat_n(part, 8 << 10)).gate(&gate));
    let mut client = gateway.raw().await;
    client.post("/v1/messages", &Api::Messages.text(true)).await;
    client.head().await.unwrap();
    gate.open();
    // Another call goes through while the first waits, so the provider had its turn to send more.
    let mut sent = 0;
    loop {
        provider.script(Script::text("hi"));
        let other = gateway
            .post("/v1/messages", Api::Messages.text(false))
            .send()
            .await
            .unwrap();
        assert_eq!(other.status(), 200);
        let now = provider.exchanges()[0].sent.len();
        if now == sent && sent > 0 {
            break;
        }
        sent = now;
    }
    let bytes = provider.exchanges()[0].sent().len();
    assert!(
        bytes < 64 << 20,
        "the provider could send {bytes} bytes to a reader that had stopped"
    );
    client.close();
    given_up(&provider, 0).await;
    gateway.finish().await;
}
