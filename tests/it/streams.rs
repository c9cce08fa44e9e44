//! A stream that the provider breaks ends with an error event of the protocol; never with half an event, never as if it were whole.

use insta::assert_snapshot;
use skinflint_tests::{
    Answer, ChaosProxy, CutAt, Direction, Ending, FakeProvider, Gate, Gateway, Mode, Script, sse,
};

use crate::{
    api::Api,
    told::{request_id, told, without_id},
};

/// The whole events in `sent`.
fn whole_events(sent: &[u8]) -> &[u8] {
    let end = sent.windows(2).rposition(|window| window == b"\n\n");
    &sent[..end.map_or(0, |end| end + 2)]
}

/// Streams a call with `script`, checks that the client got the provider's whole events and one more, and gives that one.
async fn error_event(
    gateway: &Gateway,
    provider: &FakeProvider,
    api: Api,
    script: Script,
) -> String {
    provider.script(script);
    let response = gateway
        .post(api.path(), api.text(true))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let id = request_id(&response);
    let relayed = response.bytes().await.expect("the HTTP body ends cleanly");
    let sent = provider.exchanges().pop().unwrap().sent();
    let whole = whole_events(&sent);
    assert!(
        relayed.starts_with(whole),
        "{}\nis not the beginning of\n{}",
        whole.escape_ascii(),
        relayed.escape_ascii()
    );
    let added = &relayed[whole.len()..];
    let (events, rest) = sse::events(added);
    assert!(rest.is_empty(), "half an event: {}", added.escape_ascii());
    assert_eq!(events.len(), 1, "not one event: {}", added.escape_ascii());
    assert!(
        !api.is_terminal(&events[0]),
        "a clean end: {}",
        added.escape_ascii()
    );
    without_id(&String::from_utf8_lossy(added), &id)
}

/// The default answer with many events, broken off.
fn broken(at: CutAt, then: Ending) -> Script {
    Script::tokens(20).cut(at, then)
}

#[tokio::test]
async fn a_stall_is_told_in_each_protocol() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .timeout("idle", "300ms")
        .start()
        .await;
    let mut told = String::new();
    for api in Api::ALL {
        told += &error_event(
            &gateway,
            &provider,
            api,
            broken(CutAt::Events(4), Ending::Stall),
        )
        .await;
    }
    assert_snapshot!(told, @r#"
data: {"error":{"message":"The upstream `fake-openai` fell silent within its answer.","type":"timeout_error","param":null,"code":"upstream_timeout"}}

event: error
data: {"type":"error","code":"upstream_timeout","message":"The upstream `fake-openai` fell silent within its answer.","param":null,"sequence_number":4}

event: error
data: {"type":"error","error":{"type":"timeout_error","message":"The upstream `fake-anthropic` fell silent within its answer."},"request_id":"[id]"}
"#);
    gateway.finish().await;
}

#[tokio::test]
async fn a_reset_is_told_in_each_protocol() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let mut told = String::new();
    for api in Api::ALL {
        told += &error_event(
            &gateway,
            &provider,
            api,
            broken(CutAt::Events(4), Ending::Reset),
        )
        .await;
    }
    assert_snapshot!(told, @r#"
data: {"error":{"message":"The upstream `fake-openai` broke off its answer.","type":"upstream_error","param":null,"code":"upstream_broken"}}

event: error
data: {"type":"error","code":"upstream_broken","message":"The upstream `fake-openai` broke off its answer.","param":null,"sequence_number":4}

event: error
data: {"type":"error","error":{"type":"api_error","message":"The upstream `fake-anthropic` broke off its answer."},"request_id":"[id]"}
"#);
    gateway.finish().await;
}

