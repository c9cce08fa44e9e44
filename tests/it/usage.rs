//! What the provider reports as used is what the call's line says, in one normal form.

use serde_json::{Value, json};
use skinflint_tests::{Answer, FakeProvider, Gateway, Script, Usage, UsageShape};

use crate::{api::Api, told::request_id};

const REPORTED: Usage = Usage {
    shape: UsageShape::Documented,
    input: Some(7),
    output: Some(5),
    cached: 3,
    write_5m: 2,
    write_1h: 1,
    reasoning: 4,
    audio_input: 0,
    audio_output: 0,
};

fn answer(shape: UsageShape) -> Answer {
    Answer {
        text: "two words".into(),
        usage: Usage { shape, ..REPORTED },
        ..Answer::default()
    }
}

/// The usage of the call's line.
async fn used(
    gateway: &Gateway,
    provider: &FakeProvider,
    api: Api,
    body: String,
    answer: Answer,
) -> Value {
    provider.script(Script::answer(answer));
    let response = gateway.post(api.path(), body.clone()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let id = request_id(&response);
    let relayed = response.bytes().await.unwrap();
    let exchange = provider.exchanges().pop().unwrap();
    assert_eq!(exchange.body, body, "the request was changed");
    assert_eq!(relayed, exchange.sent(), "the answer was changed");
    let line = gateway.call_line(&id).await;
    let fields = [
        "fresh_input",
        "cache_read",
        "cache_write_5m",
        "cache_write_1h",
        "output",
        "reasoning",
    ];
    fields.iter().map(|field| line[*field].clone()).collect()
}

fn expected(api: Api) -> Value {
    match api {
        // Only Anthropic reports writes, and it does not report reasoning.
        Api::Messages => json!([7, 3, 2, 1, 5, 0]),
        Api::Chat | Api::Responses => json!([7, 3, 0, 0, 5, 4]),
    }
}

#[tokio::test]
async fn every_way_of_reporting_is_understood() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider).plain().start().await;
    for api in Api::ALL {
        for stream in [false, true] {
            for shape in [
                UsageShape::Documented,
                UsageShape::Twice,
                UsageShape::Cumulative,
                UsageShape::AfterDone,
            ] {
                let used = used(&gateway, &provider, api, api.text(stream), answer(shape)).await;
                assert_eq!(used, expected(api), "{api:?} {shape:?}, stream {stream}");
            }
        }
    }
    gateway.finish().await;
}

#[tokio::test]
async fn zero_is_zero_and_nothing_is_nothing() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider).plain().start().await;
    let null = Value::Null;
    for api in Api::ALL {
        for stream in [false, true] {
            let zero = used(
                &gateway,
                &provider,
                api,
                api.text(stream),
                answer(UsageShape::Zero),
            )
            .await;
            assert_eq!(zero, json!([0, 0, 0, 0, 0, 0]), "{api:?}, stream {stream}");
            for shape in [UsageShape::Missing, UsageShape::Null] {
                let none = used(&gateway, &provider, api, api.text(stream), answer(shape)).await;
                let nothing = vec![null.clone(); 6];
                assert_eq!(
                    none,
                    Value::Array(nothing),
                    "{api:?} {shape:?}, stream {stream}"
                );
            }
        }
    }
    gateway.finish().await;
}

#[tokio::test]
async fn audio_is_part_of_the_prompt_and_of_the_output() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider).plain().start().await;
    let mut answer = answer(UsageShape::Documented);
    answer.usage.audio_input = 20;
    answer.usage.audio_output = 30;
    let used = used(&gateway, &provider, Api::Chat, Api::Chat.text(true), answer).await;
    assert_eq!(used, json!([27, 3, 0, 0, 35, 4]));
    gateway.finish().await;
}

/// A client that did not ask for usage gets none, and the request is not changed to get it.
#[tokio::test]
async fn a_stream_without_usage_stays_without() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider).plain().start().await;
    let mut body = Api::Chat.body(true);
    body.as_object_mut().unwrap().remove("stream_options");
    let used = used(
        &gateway,
        &provider,
        Api::Chat,
        body.to_string(),
        answer(UsageShape::Documented),
    )
    .await;
    assert_eq!(used, Value::Array(vec![Value::Null; 6]));
    gateway.finish().await;
}

#[tokio::test]
async fn tokens_are_counted_by_route_and_kind() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider).plain().start().await;
    for _ in 0..3 {
        let body = Api::Messages.text(true);
        used(
            &gateway,
            &provider,
            Api::Messages,
            body,
            answer(UsageShape::Documented),
        )
        .await;
    }
    let (_, metrics) = gateway.admin_get("/metrics").await;
    let counted = |kind: &str| {
        let of = |line: &&str| {
            line.starts_with("skinflint_tokens_total{")
                && line.contains(&format!("kind=\"{kind}\""))
        };
        let line = metrics
            .lines()
            .find(of)
            .unwrap_or_else(|| panic!("no {kind} in {metrics}"));
        line.rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(counted("fresh_input"), "21");
    assert_eq!(counted("cache_read"), "9");
    assert_eq!(counted("cache_write_5m"), "6");
    assert_eq!(counted("cache_write_1h"), "3");
    assert_eq!(counted("output"), "15");
    gateway.finish().await;
}
