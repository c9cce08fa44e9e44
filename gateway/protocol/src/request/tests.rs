mod smuggling;
mod terms;

use std::fmt::Write as _;

use bytes::Bytes;
use proptest::prelude::*;

use super::BlockKind::{Text, Tokens};
use super::*;
use crate::corpus;
use crate::edit::EditList;
use crate::json::literal;

fn parse(endpoint: Endpoint, body: &str) -> Result<RequestView, ViewError> {
    RequestView::parse(endpoint, body.as_bytes(), JsonLimits::default())
}

fn chat(body: &str) -> RequestView {
    parse(Endpoint::ChatCompletions, body).unwrap()
}

/// The faults of bodies, one a line.
fn faults(endpoint: Endpoint, bodies: &[&str]) -> String {
    let mut lines = String::new();
    for body in bodies {
        let error = parse(endpoint, body).expect_err(body);
        writeln!(lines, "{error}").unwrap();
    }
    lines
}

/// Blocks as one reads them, long texts cut.
fn summary(view: &RequestView, body: &str) -> String {
    let mut lines = String::new();
    for block in &view.blocks {
        let text = block.text.clone().map(|text| {
            let text: String = serde_json::from_str(&body[text]).unwrap();
            text.chars().take(24).collect::<String>()
        });
        let mark = if block.cache_control { " *" } else { "" };
        let (place, role, kind) = (block.place(), block.role, block.kind);
        writeln!(lines, "{place} {role:?} {kind:?} {text:?}{mark}").unwrap();
    }
    lines
}

