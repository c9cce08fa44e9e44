//! Which path and model goes where.

use http::StatusCode;
use insta::assert_snapshot;
use serde_json::Value;
use skinflint_tests::{FakeProvider, Gateway};

use crate::{
    api::Api,
    told::{header, request_id, told},
};

#[tokio::test]
async fn the_response_says_where_the_call_went() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    for (api, route) in [
        (Api::Chat, "upstream:fake-openai"),
        (Api::Responses, "upstream:fake-openai"),
        (Api::Messages, "upstream:fake-anthropic"),
    ] {
        for stream in [false, true] {
            let response = gateway
                .post(api.path(), api.text(stream))
                .send()
                .await
                .unwrap();
            assert_eq!(header(&response, "x-skinflint-route"), route);
            assert_eq!(header(&response, "x-skinflint-model"), api.model());
            assert_ne!(header(&response, "x-skinflint-task"), "");
            let overhead: u64 = header(&response, "x-skinflint-overhead-us")
                .parse()
                .unwrap();
            assert!(overhead < 5_000_000, "{overhead} µs");
            let id = request_id(&response);
            response.bytes().await.unwrap();
            let line = gateway.call_line(&id).await;
            assert_eq!(line["route"], route);
            assert_eq!(line["model"], api.model());
            assert_eq!(line["tenant"], "default");
            assert_eq!(line["status"], 200);
            assert_eq!(line["outcome"], "answered");
            assert_eq!(line["stream"], stream);
        }
    }
    gateway.finish().await;
}

#[tokio::test]
async fn request_ids_are_our_own_and_never_the_same() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let request = gateway.post("/v1/messages", Api::Messages.text(false));
        let response = request
            .header("x-skinflint-request-id", "mine")
            .send()
            .await
            .unwrap();
        seen.insert(request_id(&response));
    }
    assert_eq!(seen.len(), 20);
    assert!(!seen.contains("mine"));
    gateway.finish().await;
}

#[tokio::test]
async fn an_exact_name_comes_before_a_pattern_and_a_longer_pattern_before_a_shorter() {
    let (provider, other) = (FakeProvider::start().await, FakeProvider::start().await);
    let gateway = Gateway::builder(&provider)
        .upstream("other", "openai", &other.url())
        .watch(&other)
        .model("gpt-special", "other", None)
        .model("gpt-fake-*", "other", Some("renamed"))
        .start()
        .await;
    let ask = |model: &str| {
        let body =
            format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]}}"#);
        let request = gateway.post("/v1/chat/completions", body);
        async move { header(&request.send().await.unwrap(), "x-skinflint-route") }
    };
    assert_eq!(ask("gpt-special").await, "upstream:other");
    assert_eq!(ask("gpt-special-2").await, "upstream:fake-openai");
    assert_eq!(ask("gpt-fake-9").await, "upstream:other");
    assert_eq!(other.exchanges().pop().unwrap().json()["model"], "renamed");
    gateway.finish().await;
}