#[tokio::test]
async fn an_end_without_the_terminal_event_is_told_in_each_protocol() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let mut told = String::new();
    for api in Api::ALL {
        told += &error_event(
            &gateway,
            &provider,
            api,
            broken(CutAt::BeforeTerminal, Ending::Finish),
        )
        .await;
    }
    assert_snapshot!(told, @r#"
data: {"error":{"message":"The upstream `fake-openai` broke off its answer.","type":"upstream_error","param":null,"code":"upstream_broken"}}

event: error
data: {"type":"error","code":"upstream_broken","message":"The upstream `fake-openai` broke off its answer.","param":null,"sequence_number":27}

event: error
data: {"type":"error","error":{"type":"api_error","message":"The upstream `fake-anthropic` broke off its answer."},"request_id":"[id]"}
"#);
    gateway.finish().await;
}

#[tokio::test]
async fn garbage_is_told_in_each_protocol() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let mut told = String::new();
    for api in Api::ALL {
        let garbage = Script::sse(["data: <html>502 Bad Gateway</html>\n\n", "data: more\n\n"]);
        provider.script(garbage);
        let response = gateway
            .post(api.path(), api.text(true))
            .send()
            .await
            .unwrap();
        let id = request_id(&response);
        told += &without_id(&response.text().await.unwrap(), &id);
    }
    assert_snapshot!(told, @r#"
data: {"error":{"message":"The upstream `fake-openai` sent something that is not an answer of this API.","type":"upstream_error","param":null,"code":"upstream_garbage"}}

event: error
data: {"type":"error","code":"upstream_garbage","message":"The upstream `fake-openai` sent something that is not an answer of this API.","param":null,"sequence_number":0}

event: error
data: {"type":"error","error":{"type":"api_error","message":"The upstream `fake-anthropic` sent something that is not an answer of this API."},"request_id":"[id]"}
"#);
    gateway.finish().await;
}

#[tokio::test]
async fn every_other_break_ends_with_an_error_event() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .timeout("idle", "300ms")
        .start()
        .await;
    let places = [
        CutAt::Events(0),
        CutAt::InsideEvent(0),
        CutAt::InsideEvent(3),
        CutAt::InsideCharacter(1),
        CutAt::Bytes(1),
        CutAt::BeforeTerminal,
    ];
    for api in Api::ALL {
        for at in places {
            for then in [Ending::Finish, Ending::Close, Ending::Reset, Ending::Stall] {
                let event =
                    error_event(&gateway, &provider, api, Script::default().cut(at, then)).await;
                assert!(event.contains("error"), "{api:?} {at:?} {then:?}: {event}");
            }
        }
    }
    gateway.finish().await;
}

#[tokio::test]
async fn the_wire_breaks() {
    let provider = FakeProvider::start().await;
    let proxy = ChaosProxy::start(provider.address());
    let gateway = Gateway::builder(&provider)
        .upstreams_at(&proxy.url())
        .timeout("idle", "300ms")
        .start()
        .await;
    let modes = [
        Mode::ResetAfter(Direction::ToGateway, 900),
        Mode::HalfCloseAfter(Direction::ToGateway, 900),
        Mode::Blackhole,
    ];
    for mode in modes {
        let gate = Gate::closed();
        provider.script(Script::tokens(40).gate(&gate));
        let mut response = gateway
            .post("/v1/messages", Api::Messages.text(true))
            .send()
            .await
            .unwrap();
        // The mark is counted from the connection's first byte, and some of them have passed.
        gate.release(1);
        let first = response.chunk().await.unwrap().expect("the first event");
        proxy.set(mode).await;
        gate.open();
        let mut relayed = first.to_vec();
        while let Some(chunk) = response.chunk().await.expect("the HTTP body ends cleanly") {
            relayed.extend_from_slice(&chunk);
        }
        let (events, rest) = sse::events(&relayed);
        assert!(rest.is_empty(), "{mode:?}: {}", rest.escape_ascii());
        assert_eq!(events.last().unwrap().name, "error", "{mode:?}");
        assert!(
            events.iter().all(|event| event.name != "message_stop"),
            "{mode:?}"
        );
        proxy.restore().await;
    }
    let healed = gateway
        .post("/v1/messages", Api::Messages.text(true))
        .send()
        .await
        .unwrap();
    assert!(
        healed
            .text()
            .await
            .unwrap()
            .ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
    );
    gateway.finish().await;
}

