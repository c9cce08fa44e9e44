//! The model in the process, as far as a gateway without its weights goes. What it says is tested with the SDKs.

use std::path::PathBuf;

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

/// The folder of models of whoever runs the tests, with what it has of these; `None`, and a word, if one is not there.
fn pulled(files: &[&str]) -> Option<PathBuf> {
    let variable = |name| Some(PathBuf::from(std::env::var_os(name)?));
    let data = variable("XDG_DATA_HOME").or_else(|| Some(variable("HOME")?.join(".local/share")));
    let named = variable("SKINFLINT_TEST_MODELS");
    let folder = named.or_else(|| Some(data?.join("skinflint/models")))?;
    let missing = files.iter().find(|file| !folder.join(file).is_file());
    if let Some(missing) = missing {
        println!("skipped: {} is not there", folder.join(missing).display());
        return None;
    }
    Some(folder)
}

const GEMMA: &str = "gemma-3-270m-q4_k_m.gguf";
const MINILM: &str = "all-minilm-l6-v2/model.safetensors";

async fn json(request: reqwest::RequestBuilder) -> (u16, serde_json::Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap())
}

/// The names that `GET /v1/models` lists.
async fn listed(gateway: &Gateway) -> Vec<String> {
    let (status, models) = json(gateway.client().get(gateway.url("/v1/models"))).await;
    assert_eq!(status, 200);
    let data = models["data"].as_array().unwrap();
    let id = |model: &serde_json::Value| model["id"].as_str().unwrap().to_owned();
    data.iter().map(id).collect()
}