#[tokio::test]
async fn a_model_of_the_other_protocol_is_told_where_it_is() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let body = r#"{"model":"claude-fake-1","messages":[{"role":"user","content":"hi"}]}"#;
    let response = gateway
        .post("/v1/chat/completions", body)
        .send()
        .await
        .unwrap();
    assert_snapshot!(told(response).await, @r#"400 {"error":{"message":"The model `claude-fake-1` is served over `/v1/messages`, not over this endpoint.","type":"invalid_request_error","param":"model","code":"wrong_endpoint"}}"#);
    let body =
        r#"{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}],"max_tokens":1}"#;
    let response = gateway.post("/v1/messages", body).send().await.unwrap();
    assert_snapshot!(told(response).await, @r#"400 {"type":"error","error":{"type":"invalid_request_error","message":"The model `gpt-fake-1` is served over `/v1/chat/completions`, not over this endpoint."},"request_id":"[id]"}"#);
    assert!(provider.exchanges().is_empty());
    gateway.finish().await;
}

#[tokio::test]
async fn there_are_no_side_doors() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let client = gateway.client();
    let unknown = client
        .post(gateway.url("/v1/files"))
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_snapshot!(told(unknown).await, @r#"404 {"error":{"message":"The gateway has no such endpoint, and none of its upstreams is configured to pass this path through.","type":"not_found_error","param":null,"code":"unknown_endpoint"}}"#);
    let anthropic = client
        .post(gateway.url("/v1/messages/batches"))
        .header("anthropic-version", "2023-06-01");
    assert_snapshot!(told(anthropic.body("{}").send().await.unwrap()).await, @r#"404 {"type":"error","error":{"type":"not_found_error","message":"The gateway has no such endpoint, and none of its upstreams is configured to pass this path through."},"request_id":"[id]"}"#);
    let wrong_method = client
        .get(gateway.url("/v1/messages"))
        .send()
        .await
        .unwrap();
    assert_eq!(header(&wrong_method, "allow"), "POST");
    assert_snapshot!(told(wrong_method).await, @r#"405 {"type":"error","error":{"type":"invalid_request_error","message":"This path does not take this method."},"request_id":"[id]"}"#);
    for path in [
        "/",
        "/v1",
        "/metrics",
        "/healthz",
        "/v1/messages/",
        "/v1//messages",
        "/V1/messages",
        "/v1/messages%2f",
        "/v1/chat/../messages",
        "/v1/batches",
        "/v1/chat/completions/x",
    ] {
        let mut connection = gateway.raw().await;
        connection.post(path, &Api::Messages.text(false)).await;
        let response = connection.response().await.unwrap();
        assert!(
            matches!(response.status, 404 | 405),
            "{path}: {}",
            response.status
        );
    }
    assert!(provider.exchanges().is_empty());
    gateway.finish().await;
}

#[tokio::test]
async fn a_path_that_is_configured_passes_unread() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .pass_through("fake-openai", &["/v1/files"])
        .start()
        .await;
    let odd = "not json \u{0}";
    let response = gateway
        .post("/v1/files?purpose=x", odd)
        .send()
        .await
        .unwrap();
    assert_eq!(
        response.status(),
        StatusCode::NOT_FOUND,
        "the provider's own answer"
    );
    assert_eq!(
        header(&response, "x-skinflint-route"),
        "upstream:fake-openai"
    );
    let sent = provider.only_exchange();
    assert_eq!(sent.target, "/v1/files?purpose=x");
    assert_eq!(sent.body, odd);
    gateway.finish().await;
}

#[tokio::test]
async fn the_list_of_models_has_the_shape_of_its_client() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .model("best", "fake-anthropic", Some("claude-x"))
        .start()
        .await;
    let list = async |anthropic: bool| -> Value {
        let mut request = gateway.client().get(gateway.url("/v1/models"));
        if anthropic {
            request = request.header("anthropic-version", "2023-06-01");
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    };
    let openai = list(false).await;
    assert_eq!(openai["object"], "list");
    let ids = |list: &Value| -> Vec<String> {
        let models = list["data"].as_array().unwrap().iter();
        models
            .map(|model| model["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert!(ids(&openai).contains(&"best".to_owned()), "{openai}");
    let anthropic = list(true).await;
    assert_eq!(anthropic["data"][0]["type"], "model");
    assert_eq!(anthropic["has_more"], false);
    assert!(ids(&anthropic).contains(&"best".to_owned()), "{anthropic}");
    gateway.finish().await;
}

#[tokio::test]
async fn embeddings_and_token_counts_pass() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let bodies = [
        (
            "/v1/embeddings",
            r#"{ "input":["a","b"], "model":"text-embedding-3-small","encoding_format":"base64" }"#,
        ),
        (
            "/v1/messages/count_tokens",
            r#"{ "model":"claude-fake-1","messages":[{"role":"user","content":"hi"}] }"#,
        ),
    ];
    for (path, body) in bodies {
        let response = gateway.post(path, body).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let relayed = response.bytes().await.unwrap();
        let exchange = provider.exchanges().pop().unwrap();
        assert_eq!(exchange.path(), path);
        assert_eq!(exchange.body, body);
        assert_eq!(relayed, exchange.sent());
    }
    gateway.finish().await;
}
