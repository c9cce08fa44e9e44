use super::Speaker::{Assistant, System, Tool, User};
use super::*;
use crate::corpus;

fn view(endpoint: Endpoint, body: &str) -> RequestView {
    RequestView::parse(endpoint, body.as_bytes(), JsonLimits::default()).unwrap()
}

fn read(endpoint: Endpoint, body: &str) -> Result<Conversation, ConversationError> {
    Conversation::from_view(&view(endpoint, body), body.as_bytes())
}

fn turns(endpoint: Endpoint, body: &str) -> String {
    let conversation = read(endpoint, body).unwrap();
    let turns: Vec<_> = conversation
        .turns
        .iter()
        .map(|turn| {
            let tool = turn.tool.as_ref().map(|tool| format!(" ({tool})"));
            let head = format!("{:?}{}:", turn.role, tool.unwrap_or_default());
            let text = Some(turn.text.as_str()).filter(|text| !text.is_empty());
            let said: Vec<_> = std::iter::once(head.as_str()).chain(text).collect();
            let calls = turn.calls.iter();
            let calls = calls.map(|call| format!("\n  -> {} {}", call.name, call.arguments));
            said.join(" ") + &calls.collect::<String>()
        })
        .collect();
    turns.join("\n")
}

#[test]
fn texts_are_decoded_and_joined_by_speaker() {
    let body = r#"{"model":"a","max_tokens":9,"temperature":0.5,"stop_sequences":["x"],
        "system":[{"type":"text","text":"one"},{"type":"text","text":"two"}],
        "messages":[{"role":"user","content":"caf\u00e9 \ud83e\udd80\n\"q\""},
            {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"yes"}]},
            {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}"#;
    insta::assert_snapshot!(turns(Endpoint::Messages, body), @r#"
    System: one
    two
    User: café 🦀
    "q"
    Assistant: yes
    User: a
    b
    "#);
    let conversation = read(Endpoint::Messages, body).unwrap();
    assert_eq!(conversation.max_output_tokens, Some(9));
    assert_eq!(conversation.sampling.temperature, Some(0.5));
    assert_eq!(conversation.sampling.stop, ["x"]);
}

#[test]
fn tool_calls_and_results_keep_their_names_in_every_protocol() {
    insta::assert_snapshot!(turns(Endpoint::Messages, r#"{"model":"a","messages":[
        {"role":"assistant","content":[{"type":"tool_use","id":"t","name":"read","input":{"path": "a.rs"}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"fn a"},{"type":"text","text":"()"}]},
            {"type":"tool_result","tool_use_id":"u"},{"type":"text","text":"go on"}]}]}"#), @r#"
    Assistant:
      -> read {"path": "a.rs"}
    Tool (read): fn a
    ()
    Tool:
    User: go on
    "#);
    insta::assert_snapshot!(turns(Endpoint::ChatCompletions, r#"{"model":"a","messages":[
        {"role":"assistant","content":"ok","tool_calls":[{"id":"t","type":"function","function":{"name":"read","arguments":"{\"path\":\"a\"}"}},
            {"id":"u","type":"custom","custom":{"name":"run","input":"ls"}}]},
        {"role":"tool","tool_call_id":"t","content":"fn a()"},
        {"role":"assistant","content":null,"refusal":"no more"}]}"#), @r#"
    Assistant: ok
      -> read {"path":"a"}
      -> run {"input":"ls"}
    Tool (read): fn a()
    Assistant: no more
    "#);
    insta::assert_snapshot!(turns(Endpoint::Responses, r#"{"model":"a","instructions":"brief","input":[
        {"role":"user","content":"hi"},
        {"type":"reasoning","summary":[]},
        {"type":"function_call","name":"read","arguments":"{}","call_id":"c"},
        {"type":"function_call_output","call_id":"c","output":"text"},
        {"type":"shell_call","call_id":"d","action":{"commands":["ls"]}},
        {"type":"shell_call_output","call_id":"d","output":[{"stdout":"a.rs"}]}]}"#), @r#"
    System: brief
    User: hi
    Assistant:
      -> read {}
    Tool (read): text
    Assistant:
      -> shell_call {"commands":["ls"]}
    Tool (shell_call): [{"stdout":"a.rs"}]
    "#);
}