#[test]
fn an_agent_on_messages() {
    let body = corpus::messages(1);
    let view = parse(Endpoint::Messages, &body).unwrap();
    insta::assert_snapshot!(summary(&view, &body), @r#"
    system[0] System Text Some("x-anthropic-billing-head")
    system[1] System Text Some("You are an agent.\nBe bri") *
    messages[0] User Text Some("<reminder>🦀 café</remind")
    messages[1].content[0] Assistant Thinking Some("Look at 0 …")
    messages[1].content[1] Assistant Text Some("Reading.")
    messages[1].content[2] Assistant ToolUse None
    messages[2].content[0] Tool ToolResult Some("0\tlet s = \"naïve \\n 0000")
    messages[2].content[0] Tool Image None
    messages[3].content[0] User Text Some("Go on.") *
    "#);
    assert_eq!(view.model.value, "claude-sonnet-5");
    assert_eq!(&body[view.model.span], r#""claude-sonnet-5""#);
    let limit = view.max_output_tokens.unwrap();
    assert_eq!((limit.value, &body[limit.span]), (32_000, "32000"));
    assert!(view.stream);
    assert_eq!(view.thinking_budget, Some(10_000));
    assert_eq!(view.sampling.temperature, Some(1.0));
    assert_eq!(
        view.metadata,
        [(
            "user_id".to_owned(),
            "user_ab_account__session_0199".to_owned()
        )]
    );
    assert_eq!(view.tools.len(), 20);
    let last = view.tools.last().unwrap();
    assert_eq!((last.name.as_str(), last.cache_control), ("Tool19", true));
    assert!(body[last.span.clone()].starts_with(r#"{"name":"Tool19""#));
}

#[test]
fn an_agent_on_responses() {
    let body = corpus::responses(1);
    let view = parse(Endpoint::Responses, &body).unwrap();
    insta::assert_snapshot!(summary(&view, &body), @r#"
    instructions System Text Some("You are a coding agent.")
    input[0].content[0] System Text Some("<permissions>")
    input[1] User Text Some("Fix it.")
    input[2] Assistant Thinking None
    input[3] Assistant ToolUse Some("{\"command\":[\"cat\",\"0\"]}")
    input[4] Tool ToolResult Some("0\tlet s = \"naïve \\n 0000")
    input[5] Assistant ToolUse Some("*** Begin Patch")
    input[6].content[0] Tool ToolResult Some("done")
    "#);
    let tools: Vec<_> = view.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(tools, ["shell", "apply_patch", "web_search"]);
    assert_eq!(view.prompt_cache_key.as_deref(), Some("0199-thread"));
    assert_eq!(view.store, Some(false));
    assert_eq!(view.client_metadata[0].1, "i-1");
    assert_eq!(view.response_format, ResponseFormat::Text);
}

#[test]
fn an_agent_on_chat_completions() {
    let body = corpus::chat(1);
    let view = parse(Endpoint::ChatCompletions, &body).unwrap();
    insta::assert_snapshot!(summary(&view, &body), @r#"
    messages[0] System Text Some("Be brief.")
    messages[1].content[0] User Text Some("What is this?")
    messages[1].content[1] User Image None
    messages[2] Assistant Thinking Some("hm")
    messages[2] Assistant ToolUse Some("{\"path\":\"0\"}")
    messages[2] Assistant ToolUse Some("ls")
    messages[3] Tool ToolResult Some("0\tlet s = \"naïve \\n 0000")
    messages[4].content[0] Tool ToolResult Some("ok")
    "#);
    assert_eq!(view.model.value, "gpt-6");
    assert!(view.stream && view.include_usage);
    assert_eq!(
        &body[view.stream_options.unwrap()],
        r#"{"include_usage":true}"#
    );
    assert_eq!(view.max_output_tokens.unwrap().value, 4096);
    assert_eq!(view.tools[0].name, "read");
    assert_eq!(view.sampling.seed, Some(-1));
    assert_eq!(view.sampling.stop, ["END"]);
    assert_eq!(view.user.as_deref(), Some("u"));
}

#[test]
fn spans_hold_whole_values_and_blocks_do_not_overlap() {
    for (endpoint, body) in corpus::agents() {
        assert!(body.len() > 100_000, "{endpoint} has {}", body.len());
        let view = parse(endpoint, &body).unwrap();
        let mut end = 0;
        for block in &view.blocks {
            assert!(block.span.start >= end, "{}", block.place());
            end = block.span.end;
            let value: serde_json::Value = serde_json::from_str(&body[block.span.clone()]).unwrap();
            let Some(text) = block.text.clone() else {
                continue;
            };
            assert!(text.start >= block.span.start && text.end <= block.span.end);
            let text: String = serde_json::from_str(&body[text]).unwrap();
            // What the span names is what a reader of the whole block sees.
            assert!(contains(&value, &text), "{}", block.place());
        }
    }
}

fn contains(value: &serde_json::Value, text: &str) -> bool {
    match value {
        serde_json::Value::String(string) => string == text,
        serde_json::Value::Array(values) => values.iter().any(|value| contains(value, text)),
        serde_json::Value::Object(members) => members.values().any(|value| contains(value, text)),
        _ => false,
    }
}

#[test]
fn an_edit_changes_nothing_else_of_an_agents_request() {
    for (endpoint, body) in corpus::agents() {
        let view = parse(endpoint, &body).unwrap();
        let mut edits = EditList::new();
        edits.replace_with_text(view.model.span.clone(), "other \"model\"");
        edits
            .insert_member(body.as_bytes(), &view.body, "added", "[1]")
            .unwrap();
        let edited = edits.apply(&Bytes::from(body.clone())).unwrap();
        let edited = std::str::from_utf8(&edited).unwrap();

        let again = parse(endpoint, edited).unwrap();
        assert_eq!(again.model.value, "other \"model\"");
        let spelled = &body[view.model.span.clone()];
        let restored = edited
            .replacen(&literal("other \"model\""), spelled, 1)
            .replacen(r#","added":[1]"#, "", 1);
        assert!(restored == body, "{endpoint}");
    }
}

#[test]
fn a_key_that_is_read_may_stand_once() {
    let messages = r#""messages":[{"role":"user","content":"a"}]"#;
    insta::assert_snapshot!(faults(Endpoint::ChatCompletions, &[
        &format!(r#"{{"model":"a",{messages},"model":"b"}}"#),
        &format!(r#"{{"model":"a",{messages},"mod\u0065l":"a"}}"#),
        &format!(r#"{{"model":null,{messages},"model":"b"}}"#),
        &format!(r#"{{"model":"a",{messages},"max_tokens":1,"max_tokens":9}}"#),
        &format!(r#"{{"model":"a",{messages},"stream_options":{{"include_usage":true,"include_usage":false}}}}"#),
        &format!(r#"{{"model":"a",{messages},"metadata":{{"task":"1","task":"2"}}}}"#),
        r#"{"model":"a","messages":[{"role":"user","role":"system","content":"a"}]}"#,
        r#"{"model":"a","messages":[{"role":"user","content":[{"type":"text","text":"a","text":"b"}]}]}"#,
        r#"{"model":"a","messages":[{"role":"assistant","tool_calls":[{"function":{"arguments":"1","arguments":"2"}}]}]}"#,
        &format!(r#"{{"model":"a",{messages},"tools":[{{"type":"function","function":{{"name":"a","name":"b"}}}}]}}"#),
    ]), @r#"
    model: duplicate key at byte 64
    model: duplicate key at byte 69
    model: duplicate key at byte 65
    max_tokens: duplicate key at byte 84
    stream_options.include_usage: duplicate key at byte 111
    metadata.task: duplicate key at byte 86
    messages[0].role: duplicate key at byte 47
    messages[0].content[0].text: duplicate key at byte 84
    messages[0].tool_calls[0].function.arguments: duplicate key at byte 100
    tools[0].function.name: duplicate key at byte 114
    "#);
    insta::assert_snapshot!(faults(Endpoint::Messages, &[
        &format!(r#"{{"model":"a",{messages},"thinking":{{"budget_tokens":1,"budget_tokens":2}}}}"#),
        &format!(r#"{{"model":"a",{messages},"system":[{{"type":"text","text":"a","type":"image"}}]}}"#),
        r#"{"model":"a","messages":[{"role":"user","content":[{"type":"tool_result","content":"a","content":"b"}]}]}"#,
    ]), @r#"
    thinking.budget_tokens: duplicate key at byte 102
    system[0].type: duplicate key at byte 99
    messages[0].content[0].content: duplicate key at byte 97
    "#);
    insta::assert_snapshot!(faults(Endpoint::Responses, &[
        r#"{"model":"a","input":"a","input":[]}"#,
        r#"{"model":"a","input":[{"type":"function_call_output","output":"a","output":"b"}]}"#,
        r#"{"model":"a","input":[{"type":"function_call_output","output":[{"type":"input_text","text":"a","text":"b"}]}]}"#,
        r#"{"model":"a","input":"a","conversation":{"id":"a","id":"b"}}"#,
    ]), @r#"
    input: duplicate key at byte 33
    input[0].output: duplicate key at byte 75
    input[0].output[0].text: duplicate key at byte 102
    conversation.id: duplicate key at byte 55
    "#);
}

#[test]
fn a_key_that_is_not_read_may_stand_twice() {
    for body in [
        r#"{"model":"a","messages":[{"role":"user","content":"a","x":1,"x":2}],"x":1,"x":2}"#,
        r#"{"model":"a","messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"model":1,"model":2}}}]}"#,
        r#"{"model":"a","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"a","url":"b"}}]}]}"#,
    ] {
        chat(body);
    }
}

#[test]
fn wrong_chat_requests_say_where_and_what() {
    insta::assert_snapshot!(faults(Endpoint::ChatCompletions, &[
        "[]",
        "{}",
        r#"{"model":"a"}"#,
        r#"{"model":7}"#,
        r#"{"model":""}"#,
        r#"{"model":"a","messages":[]}"#,
        r#"{"model":"a","messages":"hi"}"#,
        r#"{"model":"a","messages":["hi"]}"#,
        r#"{"model":"a","messages":[{"content":"hi"}]}"#,
        r#"{"model":"a","messages":[{"role":1,"content":"hi"}]}"#,
        r#"{"model":"a","messages":[{"role":"user","content":{}}]}"#,
        r#"{"model":"a","messages":[{"role":"user","content":"a"},{"role":"user","content":[{"text":"a"}]}]}"#,
        r#"{"model":"a","messages":[{"role":"user","content":[{"type":"text"}]}]}"#,
        r#"{"model":"a","messages":[{"role":"user","content":[{"type":"text","text":["a"]}]}]}"#,
        r#"{"model":"a","messages":[{"role":"user","content":"a"}],"stream":"true"}"#,
        r#"{"model":"a","messages":[{"role":"user","content":"a"}],"max_tokens":-1}"#,
        r#"{"model":"a","messages":[{"role":"user","content":"a"}],"max_tokens":"9"}"#,
        r#"{"model":"a","messages":[{"role":"user","content":"a"}],"max_tokens":1,"max_completion_tokens":1}"#,
        r#"{"model":"a","messages":[{"role":"user","content":"a"}],"n":1.5}"#,
        r#"{"model":"a","messages":[{"role":"user","content":"a"}],"temperature":"hot"}"#,
        r#"{"model":"a","messages":[{"role":"user","content":"a"}],"stop":[1]}"#,
        r#"{"model":"a","messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{}}]}"#,
        r#"{"model":"a","messages":[{"role":"user","content":"a"}],"tool_choice":1}"#,
        r#"{"model":"a","messages":[{"role":"user","content":"a"}],"response_format":"json"}"#,
        r#"{"model":"a","messages":[{"role":"user","content":"a"}],"metadata":[]}"#,
        r#"{"model":"a","messages":NaN}"#,
    ]), @r#"
    request body: expected an object, found an array at byte 0
    model: missing, expected a model name
    messages: missing, expected an array of messages
    model: expected a string, found a number at byte 9
    model: expected a name, found an empty string at byte 9
    messages: expected at least one message, found an empty array at byte 24
    messages: expected an array of messages, found a string at byte 24
    messages[0]: expected an object, found a string at byte 25
    messages[0].role: missing, expected a role
    messages[0].role: expected a string, found a number at byte 33
    messages[0].content: expected a string or an array of content parts, found an object at byte 50
    messages[1].content[0].type: missing, expected a string
    messages[0].content[0].text: missing, expected a string
    messages[0].content[0].text: expected a string, found an array at byte 73
    stream: expected a boolean, found a string at byte 65
    max_tokens: expected a whole number from 0 on, found another number at byte 69
    max_tokens: expected a whole number from 0 on, found a string at byte 69
    max_tokens: cannot be combined with max_completion_tokens
    n: expected a whole number from 0 on, found another number at byte 60
    temperature: expected a number, found a string at byte 70
    stop[0]: expected a string, found a number at byte 64
    tools[0].function.name: missing, expected a tool name
    tool_choice: expected a string or an object, found a number at byte 70
    response_format: expected an object, found a string at byte 74
    metadata: expected an object, found an array at byte 67
    invalid json: non-finite number at byte 24
    "#);
}

#[test]
fn wrong_requests_of_the_other_protocols_do_too() {
    insta::assert_snapshot!(faults(Endpoint::Messages, &[
        r#"{"model":"a","messages":[{"role":"user"}]}"#,
        r#"{"model":"a","messages":[{"role":"user","content":"a"}],"system":7}"#,
        r#"{"model":"a","messages":[{"role":"user","content":"a"}],"system":[{"text":"a"}]}"#,
        r#"{"model":"a","messages":[{"role":"user","content":[{"type":"tool_result","content":[{"text":"a"}]}]}]}"#,
        r#"{"model":"a","messages":[{"role":"user","content":"a"}],"thinking":{"budget_tokens":"all"}}"#,
        r#"{"model":"a","messages":[{"role":"user","content":"a"}],"output_config":{"format":{}}}"#,
    ]), @r#"
    messages[0].content: missing, expected a string or an array of content blocks
    system: expected a string or an array of content parts, found a number at byte 65
    system[0].type: missing, expected a string
    messages[0].content[0].content[0].type: missing, expected a string
    thinking.budget_tokens: expected a whole number from 0 on, found a string at byte 84
    output_config.format.type: missing, expected a string
    "#);
    insta::assert_snapshot!(faults(Endpoint::Responses, &[
        r#"{"model":"a"}"#,
        r#"{"model":"a","input":[]}"#,
        r#"{"model":"a","input":""}"#,
        r#"{"model":"a","input":7}"#,
        r#"{"model":"a","input":[{"role":"user"}]}"#,
        r#"{"model":"a","input":[{"content":"a"}]}"#,
        r#"{"model":"a","input":"a","conversation":7}"#,
        r#"{"model":"a","input":"a","background":"yes"}"#,
    ]), @r#"
    input: missing, expected a string or an array of items
    input: expected at least one item, found an empty array at byte 21
    input: expected at least one item, found an empty string at byte 21
    input: expected a string or an array of items, found a number at byte 21
    input[0].content: missing, expected a string or an array of content parts
    input[0].role: missing, expected a role
    conversation: expected a string or an object, found a number at byte 40
    background: expected a boolean, found a string at byte 38
    "#);
    insta::assert_snapshot!(faults(Endpoint::Embeddings, &[
        r#"{"model":"a"}"#,
        r#"{"model":"a","input":""}"#,
        r#"{"model":"a","input":[]}"#,
        r#"{"model":"a","input":["a",1]}"#,
        r#"{"model":"a","input":["a",""]}"#,
        r#"{"model":"a","input":[1,"a"]}"#,
        r#"{"model":"a","input":[[]]}"#,
        r#"{"model":"a","input":{}}"#,
    ]), @r#"
    input: missing, expected a string, an array of strings or an array of tokens
    input: expected a text, found an empty string at byte 21
    input: expected at least one text, found an empty array at byte 21
    input[1]: expected a string or an array of tokens, found a number at byte 26
    input[1]: expected a text, found an empty string at byte 26
    input[1]: expected a whole number from 0 on, found a string at byte 24
    input[0]: expected at least one token, found an empty array at byte 22
    input: expected a string, an array of strings or an array of tokens, found an object at byte 21
    "#);
}

#[test]
fn null_is_as_good_as_absent() {
    let view = chat(
        r#"{"model":"a","messages":[{"role":"assistant","content":null,"tool_calls":null,"refusal":null}],
        "stream":null,"stream_options":null,"max_tokens":null,"max_completion_tokens":5,"tools":null,
        "tool_choice":null,"temperature":null,"stop":null,"response_format":null,"metadata":null,
        "user":null,"store":null}"#,
    );
    assert_eq!(view.max_output_tokens.unwrap().value, 5);
    assert!(view.blocks.is_empty());
    let responses = r#"{"model":"a","input":"a","instructions":null,"previous_response_id":null,
        "conversation":null,"prompt":null,"background":null,"text":null,"max_output_tokens":null}"#;
    assert_eq!(
        parse(Endpoint::Responses, responses).unwrap().blocks.len(),
        1
    );
    let messages = r#"{"model":"a","messages":[{"role":"user","content":"a"}],"system":null,
        "thinking":null,"output_config":null,"stop_sequences":null}"#;
    assert_eq!(parse(Endpoint::Messages, messages).unwrap().blocks.len(), 1);
}

#[test]
fn tool_choices_of_every_spelling() {
    for (choice, expected) in [
        (r#""auto""#, ToolChoice::Auto),
        (r#""none""#, ToolChoice::None),
        (r#""required""#, ToolChoice::Required),
        (r#"{"type":"any"}"#, ToolChoice::Required),
        (
            r#"{"type":"auto","disable_parallel_tool_use":true}"#,
            ToolChoice::Auto,
        ),
        (r#"{"type":"none"}"#, ToolChoice::None),
        (r#"{"type":"tool","name":"f"}"#, ToolChoice::Named),
        (
            r#"{"type":"function","function":{"name":"f"}}"#,
            ToolChoice::Named,
        ),
        (r#"{"type":"function","name":"f"}"#, ToolChoice::Named),
        (r#"{"type":"web_search"}"#, ToolChoice::Named),
        (
            r#"{"type":"allowed_tools","mode":"auto","tools":[]}"#,
            ToolChoice::Auto,
        ),
        (
            r#"{"type":"allowed_tools","mode":"required"}"#,
            ToolChoice::Required,
        ),
        (
            r#"{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[]}}"#,
            ToolChoice::Required,
        ),
    ] {
        for endpoint in [Endpoint::ChatCompletions, Endpoint::Messages] {
            let body = format!(
                r#"{{"model":"a","messages":[{{"role":"user","content":"a"}}],"tool_choice":{choice}}}"#
            );
            let view = parse(endpoint, &body).unwrap();
            assert_eq!(view.tool_choice, expected, "{choice}");
        }
    }
}

#[test]
fn functions_are_the_tools_of_old() {
    let with = |members: &str| {
        chat(&format!(
            r#"{{"model":"a","messages":[{{"role":"user","content":"a"}}],"functions":[{{"name":"f","parameters":{{}}}}],{members}}}"#
        ))
    };
    for (members, expected) in [
        (r#""function_call":{"name":"f"}"#, ToolChoice::Named),
        (r#""function_call":"none""#, ToolChoice::None),
        (r#""function_call":"auto""#, ToolChoice::Auto),
        (r#""function_call":null"#, ToolChoice::Auto),
        (
            r#""function_call":"auto","tool_choice":"required""#,
            ToolChoice::Required,
        ),
    ] {
        let view = with(members);
        assert_eq!(view.tool_choice, expected, "{members}");
        assert_eq!(view.tools.len(), 1);
        assert_eq!(view.tools[0].name, "f");
    }
    let view = with(r#""tools":[{"type":"function","function":{"name":"t"}}]"#);
    let names: Vec<_> = view.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["t", "f"]);
    let messages = r#""model":"a","messages":[{"role":"user","content":"a"}]"#;
    insta::assert_snapshot!(faults(Endpoint::ChatCompletions, &[
        &format!(r#"{{{messages},"function_call":{{}}}}"#),
        &format!(r#"{{{messages},"function_call":7}}"#),
        &format!(r#"{{{messages},"functions":[{{}}]}}"#),
        &format!(r#"{{{messages},"functions":{{}}}}"#),
    ]), @r"
    function_call.name: missing, expected a function name
    function_call: expected a string or an object, found a number at byte 72
    functions[0].name: missing, expected a tool name
    functions: expected an array of tools, found an object at byte 68
    ");
}

#[test]
fn a_function_call_of_old_is_a_call() {
    let body = r#"{"model":"a","messages":[
        {"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
        {"role":"function","name":"f","content":"done"}]}"#;
    insta::assert_snapshot!(summary(&chat(body), body), @r#"
    messages[0] Assistant ToolUse Some("{}")
    messages[1] Tool ToolResult Some("done")
    "#);
}

#[test]
fn response_formats_of_every_protocol() {
    let messages = r#""model":"a","messages":[{"role":"user","content":"a"}]"#;
    for (endpoint, members, expected) in [
        (
            Endpoint::ChatCompletions,
            format!(r#"{messages},"response_format":{{"type":"json_object"}}"#),
            ResponseFormat::JsonObject,
        ),
        (
            Endpoint::ChatCompletions,
            format!(r#"{messages},"response_format":{{"type":"text"}}"#),
            ResponseFormat::Text,
        ),
        (
            Endpoint::Responses,
            r#""model":"a","input":"a","text":{"format":{"type":"json_schema","name":"x"}}"#
                .to_owned(),
            ResponseFormat::JsonSchema,
        ),
        (
            Endpoint::Messages,
            format!(r#"{messages},"output_config":{{"format":{{"type":"json_schema"}}}}"#),
            ResponseFormat::JsonSchema,
        ),
        (
            Endpoint::Messages,
            format!(r#"{messages},"output_format":{{"type":"grammar"}}"#),
            ResponseFormat::Other,
        ),
    ] {
        let view = parse(endpoint, &format!("{{{members}}}")).unwrap();
        assert_eq!(view.response_format, expected, "{members}");
    }
}

#[test]
fn responses_may_go_on_from_stored_state() {
    for (members, id, conversation) in [
        (r#""previous_response_id":"resp_1""#, Some("resp_1"), None),
        (
            r#""previous_response_id":"resp_1","input":[]"#,
            Some("resp_1"),
            None,
        ),
        (r#""conversation":"conv_1""#, None, Some("conv_1")),
        (
            r#""conversation":{"id":"conv_1"},"input":"a""#,
            None,
            Some("conv_1"),
        ),
    ] {
        let view = parse(
            Endpoint::Responses,
            &format!(r#"{{"model":"a",{members}}}"#),
        )
        .unwrap();
        assert_eq!(view.previous_response_id.as_deref(), id);
        assert_eq!(view.conversation.as_deref(), conversation);
    }
    let prompt = r#"{"model":"a","prompt":{"id":"pmpt_1"}}"#;
    let view = parse(Endpoint::Responses, prompt).unwrap();
    assert_eq!(view.blocks[0].kind, BlockKind::Reference);
}

#[test]
fn items_of_every_kind_have_their_place() {
    let body = r#"{"model":"a","instructions":[{"role":"developer","content":"i"}],"input":[
        {"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"},{"type":"refusal","refusal":"no"}]},
        {"type":"web_search_call","status":"completed"},
        {"type":"shell_call_output","output":[{"stdout":"a","stderr":"","outcome":{"type":"exit"}}]},
        {"type":"computer_call_output","output":{"type":"computer_screenshot"}},
        {"type":"function_call_output","output":[{"type":"input_image","image_url":"x"},{"type":"input_file"}]},
        {"type":"item_reference","id":"x"},
        {"type":"compaction","encrypted_content":"x"},
        {"type":"from_the_future","content":7}]}"#;
    let view = parse(Endpoint::Responses, body).unwrap();
    insta::assert_snapshot!(summary(&view, body), @r#"
    instructions System Text Some("i")
    input[0].content[0] Assistant Text Some("a")
    input[0].content[1] Assistant Refusal Some("no")
    input[1] Assistant ServerTool None
    input[2] Tool ToolResult None
    input[3] Tool Image None
    input[4].content[0] Tool Image None
    input[4].content[1] Tool Document None
    input[5] Other Reference None
    input[6] Assistant RedactedThinking None
    input[7] Other Other None
    "#);
}

#[test]
fn items_of_the_newest_codex_have_their_place() {
    let body = r#"{"model":"a","input":[
        {"type":"additional_tools","id":"at","role":"developer","tools":[{"type":"namespace","name":"functions","tools":[{"type":"custom","name":"exec"}]}]},
        {"type":"additional_tools","tools":[]},
        {"type":"message","role":"developer","content":[{"type":"input_text","text":"brief"}]},
        {"type":"custom_tool_call","call_id":"c","name":"exec","namespace":"functions","input":"ls"},
        {"type":"custom_tool_call_output","call_id":"c","output":"a.rs"},
        {"type":"custom_tool_call_output","call_id":"c","output":[{"type":"input_text","text":"a"},{"type":"input_image","image_url":"x"}]},
        {"type":"tool_search_output","call_id":"d","execution":"client","tools":[{"type":"namespace","name":"n"}]}]}"#;
    let view = parse(Endpoint::Responses, body).unwrap();
    insta::assert_snapshot!(summary(&view, body), @r#"
    input[0] System Tools None
    input[1] System Tools None
    input[2].content[0] System Text Some("brief")
    input[3] Assistant ToolUse Some("ls")
    input[4] Tool ToolResult Some("a.rs")
    input[5].content[0] Tool ToolResult Some("a")
    input[5].content[1] Tool Image None
    input[6] Tool Tools None
    "#);
    // They stand in the input and not where tools are offered from the start.
    assert!(view.tools.is_empty());
}

#[test]
fn instructions_amid_messages_are_the_operators() {
    let body = r#"{"model":"a","messages":[{"role":"user","content":"a"},
        {"role":"system","content":"b"},
        {"role":"system","content":[{"type":"text","text":"c","cache_control":{"type":"ephemeral"}}]}]}"#;
    let view = parse(Endpoint::Messages, body).unwrap();
    insta::assert_snapshot!(summary(&view, body), @r#"
    messages[0] User Text Some("a")
    messages[1] System Text Some("b")
    messages[2].content[0] System Text Some("c") *
    "#);
}

#[test]
fn message_blocks_of_every_kind_have_their_place() {
    let body = r#"{"model":"a","system":"s","messages":[
        {"role":"user","content":[{"type":"document","source":{}},{"type":"search_result"},{"type":"image"}]},
        {"role":"assistant","content":[{"type":"redacted_thinking","data":"x"},{"type":"server_tool_use","id":"s"},
            {"type":"web_search_tool_result","content":[]},{"type":"mcp_tool_use"},{"type":"from_the_future","text":7}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"a"},{"type":"tool_result","content":"plain","cache_control":{}},
            {"type":"tool_result","content":[]},{"type":"tool_result","content":[{"type":"text","text":"b"}],"cache_control":{}}]},
        {"role":"system","content":"mid"}, {"role":"narrator","content":"?"}]}"#;
    for endpoint in [Endpoint::Messages, Endpoint::CountTokens] {
        let view = parse(endpoint, body).unwrap();
        insta::allow_duplicates! {
            insta::assert_snapshot!(summary(&view, body), @r#"
            system System Text Some("s")
            messages[0].content[0] User Document None
            messages[0].content[1] User Document None
            messages[0].content[2] User Image None
            messages[1].content[0] Assistant RedactedThinking None
            messages[1].content[1] Assistant ServerTool None
            messages[1].content[2] Assistant ServerTool None
            messages[1].content[3] Assistant ServerTool None
            messages[1].content[4] Assistant Other None
            messages[2].content[0] Tool ToolResult None
            messages[2].content[1] Tool ToolResult Some("plain") *
            messages[2].content[2] Tool ToolResult None
            messages[2].content[3] Tool ToolResult Some("b") *
            messages[3] System Text Some("mid")
            messages[4] Other Text Some("?")
            "#);
        }
    }
}

#[test]
fn a_breakpoint_on_a_chat_message_stands_at_its_end() {
    let body = r#"{"model":"a","messages":[{"role":"user","content":"a"},
        {"role":"user","content":[{"type":"text","text":"b"},{"type":"text","text":"c"}],"cache_control":{"type":"ephemeral"}},
        {"role":"assistant","content":null,"cache_control":{"type":"ephemeral"}}]}"#;
    let marks: Vec<_> = chat(body).blocks.iter().map(|b| b.cache_control).collect();
    assert_eq!(marks, [false, false, true]);
}

#[test]
fn embeddings_take_texts_and_tokens() {
    let kinds = |input: &str| {
        let view = parse(
            Endpoint::Embeddings,
            &format!(r#"{{"model":"e","input":{input}}}"#),
        );
        let blocks = view.unwrap().blocks;
        blocks.iter().map(|block| block.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(r#""a""#), [Text]);
    assert_eq!(kinds(r#"["a","b"]"#), [Text, Text]);
    assert_eq!(kinds("[1,2,3]"), [Tokens]);
    assert_eq!(kinds("[[1,2],[3]]"), [Tokens, Tokens]);
}

#[test]
fn limits_reach_the_scanner() {
    let deep = format!(
        r#"{{"model":"a","messages":[],"x":{}1{}}}"#,
        "[".repeat(64),
        "]".repeat(64)
    );
    let error = parse(Endpoint::ChatCompletions, &deep).unwrap_err();
    assert!(matches!(error, ViewError::Json(_)));
    assert_eq!(error.path(), None);
}

/// A JSON string literal with some characters spelled as escapes.
fn spelled(text: &str, escape: &[bool]) -> String {
    let mut literal = String::from("\"");
    for (index, character) in text.chars().enumerate() {
        let must = matches!(character, '"' | '\\' | '\u{0}'..='\u{1f}');
        if must || escape.get(index).copied().unwrap_or(false) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(literal, "\\u{unit:04X}").unwrap();
            }
        } else {
            literal.push(character);
        }
    }
    literal + "\""
}

proptest! {
    #[test]
    fn spans_are_right_however_text_is_spelled(
        model in ".{1,12}",
        texts in prop::collection::vec(any::<(String, Vec<bool>)>(), 1..6),
        padding in "[ \t\r\n]{0,3}",
    ) {
        let mut messages = Vec::new();
        for (text, escape) in &texts {
            let text = spelled(text, escape);
            messages.push(format!(
                r#"{{"x":{text},"content":[{{"text":{padding}{text},"type":"t\u0065xt"}}],"role":"user"}}"#
            ));
        }
        let spelled_model = spelled(&model, &[true, false, true]);
        let body = format!(
            r#"{padding}{{"messages":[{}],{padding}"model":{spelled_model}{padding}}}{padding}"#,
            messages.join(",")
        );
        let view = chat(&body);
        prop_assert_eq!(&body[view.model.span], &spelled_model);
        prop_assert_eq!(view.model.value, model);
        prop_assert_eq!(view.blocks.len(), texts.len());
        for (block, (text, escape)) in view.blocks.iter().zip(&texts) {
            let literal = &body[block.text.clone().unwrap()];
            prop_assert_eq!(literal, spelled(text, escape));
            prop_assert_eq!(&serde_json::from_str::<String>(literal).unwrap(), text);
        }
    }

    #[test]
    fn damaged_requests_never_panic(
        turns in 0_usize..3,
        which in 0_usize..3,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let (endpoint, body) = match which {
            0 => (Endpoint::Messages, corpus::messages(turns)),
            1 => (Endpoint::Responses, corpus::responses(turns)),
            _ => (Endpoint::ChatCompletions, corpus::chat(turns)),
        };
        let mut bytes = body.into_bytes();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(view) = RequestView::parse(endpoint, &bytes, JsonLimits::default()) {
            prop_assert!(view.blocks.iter().all(|block| block.span.end <= bytes.len()));
        }
    }
}