#[tokio::test]
async fn each_local_model_has_its_name_and_its_own_fate() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .field("local", "enabled", "true")
        .field("local", "memory", "\"500MiB\"")
        .field("local", "embedder", "\"./encoder\"")
        .append("[[local.models]]\nmodel = \"./broken.gguf\"\nname = \"other\"\n")
        .append("[[local.models]]\nmodel = \"./sparse.gguf\"\nname = \"large\"\n")
        .append("[[model]]\nname = \"alias\"\nupstream = \"local\"\nrename = \"large\"\n")
        .file("broken.gguf", "GGUF")
        .file("sparse.gguf", "GGUF")
        .arguments(&["--models", "no-such-folder"])
        .start()
        .await;
    // As large as it looks, and nobody reads it.
    let sparse = std::fs::File::options()
        .write(true)
        .open(gateway.path("sparse.gguf"))
        .unwrap();
    sparse.set_len(1 << 30).unwrap();
    let names = listed(&gateway).await;
    for name in ["gemma-3-270m", "other", "large", "alias", "encoder"] {
        assert!(names.iter().any(|listed| listed == name), "{names:?}");
    }
    assert!(!names.iter().any(|name| name == "all-minilm-l6-v2"));
    let ask = async |model: &str| {
        let mut body = Api::Chat.body(false);
        body["model"] = model.into();
        let request = gateway.post(Api::Chat.path(), body.to_string());
        told(request.send().await.unwrap()).await
    };
    assert_snapshot!(ask("other").await, @r#"503 {"error":{"message":"The local model is not loaded; `skinflint models pull` fetches its weights.","type":"server_error","param":null,"code":"local_model_unavailable"}}"#);
    assert_snapshot!(ask("large").await, @r#"503 {"error":{"message":"The local model `large` needs 1408 MiB, and `local.memory` leaves no room for it in 500 MiB.","type":"server_error","param":null,"code":"local_model_unavailable"}}"#);
    assert_snapshot!(ask("alias").await, @r#"503 {"error":{"message":"The local model `large` needs 1408 MiB, and `local.memory` leaves no room for it in 500 MiB.","type":"server_error","param":null,"code":"local_model_unavailable"}}"#);
    assert_snapshot!(ask("encoder").await, @r#"400 {"error":{"message":"The local model does not serve `/v1/chat/completions`.","type":"invalid_request_error","param":"model","code":"wrong_endpoint"}}"#);
    let embed = r#"{"model":"encoder","input":"a"}"#;
    let refused = gateway.post("/v1/embeddings", embed).send().await;
    assert_snapshot!(told(refused.unwrap()).await, @r#"503 {"error":{"message":"The local model is not loaded; `skinflint models pull` fetches its weights.","type":"server_error","param":null,"code":"local_model_unavailable"}}"#);
    assert_eq!(gateway.metric("skinflint_local_loaded").await, Some(0.0));
    gateway.finish().await;
}

#[tokio::test]
async fn embeddings_are_made_here_if_the_encoder_is() {
    let Some(models) = pulled(&[MINILM]) else {
        return;
    };
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .field("local", "enabled", "true")
        .field("local", "model", "\"./none.gguf\"")
        .field("local", "idle", "\"200ms\"")
        .append("[[model]]\nname = \"text-embedding-3-small\"\nupstream = \"local\"\nrename = \"all-minilm-l6-v2\"\n")
        .arguments(&["--models", models.to_str().unwrap()])
        .start()
        .await;
    let embed = async |model: &str| {
        let body = json!({ "model": model, "input": ["A cat sits.", "A kitten is sitting.", "Taxes rose."] });
        let (status, body) = json(gateway.post("/v1/embeddings", body.to_string())).await;
        assert_eq!(status, 200, "{body}");
        body
    };
    let answer = embed("text-embedding-3-small").await;
    assert_eq!(answer["model"], "all-minilm-l6-v2");
    assert!(answer["usage"]["prompt_tokens"].as_u64().unwrap() > 6);
    let vector = |at: usize| -> Vec<f64> {
        let values = answer["data"][at]["embedding"].as_array().unwrap();
        values.iter().map(|value| value.as_f64().unwrap()).collect()
    };
    let alike = |a: usize, b: usize| -> f64 {
        let (a, b) = (vector(a), vector(b));
        assert_eq!(a.len(), 384);
        a.iter().zip(&b).map(|(a, b)| a * b).sum()
    };
    assert!((alike(0, 0) - 1.0).abs() < 1e-4);
    assert!(alike(0, 1) > 0.5 && alike(0, 1) > alike(0, 2) + 0.2);
    assert!(
        listed(&gateway)
            .await
            .contains(&"all-minilm-l6-v2".to_owned())
    );
    // It goes when nobody uses it, and comes back for the next call.
    gateway.wait_metric("skinflint_local_loaded", 0.0).await;
    assert_eq!(embed("all-minilm-l6-v2").await["data"], answer["data"]);
    gateway.finish().await;
}

#[tokio::test]
async fn a_model_is_served_without_a_configuration() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .command(&["model", "serve", "./none.gguf"])
        .arguments(&["--listen", "127.0.0.1:0", "--models", "no-such-folder"])
        .start()
        .await;
    assert_eq!(listed(&gateway).await, ["none"]);
    let mut body = Api::Chat.body(false);
    body["model"] = "none".into();
    let refused = gateway.post(Api::Chat.path(), body.to_string()).send();
    let refused = told(refused.await.unwrap()).await;
    assert!(refused.starts_with("503 "), "{refused}");
    let health = gateway.client().get(gateway.url("/health")).send().await;
    assert_eq!(health.unwrap().status(), 503);
    let unknown = gateway.post(Api::Chat.path(), Api::Chat.text(false));
    assert_eq!(unknown.send().await.unwrap().status(), 404);
    assert!(!gateway.ledger().exists());
    gateway.finish().await;
}

#[tokio::test]
async fn a_served_model_answers_once_it_is_healthy() {
    let Some(models) = pulled(&[GEMMA]) else {
        return;
    };
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .command(&["model", "serve", "--embedder", "off"])
        .arguments(&["--listen", "127.0.0.1:0", "--threads", "1"])
        .arguments(&["--models", models.to_str().unwrap()])
        .start()
        .await;
    gateway.wait_metric("skinflint_local_loaded", 1.0).await;
    let health = gateway.client().get(gateway.url("/health")).send().await;
    assert_eq!(health.unwrap().status(), 200);
    // The token of the warm-up.
    let generated = "skinflint_local_generated_tokens_total";
    assert_eq!(gateway.metric(generated).await, Some(1.0));
    let body = json!({ "model": "gemma-3-270m", "max_tokens": 2, "messages": [{ "role": "user", "content": "Hi" }] });
    let (status, answer) = json(gateway.post("/v1/chat/completions", body.to_string())).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["model"], "gemma-3-270m");
    let used = answer["usage"]["completion_tokens"].as_u64().unwrap();
    gateway
        .wait_metric(generated, 1.0 + u32::try_from(used).map(f64::from).unwrap())
        .await;
    assert_eq!(listed(&gateway).await, ["gemma-3-270m"]);
    gateway.finish().await;
}
