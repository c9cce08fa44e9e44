//! The model in the process, as far as a gateway without its weights goes. What it says is tested with the SDKs.

use insta::assert_snapshot;
use serde_json::json;
use skinflint_tests::{FakeProvider, Gateway};

use crate::{
    api::Api,
    told::{header, told},
};

/// A call for the local model.
fn ask(gateway: &Gateway, api: Api) -> reqwest::RequestBuilder {
    let mut body = api.body(true);
    body["model"] = "gemma-3-270m".into();
    gateway.post(api.path(), body.to_string())
}

#[tokio::test]
async fn weights_that_are_not_there_are_told_and_stop_nobody_else() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .field("local", "enabled", "true")
        .arguments(&["--models", "no-such-folder"])
        .start()
        .await;
    let response = ask(&gateway, Api::Chat).send().await.unwrap();
    assert_ne!(header(&response, "retry-after"), "");
    assert_snapshot!(told(response).await, @r#"503 {"error":{"message":"The local model is not loaded; `skinflint models pull` fetches its weights.","type":"server_error","param":null,"code":"local_model_unavailable"}}"#);
    assert_snapshot!(told(ask(&gateway, Api::Messages).send().await.unwrap()).await, @r#"503 {"type":"error","error":{"type":"overloaded_error","message":"The local model is not loaded; `skinflint models pull` fetches its weights."},"request_id":"[id]"}"#);
    let other = gateway.post("/v1/messages", Api::Messages.text(false));
    assert_eq!(other.send().await.unwrap().status(), 200);
    assert_eq!(provider.exchanges().len(), 1);
    gateway.finish().await;
}

#[tokio::test]
async fn what_it_cannot_do_is_told_by_place_even_without_weights() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .field("local", "enabled", "true")
        .arguments(&["--models", "no-such-folder"])
        .start()
        .await;
    let mut answers = Vec::new();
    for (api, member, value) in [
        (Api::Chat, "n", json!(2)),
        (Api::Chat, "top_logprobs", json!(3)),
        (Api::Chat, "tool_choice", json!("required")),
        (
            Api::Chat,
            "response_format",
            json!({ "type": "json_schema", "json_schema": { "name": "n" } }),
        ),
        (
            Api::Responses,
            "tools",
            json!([{ "type": "function", "name": "f", "parameters": 7 }]),
        ),
        (
            Api::Responses,
            "tool_choice",
            json!({ "type": "web_search" }),
        ),
        (
            Api::Messages,
            "tool_choice",
            json!({ "type": "tool", "name": "f" }),
        ),
        (
            Api::Messages,
            "output_config",
            json!({ "format": { "type": "json_schema" } }),
        ),
    ] {
        let mut body = api.body(false);
        body["model"] = "gemma-3-270m".into();
        body[member] = value;
        let response = gateway.post(api.path(), body.to_string()).send().await;
        let told = told(response.unwrap()).await;
        let (status, told) = told.split_once(' ').unwrap();
        let told: serde_json::Value = serde_json::from_str(told).unwrap();
        let (message, param) = (&told["error"]["message"], &told["error"]["param"]);
        answers.push(format!("{status} {message} {param}"));
    }
    assert_snapshot!(answers.join("\n"), @r#"
    400 "n: more than one answer is not supported by a text model." "n"
    400 "logprobs: missing, expected true beside top_logprobs." "logprobs"
    400 "tool_choice: a forced call with no function on offer is not supported by a text model." "tool_choice"
    400 "response_format.json_schema.schema: missing, expected a JSON schema." "response_format.json_schema.schema"
    400 "tools[0].parameters: expected a JSON schema, which is an object, found a number at byte 74." "tools[0].parameters"
    400 "tool_choice: a forced call of a tool that is no function is not supported by a text model." "tool_choice"
    400 "tool_choice: a forced call of a function that is not on offer is not supported by a text model." null
    400 "output_config.format.schema: missing, expected a JSON schema." null
    "#);
    let embedding = r#"{"model":"gemma-3-270m","input":"a"}"#;
    let refused = gateway.post("/v1/embeddings", embedding).send().await;
    assert_snapshot!(told(refused.unwrap()).await, @r#"400 {"error":{"message":"The local model does not serve `/v1/embeddings`.","type":"invalid_request_error","param":"model","code":"wrong_endpoint"}}"#);
    assert_eq!(provider.exchanges().len(), 0);
    gateway.finish().await;
}

#[tokio::test]
async fn a_file_that_is_no_model_is_told_and_stops_nobody_else() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .field("local", "enabled", "true")
        .field("local", "model", "\"broken.gguf\"")
        .field("local", "name", "\"gemma-3-270m\"")
        .file("broken.gguf", "GGUF\u{3}\0\0\0 and then nothing")
        .start()
        .await;
    let told = told(ask(&gateway, Api::Responses).send().await.unwrap()).await;
    assert!(told.starts_with("503 "), "{told}");
    assert!(told.contains("local_model_unavailable"), "{told}");
    let other = gateway.post("/v1/messages", Api::Messages.text(false));
    assert_eq!(other.send().await.unwrap().status(), 200);
    gateway.finish().await;
}

#[tokio::test]
async fn a_local_model_that_is_switched_off_is_unknown() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    assert_snapshot!(told(ask(&gateway, Api::Chat).send().await.unwrap()).await, @r#"404 {"error":{"message":"The model `gemma-3-270m` is not in the gateway's table; `GET /v1/models` lists what is.","type":"not_found_error","param":"model","code":"model_not_found"}}"#);
    gateway.finish().await;
}