#[test]
fn what_the_newest_agents_send_is_rendered() {
    insta::assert_snapshot!(turns(Endpoint::Responses, r#"{"model":"a","input":[
        {"type":"additional_tools","id":"at","role":"developer","tools":[{"type":"namespace","name":"functions","tools":[{"type":"custom","name":"exec"}]}]},
        {"role":"user","content":"go"},
        {"type":"custom_tool_call","call_id":"c","name":"exec","namespace":"functions","input":"ls \"a\""},
        {"type":"custom_tool_call_output","call_id":"c","output":[{"type":"input_text","text":"a.rs"},{"type":"input_text","text":"b.rs"}]},
        {"type":"custom_tool_call","call_id":"d","name":"exec","namespace":null,"input":"cd"},
        {"type":"custom_tool_call_output","call_id":"d","output":"done"}]}"#), @r#"
    User: go
    Assistant:
      -> functions.exec {"input":"ls \"a\""}
    Tool (functions.exec): a.rs
    b.rs
    Assistant:
      -> exec {"input":"cd"}
    Tool (exec): done
    "#);
    insta::assert_snapshot!(turns(Endpoint::Messages, r#"{"model":"a","system":"first","messages":[
        {"role":"user","content":"go"},
        {"role":"system","content":"be brief"},
        {"role":"assistant","content":"ok"},
        {"role":"system","content":[{"type":"text","text":"be"},{"type":"text","text":"briefer"}]}]}"#), @r"
    System: first
    User: go
    System: be brief
    Assistant: ok
    System: be
    briefer
    ");
}

#[test]
fn a_null_beside_what_is_called_does_not_hide_it() {
    let body = r#"{"model":"a","messages":[{"role":"assistant","tool_calls":[
        {"type":"custom","function":null,"custom":{"name":"run","arguments":null,"input":"ls"}}]}]}"#;
    assert_eq!(
        turns(Endpoint::ChatCompletions, body),
        "Assistant:\n  -> run {\"input\":\"ls\"}"
    );
}

/// What is not supported of bodies, one a line.
fn refusals(cases: &[(Endpoint, &str)]) -> String {
    let lines: Vec<_> = cases
        .iter()
        .map(|(endpoint, body)| read(*endpoint, body).expect_err(body).to_string())
        .collect();
    lines.join("\n")
}

