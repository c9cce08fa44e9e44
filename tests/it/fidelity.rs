//! What we do not edit leaves as it came, in both directions.

use skinflint_tests::{FakeProvider, Gateway, Script};

use crate::{api::Api, told::header};

/// Odd but valid JSON members that no view reads.
const ODDITIES: &str = concat!(
    r#""x_numbers" : [1e5, -0.0, 1.50, 1E+2, 0.1e-7, 123456789012345678901234567890, 9007199254740993],"#,
    "\n\t",
    r#""x_text":"caf\u00e9 \ud83e\udd8a \/ \\ \" \u0000 ünïcödé 🦊","#,
    "  \r\n",
    r#""zebra":1 , "Apple" : {"b":[],"a":{ } , "":null},"x_twice":1,"x_twice":{"y":2},"#,
);

/// A signature as long as real ones.
fn signature() -> String {
    "Ep4CClsIDBACGAIqQL/7+9x==".repeat(80)
}

/// A hundred kilobytes of tool output with what such output holds.
fn tool_output() -> String {
    r#"src/main.rs:12:\tlet path = \"C:\\\\temp\";\u001b[0m\n{\"json\":[1,2,{\"a\":null}]}\n日本語 — ok\n"#.repeat(1200)
}

fn tools(parameters: &str) -> String {
    (0..20)
        .map(|n| {
            format!(
                r#"{{ "name":"tool_{n}", "description" : "Reads a \"file\"\n", "{parameters}":{{"type":"object","properties":{{"path":{{"type":"string"}},"limit":{{"type":"integer","minimum":0.0}}}},"required":["path"] }} }}"#
            )
        })
        .collect::<Vec<_>>()
        .join(" ,\n  ")
}

/// A turn of a coding agent, as different from what a serializer would write as JSON allows.
fn agent_request(api: Api, stream: bool) -> String {
    let (output, signature) = (tool_output(), signature());
    let conversation = match api {
        Api::Messages => format!(
            r#""system":[{{"type":"text","text":"You are an agent."}},{{"type":"text","text":"Rules","cache_control":{{"type":"ephemeral","ttl":"1h"}}}}],
            "tools":[{}],
            "thinking" : {{"type":"enabled","budget_tokens":2048}},
            "messages":[{{"role":"user","content":[{{"type":"text","text":"go","cache_control":{{"type":"ephemeral"}}}}]}},
              {{"content":[{{"type":"thinking","thinking":"hm\u2026","signature":"{signature}"}},{{"type":"redacted_thinking","data":"{signature}"}},
                {{"id":"toolu_1","type":"tool_use","name":"tool_1","input":{{"path":"a","n":1.0}}}}],"role":"assistant"}},
              {{"role":"user","content":[{{"type":"tool_result","tool_use_id":"toolu_1","content":[{{"type":"text","text":"{output}"}}],"cache_control":{{"type":"ephemeral"}}}}]}}],
            "max_tokens":4096,"metadata":{{"user_id":"user_1_account__session_abc"}},"#,
            tools("input_schema"),
        ),
        Api::Chat => format!(
            r#""tools":[{{"type":"function","function":{}}}],
            "messages":[{{"role":"system","content":"You are an agent."}},{{"content":[{{"type":"text","text":"go"}}],"role":"user"}},
              {{"role":"assistant","content":null,"reasoning_content":"{signature}","tool_calls":[{{"id":"call_1","type":"function","function":{{"arguments":"{{\"path\": \"a\"}}","name":"tool_1"}}}}]}},
              {{"role":"tool","tool_call_id":"call_1","content":"{output}"}}],
            "max_completion_tokens":4096,"#,
            tools("parameters").replace(" ,\n  ", r#"}, {"type":"function","function":"#),
        ),
        Api::Responses => format!(
            r#""tools":[{}],"instructions":"You are an agent.","store":false,"include":["reasoning.encrypted_content"],
            "input":[{{"type":"message","role":"user","content":[{{"type":"input_text","text":"go"}}]}},
              {{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"{signature}"}},
              {{"type":"function_call","call_id":"call_1","name":"tool_1","arguments":"{{\"path\": \"a\"}}"}},
              {{"type":"function_call_output","call_id":"call_1","output":"{output}"}}],
            "max_output_tokens":4096,"#,
            tools("parameters").replace(r#"{ "name""#, r#"{ "type":"function","name""#),
        ),
    };
    let model = api.model();
    format!(
        "\n {{ {ODDITIES}{conversation}\n\"stream\" : {stream},\t\"model\": \"{model}\" }} \r\n\n"
    )
}

/// Stream parts cut at odd places, with everything that the SSE grammar allows and no serializer writes.
fn odd_stream(api: Api) -> Vec<Vec<u8>> {
    let events = match api {
        Api::Messages => concat!(
            "event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-fake-1\",\"content\":[],\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\r\n\r\n",
            "event:content_block_start\ndata:{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
            "event: ping\ndata: {\"type\": \"ping\"}\n\n",
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\ndata: \"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"caf\u{e9} \u{1f98a} \\u00e9\"}}\n\n",
            "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":4}}\n\n",
            "event: message_stop\ndata: {\"type\":\"message_stop\"   }\n\n",
        ),
        Api::Chat => concat!(
            "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"caf\u{e9} \u{1f98a}\"}}]}\r\n\r\n",
            "data:{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\ndata:\"content\":\" \\u00e9\"}}]}\n\n",
            "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"x_new\":1.0e0}\n\n",
            "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"total_tokens\":7}}\n\n",
            "data: [DONE]\n\n",
        ),
        Api::Responses => concat!(
            "event: response.created\r\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\",\"status\":\"in_progress\"}}\r\n\r\n",
            "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\ndata: \"sequence_number\":1,\"delta\":\"caf\u{e9} \u{1f98a}\"}\n\n",
            "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":2,\"response\":{\"id\":\"r\",\"status\":\"completed\",\"model\":\"gpt-fake-1\",\"output\":[],\"usage\":{\"input_tokens\":3,\"output_tokens\":4,\"total_tokens\":7}}}\n\n",
        ),
    };
    let stream = format!(
        ": a comment\n\nid: 7\nretry: 100\nevent: from-the-future\ndata: {{\"type\":\"from-the-future\"}}\n\n{events}"
    );
    // Seven is coprime to everything of interest here: characters, line ends and events are all cut somewhere.
    stream.as_bytes().chunks(7).map(Into::into).collect()
}

