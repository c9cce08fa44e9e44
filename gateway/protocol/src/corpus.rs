//! Requests in the shape and size that agents send, for the tests of this crate.

use crate::endpoint::Endpoint;
use crate::json::literal;

/// A file as an agent reads it: lines, quotes, tabs, and characters of every width.
fn file(lines: usize) -> String {
    use std::fmt::Write as _;

    let mut text = String::new();
    for line in 0..lines {
        writeln!(
            text,
            "{line}\tlet s = \"naïve \\n {line:04x} → 日本 🦀\"; // ok"
        )
        .unwrap();
    }
    text
}

fn schema(tool: usize) -> String {
    format!(
        r#"{{"type":"object","properties":{{"path":{{"type":"string","description":"Where {tool} looks"}},"limit":{{"type":"integer","minimum":0}},"model":{{"type":"string"}},"model2":{{"anyOf":[{{"type":"null"}},{{"type":"array","items":{{"enum":[1,2.5e3,"x"]}}}}]}}}},"required":["path"],"additionalProperties":false}}"#
    )
}

fn join(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().collect::<Vec<_>>().join(",")
}

/// A coding agent on the messages API, with breakpoints, thinking and tool results.
pub(crate) fn messages(turns: usize) -> String {
    let tools = join((0..20).map(|tool| {
        let mark = if tool == 19 {
            r#","cache_control":{"type":"ephemeral","ttl":"1h"}"#
        } else {
            ""
        };
        let description = literal(&format!("Tool {tool}.\n{}", "Usage notes. ".repeat(20)));
        format!(
            r#"{{"name":"Tool{tool}","description":{description},"input_schema":{}{mark}}}"#,
            schema(tool)
        )
    }));
    let history = join((0..turns).map(|turn| {
        let read = literal(&file(20));
        format!(
            r#"{{"role":"assistant","content":[{{"type":"thinking","thinking":"Look at {turn} \u2026","signature":"EqQBCkYIARgC+/=="}},{{"type":"text","text":"Reading."}},{{"type":"tool_use","id":"toolu_{turn}","name":"Tool1","input":{{"path":"src/{turn}.rs","model":"a","model":"b"}}}}]}},{{"role":"user","content":[{{"tool_use_id":"toolu_{turn}","type":"tool_result","content":[{{"type":"text","text":{read}}},{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}}}],"is_error":false}}]}}"#
        )
    }));
    format!(
        r#"{{"model":"claude-sonnet-5","max_tokens":32000,"stream":true,"temperature":1,
"thinking":{{"type":"enabled","budget_tokens":10000}},
"system":[{{"type":"text","text":"x-anthropic-billing-header: cc_version=3.1"}},{{"type":"text","text":"You are an agent.\nBe brief.","cache_control":{{"type":"ephemeral"}}}}],
"metadata":{{"user_id":"user_ab_account__session_0199"}},
"context_management":{{"edits":[{{"type":"clear_thinking_20260101","keep":"all"}}]}},"x_future":[1.50,-0,1E+2,{{"x_future":1,"x_future":2}}],
"tools":[{tools}],
"messages":[{{"role":"user","content":"<reminder>\ud83e\udd80 caf\u00e9</reminder>"}},{history},{{"role":"user","content":[{{"type":"text","text":"Go on.","cache_control":{{"type":"ephemeral"}}}}]}}]}}"#
    )
}

/// A coding agent on the responses API, stateless, with encrypted reasoning.
pub(crate) fn responses(turns: usize) -> String {
    let history = join((0..turns).map(|turn| {
        let output = literal(&file(20));
        format!(
            r#"{{"type":"reasoning","summary":[{{"type":"summary_text","text":"plan {turn}"}}],"encrypted_content":"gAAAA=="}},{{"type":"function_call","name":"shell","arguments":"{{\"command\":[\"cat\",\"{turn}\"]}}","call_id":"call_{turn}"}},{{"type":"function_call_output","call_id":"call_{turn}","output":{output}}},{{"type":"custom_tool_call","call_id":"c_{turn}","name":"apply_patch","input":"*** Begin Patch"}},{{"type":"custom_tool_call_output","call_id":"c_{turn}","output":[{{"type":"input_text","text":"done"}}]}}"#
        )
    }));
    let tool = schema(0);
    format!(
        r#"{{"model":"gpt-6-codex","instructions":"You are a coding agent.","input":[{{"type":"message","role":"developer","content":[{{"type":"input_text","text":"<permissions>"}}]}},{{"role":"user","content":"Fix it."}},{history}],"tools":[{{"type":"function","name":"shell","strict":false,"parameters":{tool}}},{{"type":"custom","name":"apply_patch","format":{{"type":"grammar"}}}},{{"type":"web_search"}}],"tool_choice":"auto","parallel_tool_calls":false,"reasoning":{{"effort":"medium","summary":"auto"}},"store":false,"stream":true,"include":["reasoning.encrypted_content"],"prompt_cache_key":"0199-thread","text":{{"verbosity":"low"}},"client_metadata":{{"x-codex-installation-id":"i-1"}}}}"#
    )
}

/// An agent on chat completions, with parallel tool calls and a picture.
pub(crate) fn chat(turns: usize) -> String {
    let history = join((0..turns).map(|turn| {
        let read = literal(&file(20));
        format!(
            r#"{{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{{"id":"a{turn}","type":"function","function":{{"name":"read","arguments":"{{\"path\":\"{turn}\"}}"}}}},{{"id":"b{turn}","type":"custom","custom":{{"name":"run","input":"ls"}}}}]}},{{"role":"tool","tool_call_id":"a{turn}","content":{read}}},{{"role":"tool","tool_call_id":"b{turn}","content":[{{"type":"text","text":"ok"}}]}}"#
        )
    }));
    let tool = schema(0);
    format!(
        "{{\r\n\t\"messages\" : [{{\"role\":\"system\",\"content\":\"Be brief.\"}},{{\"role\":\"user\",\"content\":[{{\"type\":\"text\",\"text\":\"What is this?\"}},{{\"type\":\"image_url\",\"image_url\":{{\"url\":\"data:image/png;base64,iVBORw0KGgo=\"}}}}]}},{history}],\r\n\t\"mod\\u0065l\" : \"gpt-6\", \"stream\":true, \"stream_options\":{{\"include_usage\":true}}, \"max_completion_tokens\":4096, \"tools\":[{{\"type\":\"function\",\"function\":{{\"name\":\"read\",\"parameters\":{tool}}}}}], \"seed\":-1, \"stop\":[\"END\"], \"user\":\"u\", \"logit_bias\":{{\"50256\":-100}} }}"
    )
}

/// One request of agent size for each protocol that generates.
pub(crate) fn agents() -> [(Endpoint, String); 3] {
    [
        (Endpoint::Messages, messages(60)),
        (Endpoint::Responses, responses(70)),
        (Endpoint::ChatCompletions, chat(75)),
    ]
}