#[test]
fn content_that_a_text_model_cannot_read_is_named() {
    let second = |part: &str| {
        format!(
            r#"{{"model":"a","messages":[{{"role":"user","content":[{{"type":"text","text":"a"}},{part}]}}]}}"#
        )
    };
    insta::assert_snapshot!(refusals(&[
        (Endpoint::Messages, &second(r#"{"type":"image","source":{}}"#)),
        (Endpoint::Messages, &second(r#"{"type":"document","source":{}}"#)),
        (Endpoint::Messages, &second(r#"{"type":"server_tool_use"}"#)),
        (Endpoint::Messages, &second(r#"{"type":"from_the_future"}"#)),
        (Endpoint::Messages, &second(r#"{"type":"tool_result","content":[{"type":"image"}]}"#)),
        (Endpoint::Messages, r#"{"model":"a","messages":[{"role":"narrator","content":"a"}]}"#),
        (Endpoint::Messages, &second(r#"{"type":"tool_result","content":[{"type":"tool_result","content":"a"}]}"#)),
        (Endpoint::ChatCompletions, r#"{"model":"a","messages":[{"role":"assistant","tool_calls":[{}]}]}"#),
        (Endpoint::ChatCompletions, &second(r#"{"type":"image_url","image_url":{"url":"x"}}"#)),
        (Endpoint::ChatCompletions, &second(r#"{"type":"input_audio","input_audio":{}}"#)),
        (Endpoint::Responses, r#"{"model":"a","input":[{"type":"item_reference","id":"x"}]}"#),
        (Endpoint::Responses, r#"{"model":"a","input":[{"type":"computer_call_output","output":{}}]}"#),
        (Endpoint::Embeddings, r#"{"model":"a","input":[1,2]}"#),
    ]), @r#"
    messages[0].content[1]: an image is not supported by a text model
    messages[0].content[1]: a document is not supported by a text model
    messages[0].content[1]: a tool of the provider is not supported by a text model
    messages[0].content[1]: content of unknown kind is not supported by a text model
    messages[0].content[1]: an image is not supported by a text model
    messages[0]: a message of unknown role is not supported by a text model
    messages[0].content[1]: content of unknown kind is not supported by a text model
    messages[0]: a call without a name is not supported by a text model
    messages[0].content[1]: an image is not supported by a text model
    messages[0].content[1]: audio is not supported by a text model
    input[0]: content by reference is not supported by a text model
    input[0]: an image is not supported by a text model
    input: an embedding is not supported by a text model
    "#);
}

#[test]
fn options_that_a_text_model_cannot_follow_are_named() {
    let body = |member: &str| {
        format!(
            r#"{{"model":"a","input":"a","messages":[{{"role":"user","content":"a"}}],{member}}}"#
        )
    };
    insta::assert_snapshot!(refusals(&[
        (Endpoint::ChatCompletions, &body(r#""n":2"#)),
        (Endpoint::Responses, &body(r#""previous_response_id":"r""#)),
        (Endpoint::Responses, &body(r#""conversation":"c""#)),
        (Endpoint::Responses, &body(r#""background":true"#)),
    ]), @r#"
    n: more than one answer is not supported by a text model
    previous_response_id: an earlier response by reference is not supported by a text model
    conversation: a stored conversation is not supported by a text model
    background: an answer in the background is not supported by a text model
    "#);
}

#[test]
fn one_answer_and_tools_on_offer_are_fine() {
    let body = r#"{"model":"a","messages":[{"role":"user","content":"a"}],"n":1,"tool_choice":"auto",
        "tools":[{"type":"function","function":{"name":"f"}}],"response_format":{"type":"text"}}"#;
    assert_eq!(turns(Endpoint::ChatCompletions, body), "User: a");
}

#[test]
fn an_agents_request_without_pictures_is_a_conversation() {
    let body = corpus::responses(2);
    let conversation = read(Endpoint::Responses, &body).unwrap();
    let roles: Vec<_> = conversation.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(
        roles,
        [
            System, User, Assistant, Tool, Assistant, Tool, Assistant, Tool, Assistant, Tool
        ]
    );
    assert!(conversation.turns[3].text.contains("日本 🦀"));
}

#[test]
fn results_belong_to_calls_by_their_ids() {
    insta::assert_snapshot!(turns(Endpoint::ChatCompletions, r#"{"model":"a","messages":[
        {"role":"assistant","tool_calls":[{"id":"t","type":"function","function":{"name":"read","arguments":""}},
            {"id":"u","type":"function","function":{"name":"list","arguments":"[1]"}}]},
        {"role":"tool","tool_call_id":"u","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
        {"role":"tool","tool_call_id":"t","content":"c"},
        {"role":"tool","tool_call_id":"x","content":"d"},
        {"role":"assistant","function_call":{"name":"old","arguments":"{}"}},
        {"role":"function","name":"old","content":"e"}]}"#), @r#"
    Assistant:
      -> read {}
      -> list {"input":"[1]"}
    Tool (list): a
    b
    Tool (read): c
    Tool: d
    Assistant:
      -> old {}
    Tool (old): e
    "#);
    insta::assert_snapshot!(turns(Endpoint::Messages, r#"{"model":"a","messages":[
        {"role":"assistant","content":[{"type":"text","text":"both"},{"type":"tool_use","id":"t","name":"read","input":{}},{"type":"tool_use","id":"u","name":"list","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"u","content":"a"},{"type":"tool_result","tool_use_id":"t","content":"b"}]}]}"#), @"
    Assistant: both
      -> read {}
      -> list {}
    Tool (list): a
    Tool (read): b
    ");
}

mod asked;