#[tokio::test]
async fn an_upstreams_own_error_event_is_its_last_word() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let stream = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"c\",\"content\":[],\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n\
                  event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    provider.script(Script::sse([stream]));
    let response = gateway
        .post("/v1/messages", Api::Messages.text(true))
        .send()
        .await
        .unwrap();
    assert_eq!(response.text().await.unwrap(), stream);
    gateway.finish().await;
}

#[tokio::test]
async fn a_page_in_place_of_a_stream_is_told_before_anything_is_relayed() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    provider.script(Script::html());
    let response = gateway
        .post("/v1/chat/completions", Api::Chat.text(true))
        .send()
        .await
        .unwrap();
    assert_snapshot!(told(response).await, @r#"502 {"error":{"message":"The upstream `fake-openai` sent something that is not an answer of this API.","type":"upstream_error","param":null,"code":"upstream_garbage"}}"#);
    provider.script(Script::html());
    let response = gateway
        .post("/v1/messages", Api::Messages.text(true))
        .send()
        .await
        .unwrap();
    assert_snapshot!(told(response).await, @r#"502 {"type":"error","error":{"type":"api_error","message":"The upstream `fake-anthropic` sent something that is not an answer of this API."},"request_id":"[id]"}"#);
    gateway.finish().await;
}

/// Each event reaches the client while the next is still being held back, so nothing is buffered.
#[tokio::test]
async fn events_are_relayed_one_by_one() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider).plain().start().await;
    let gate = Gate::closed();
    provider.script(Script::tokens(3).gate(&gate));
    let mut response = gateway
        .post("/v1/messages", Api::Messages.text(true))
        .send()
        .await
        .unwrap();
    let mut relayed = Vec::new();
    for count in 1..=8 {
        gate.release(1);
        while sse::events(&relayed).0.len() < count {
            relayed.extend_from_slice(&response.chunk().await.unwrap().expect("the next event"));
        }
        assert_eq!(provider.only_exchange().sent.len(), count);
    }
    gate.open();
    while let Some(chunk) = response.chunk().await.unwrap() {
        relayed.extend_from_slice(&chunk);
    }
    assert_eq!(relayed, provider.only_exchange().sent());
    gateway.finish().await;
}

#[tokio::test]
async fn a_silent_upstream_is_covered_by_pings() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .timeout("keep_alive", "50ms")
        .start()
        .await;
    for api in Api::ALL {
        let gate = Gate::closed();
        provider.script(Script::answer(Answer::default()).gate(&gate));
        let mut response = gateway
            .post(api.path(), api.text(true))
            .send()
            .await
            .unwrap();
        gate.release(1);
        let mut relayed = Vec::new();
        // Two pings after the first event, while nothing comes from the provider.
        let pings = |relayed: &[u8]| {
            let text = String::from_utf8_lossy(relayed).into_owned();
            text.matches("event: ping\n").count()
                + text.lines().filter(|line| line.starts_with(':')).count()
        };
        while pings(&relayed) < 2 {
            relayed.extend_from_slice(&response.chunk().await.unwrap().expect("a ping"));
        }
        gate.open();
        while let Some(chunk) = response.chunk().await.unwrap() {
            relayed.extend_from_slice(&chunk);
        }
        let (events, rest) = sse::events(&relayed);
        assert!(rest.is_empty());
        let of_provider = sse::events(&provider.exchanges().pop().unwrap().sent()).0;
        let without_pings = |events: Vec<sse::Event>| {
            let kept = events.into_iter().filter(|event| event.name != "ping");
            kept.collect::<Vec<_>>()
        };
        assert_eq!(without_pings(events), without_pings(of_provider), "{api:?}");
    }
    gateway.finish().await;
}