#[tokio::test]
async fn the_upstream_gets_the_clients_bytes() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider).plain().start().await;
    for (api, stream) in Api::ALL
        .into_iter()
        .flat_map(|api| [(api, false), (api, true)])
    {
        let body = agent_request(api, stream);
        assert!(body.len() > 100_000, "{api:?}: {}", body.len());
        let response = gateway
            .post(&format!("{}?beta=true&x=%20", api.path()), body.clone())
            .header("anthropic-version", "2023-06-01")
            .header(
                "anthropic-beta",
                "prompt-caching-2024-07-31, context-1m-2025-08-07",
            )
            .header("anthropic-from-the-future", "  kept ,as it is")
            .header("user-agent", "agent/1.2")
            .header("x-stainless-lang", "rust")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "{api:?}");
        response.bytes().await.unwrap();
        let sent = provider.exchanges().pop().unwrap();
        assert!(sent.body == body, "{api:?}: the body was changed");
        assert_eq!(sent.target, format!("{}?beta=true&x=%20", api.path()));
        assert_eq!(sent.header("anthropic-version"), "2023-06-01");
        assert_eq!(
            sent.header("anthropic-beta"),
            "prompt-caching-2024-07-31, context-1m-2025-08-07"
        );
        assert_eq!(sent.header("anthropic-from-the-future"), "kept ,as it is");
        assert_eq!(sent.header("user-agent"), "agent/1.2");
        assert_eq!(sent.header("x-stainless-lang"), "rust");
        assert_eq!(sent.header("content-type"), "application/json");
        let ours = sent
            .headers
            .keys()
            .find(|name| name.as_str().starts_with("x-skinflint"));
        assert_eq!(ours, None, "{api:?}");
    }
    gateway.finish().await;
}

#[tokio::test]
async fn the_client_gets_the_upstreams_stream() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider).plain().start().await;
    for api in Api::ALL {
        let parts = odd_stream(api);
        let stream = parts.concat();
        provider.script(
            Script::sse(parts)
                .header("request-id", "req_upstream")
                .header("anthropic-ratelimit-unified-status", "allowed")
                .header("x-ratelimit-remaining-tokens", "12"),
        );
        let response = gateway
            .post(api.path(), api.text(true))
            .send()
            .await
            .unwrap();
        assert_eq!(
            header(&response, "content-type"),
            "text/event-stream; charset=utf-8"
        );
        assert_eq!(header(&response, "request-id"), "req_upstream");
        assert_eq!(
            header(&response, "anthropic-ratelimit-unified-status"),
            "allowed"
        );
        assert_eq!(header(&response, "x-ratelimit-remaining-tokens"), "12");
        let relayed = response.bytes().await.unwrap();
        assert_eq!(
            relayed.escape_ascii().to_string(),
            stream.escape_ascii().to_string(),
            "{api:?}"
        );
    }
    gateway.finish().await;
}

#[tokio::test]
async fn the_client_gets_the_upstreams_body() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let bodies = [
        (
            Api::Chat,
            " {\"usage\" : {\"prompt_tokens\":3,\"completion_tokens\":1.0e0},\n\"id\":\"c\", \"choices\":[{\"message\":{\"content\":\"\\u00e9\"},\"finish_reason\":\"stop\"}]}\n",
        ),
        (
            Api::Responses,
            "\t{\"x\":1E+2,\"id\":\"r\",\"object\":\"response\",\"status\":\"completed\",\"output\":[],\"usage\":null }",
        ),
        (
            Api::Messages,
            "{\"type\":\"message\",\"id\":\"m\",\"role\":\"assistant\",\"content\":[{\"type\":\"from-the-future\"}],\"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}\r\n",
        ),
    ];
    for (api, body) in bodies {
        provider.script(Script {
            body: Some(skinflint_tests::Payload::Text(body.into())),
            ..Script::default()
        });
        let response = gateway
            .post(api.path(), api.text(false))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "{api:?}");
        assert_eq!(response.text().await.unwrap(), body, "{api:?}");
    }
    gateway.finish().await;
}

#[tokio::test]
async fn a_rename_changes_the_models_bytes_and_no_others() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .model("best", "fake-anthropic", Some("claude-\"real\"-é"))
        .start()
        .await;
    let body = agent_request(Api::Messages, true);
    let asked = body.replace(r#""claude-fake-1""#, r#""be\u0073t""#);
    assert_ne!(asked, body);
    let response = gateway.post("/v1/messages", asked).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.bytes().await.unwrap();
    let sent = provider.only_exchange();
    let expected = body.replace(r#""claude-fake-1""#, r#""claude-\"real\"-é""#);
    assert!(
        sent.body == expected,
        "more than the model's bytes was changed"
    );
    gateway.finish().await;
}
