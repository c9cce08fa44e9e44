use std::fmt::Write;

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::json::JsonLimits;
use crate::sse::Decoder;

const TOOL: AsideTool = AsideTool {
    name: "peek",
    description: "Shows more.",
    schema: r#"{"type":"object"}"#,
};

fn view(endpoint: Endpoint, body: &Bytes) -> RequestView {
    RequestView::parse(endpoint, body, JsonLimits::default()).unwrap()
}

fn bytes(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn result(text: &str) -> AsideResult {
    AsideResult {
        text: text.to_owned(),
        is_error: false,
    }
}

/// A request whose answer is `answer`, as the client sends it back, with what it says next.
fn messages_request(answer: &Value, next: &Value) -> Bytes {
    bytes(
        &json!({"model": "m", "max_tokens": 9, "tools": [{"name": "ls", "input_schema": {}}], "messages": [
            {"role": "user", "content": "Go"},
            {"role": "assistant", "content": answer},
            {"role": "user", "content": next},
        ]}),
    )
}

fn events(endpoint: Endpoint, values: &[Value]) -> String {
    let mut text = String::new();
    for value in values {
        if endpoint == Endpoint::Messages {
            writeln!(text, "event: {}", value["type"].as_str().unwrap()).unwrap();
        }
        write!(text, "data: {value}\n\n").unwrap();
    }
    if endpoint == Endpoint::ChatCompletions {
        text.push_str("data: [DONE]\n\n");
    }
    text
}

/// What the client gets of a stream, and how it ends.
fn streamed(answer: &mut AsideAnswer, text: &str) -> (String, Heard) {
    let mut decoder = Decoder::new();
    decoder.push(Bytes::copy_from_slice(text.as_bytes()));
    let mut out = Vec::new();
    while let Some(frame) = decoder.next_frame() {
        out.extend_from_slice(&answer.pass(frame));
    }
    let end = answer.end();
    if let Heard::Done(rest) = &end {
        out.extend_from_slice(rest);
    }
    (String::from_utf8(out).unwrap(), end)
}

fn block(index: u64, block: &Value, deltas: &[Value]) -> Vec<Value> {
    let mut events =
        vec![json!({"type": "content_block_start", "index": index, "content_block": block})];
    let delta = |delta| json!({"type": "content_block_delta", "index": index, "delta": delta});
    events.extend(deltas.iter().map(delta));
    events.push(json!({"type": "content_block_stop", "index": index}));
    events
}

fn call_block(index: u64, id: &str, name: &str) -> Vec<Value> {
    let start = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
    let pieces = ["{\"id\":", "\"x\"}"];
    let deltas = pieces.map(|piece| json!({"type": "input_json_delta", "partial_json": piece}));
    block(index, &start, &deltas)
}

fn text_block(index: u64, text: &str) -> Vec<Value> {
    let start = json!({"type": "text", "text": ""});
    block(
        index,
        &start,
        &[json!({"type": "text_delta", "text": text})],
    )
}

fn message(blocks: Vec<Vec<Value>>, stop: &str, output: u64) -> Vec<Value> {
    let mut events = vec![
        json!({"type": "message_start", "message": {"id": "msg", "usage": {"input_tokens": 5}}}),
    ];
    events.extend(blocks.into_iter().flatten());
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": output}}));
    events.push(json!({"type": "message_stop"}));
    events
}

#[test]
fn the_tool_stands_behind_the_clients_own() {
    let body = messages_request(&json!("x"), &json!("y"));
    let view = view(Endpoint::Messages, &body);
    assert!(may_offer(&view, TOOL.name) && !may_offer(&view, "ls"));
    let mut edits = EditList::new();
    offer(&view, &TOOL, &mut edits);
    let offered = parsed(&edits.apply(&body).unwrap());
    assert_eq!(
        offered["tools"],
        json!([
            {"name": "ls", "input_schema": {}},
            {"name": "peek", "description": "Shows more.", "input_schema": {"type": "object"}},
        ])
    );
}

#[test]
fn a_stream_goes_on_where_the_tool_is_called_alone() {
    let mut answer = AsideAnswer::new(Endpoint::Messages, TOOL.name);
    let thinking = json!({"type": "thinking", "thinking": "", "signature": ""});
    let thoughts = [
        json!({"type": "thinking_delta", "thinking": "hm"}),
        json!({"type": "signature_delta", "signature": "s1g"}),
    ];
    let first = message(
        vec![
            block(0, &thinking, &thoughts),
            text_block(1, "Let me see. "),
            call_block(2, "t1", "peek"),
        ],
        "tool_use",
        7,
    );
    let (out, end) = streamed(&mut answer, &events(Endpoint::Messages, &first));
    assert!(
        out.contains("s1g") && !out.contains("peek") && !out.contains("message_stop"),
        "{out}"
    );
    let call = AsideCall {
        id: "t1".to_owned(),
        name: "peek".to_owned(),
        arguments: r#"{"id":"x"}"#.to_owned(),
    };
    assert_eq!(end, Heard::Calls(vec![call]));

    answer.answered(&[result("all of it")]);
    let request = bytes(&json!({"model": "m", "messages": [{"role": "user", "content": "Go"}]}));
    let next = parsed(&answer.go_on(&request).unwrap());
    let said = json!([
        {"type": "thinking", "thinking": "hm", "signature": "s1g"},
        {"type": "text", "text": "Let me see. "},
        {"type": "tool_use", "id": "t1", "name": "peek", "input": {"id": "x"}},
    ]);
    let results = json!([{"type": "tool_result", "tool_use_id": "t1", "content": "all of it"}]);
    assert_eq!(
        next["messages"][1],
        json!({"role": "assistant", "content": said})
    );
    assert_eq!(
        next["messages"][2],
        json!({"role": "user", "content": results})
    );

    let second = message(
        vec![text_block(0, "It is 4."), call_block(1, "t2", "ls")],
        "tool_use",
        3,
    );
    let (out, end) = streamed(&mut answer, &events(Endpoint::Messages, &second));
    assert!(
        !out.contains("message_start") && out.contains("message_stop"),
        "{out}"
    );
    assert!(
        out.contains(r#""index":2"#)
            && out.contains(r#""index":3"#)
            && !out.contains(r#""index":0"#)
    );
    assert!(out.contains(r#""output_tokens":10"#), "{out}");
    assert!(matches!(end, Heard::Done(_)));

    is_put_back(answer, &said, &results);
}

/// The client sends it back, with its reasoning or without, and its arguments spelled anew.
fn is_put_back(mut answer: AsideAnswer, said: &Value, results: &Value) {
    let (name, aside) = answer.take_aside().unwrap();
    let whole = json!([
        {"type": "thinking", "thinking": "hm", "signature": "s1g"},
        {"type": "text", "text": "Let me see. "},
        {"type": "text", "text": "It is 4."},
        {"type": "tool_use", "id": "t2", "name": "ls", "input": {"id" : "x"}},
    ]);
    for skipped in [0, 1] {
        let shown: Vec<_> = whole.as_array().unwrap()[skipped..].to_vec();
        let body = messages_request(
            &json!(shown),
            &json!([{"type": "tool_result", "tool_use_id": "t2", "content": "r"}]),
        );
        let known = named_answers(&view(Endpoint::Messages, &body), &body);
        assert_eq!(
            known,
            [NamedAnswer {
                message: 1,
                block: 1,
                name: name.clone()
            }]
        );
        let mut edits = EditList::new();
        Aside::splice(&[(1, &aside)], Endpoint::Messages, &body, &mut edits);
        let spliced = parsed(&edits.apply(&body).unwrap());
        let said: Vec<_> = said.as_array().unwrap()[skipped..].to_vec();
        assert_eq!(spliced["messages"][1]["content"], json!(said));
        assert_eq!(
            spliced["messages"][2],
            json!({"role": "user", "content": results})
        );
        assert_eq!(
            spliced["messages"][3]["content"],
            json!(whole.as_array().unwrap()[2..].to_vec())
        );
        assert_eq!(spliced["messages"].as_array().unwrap().len(), 5);
    }
}

#[test]
fn a_turn_that_calls_the_clients_tools_too_waits_for_them() {
    let mut answer = AsideAnswer::new(Endpoint::Messages, TOOL.name);
    let stream = message(
        vec![call_block(0, "t1", "peek"), call_block(1, "t2", "ls")],
        "tool_use",
        7,
    );
    let (out, end) = streamed(&mut answer, &events(Endpoint::Messages, &stream));
    assert!(
        !out.contains("peek") && out.contains("\"ls\"") && out.contains(r#""index":0"#),
        "{out}"
    );
    assert!(matches!(end, Heard::Done(_)));
    assert_eq!(answer.calls().len(), 1);
    answer.answered(&[result("all")]);
    let (name, aside) = answer.take_aside().unwrap();
    let client = json!({"type": "tool_use", "id": "t2", "name": "ls", "input": {"id": "x"}});
    let given = json!({"type": "tool_result", "tool_use_id": "t2", "content": "r"});
    let body = messages_request(&json!([client]), &json!([given]));
    assert_eq!(
        named_answers(&view(Endpoint::Messages, &body), &body)[0].name,
        name
    );
    let mut edits = EditList::new();
    Aside::splice(&[(1, &aside)], Endpoint::Messages, &body, &mut edits);
    let spliced = parsed(&edits.apply(&body).unwrap());
    let own = json!({"type": "tool_use", "id": "t1", "name": "peek", "input": {"id": "x"}});
    assert_eq!(spliced["messages"][1]["content"], json!([own, client]));
    let hidden = json!({"type": "tool_result", "tool_use_id": "t1", "content": "all"});
    assert_eq!(spliced["messages"][2]["content"], json!([hidden, given]));
}

#[test]
fn an_answer_without_the_tool_is_left_as_it_is() {
    for endpoint in [Endpoint::Messages, Endpoint::ChatCompletions] {
        let stream = match endpoint {
            Endpoint::Messages => events(
                endpoint,
                &message(
                    vec![text_block(0, "Hi"), call_block(1, "t", "ls")],
                    "tool_use",
                    7,
                ),
            ),
            _ => events(
                endpoint,
                &[
                    chunk(&json!({"role": "assistant", "content": "Hi"}), None),
                    chunk(&json!({}), Some("stop")),
                ],
            ),
        };
        let stream = format!(": ping\n\n{stream}");
        let mut answer = AsideAnswer::new(endpoint, TOOL.name);
        let (out, _) = streamed(&mut answer, &stream);
        assert_eq!(out, stream);
        assert_eq!(answer.take_aside(), None);
    }
    let body = Bytes::from_static(
        br#"{ "content": [ {"type": "text", "text": "Hi"} ], "stop_reason": "end_turn" }"#,
    );
    let mut answer = AsideAnswer::new(Endpoint::Messages, TOOL.name);
    assert_eq!(answer.hear(&body).unwrap(), Heard::Done(body));
}

#[test]
fn an_answer_in_one_piece_is_joined() {
    let mut answer = AsideAnswer::new(Endpoint::Messages, TOOL.name);
    let call = |id: &str, name: &str| json!({"type": "tool_use", "id": id, "name": name, "input": {"id": "x"}});
    let first = json!({"content": [{"type": "text", "text": "a"}, call("t1", "peek")], "stop_reason": "tool_use", "usage": {"output_tokens": 4}});
    assert_eq!(
        answer.hear(&bytes(&first)).unwrap(),
        Heard::Calls(answer.calls())
    );
    assert_eq!(answer.calls().len(), 1);
    answer.answered(&[result("r")]);
    answer
        .go_on(&bytes(
            &json!({"messages": [{"role": "user", "content": "Go"}]}),
        ))
        .unwrap();
    let second = json!({"content": [{"type": "text", "text": "b"}], "stop_reason": "end_turn", "usage": {"input_tokens": 9, "output_tokens": 2}});
    let Heard::Done(body) = answer.hear(&bytes(&second)).unwrap() else {
        panic!("it is whole")
    };
    assert_eq!(
        parsed(&body),
        json!({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "stop_reason": "end_turn", "usage": {"input_tokens": 9, "output_tokens": 6}})
    );
}

fn chunk(delta: &Value, finish: Option<&str>) -> Value {
    json!({"id": "c1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
}

fn call_chunks(index: u64, id: &str, name: &str) -> Vec<Value> {
    let piece = |arguments: &str| json!({"index": index, "function": {"arguments": arguments}});
    let start = json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}});
    [start, piece("{\"id\":"), piece("\"x\"}")]
        .map(|call| chunk(&json!({"tool_calls": [call]}), None))
        .to_vec()
}

#[test]
fn a_chat_stream_goes_on_too() {
    let mut answer = AsideAnswer::new(Endpoint::ChatCompletions, TOOL.name);
    let mut first = vec![chunk(
        &json!({"role": "assistant", "content": "Wait. "}),
        None,
    )];
    first.extend(call_chunks(0, "k1", "peek"));
    first.push(chunk(&json!({}), Some("tool_calls")));
    first.push(json!({"id": "c1", "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9}}));
    let (out, end) = streamed(&mut answer, &events(Endpoint::ChatCompletions, &first));
    assert!(
        out.contains("Wait. ") && !out.contains("tool_calls") && !out.contains("DONE"),
        "{out}"
    );
    let call = AsideCall {
        id: "k1".to_owned(),
        name: "peek".to_owned(),
        arguments: r#"{"id":"x"}"#.to_owned(),
    };
    assert_eq!(end, Heard::Calls(vec![call]));
    answer.answered(&[result("all")]);
    let next = answer
        .go_on(&bytes(
            &json!({"messages": [{"role": "user", "content": "Go"}]}),
        ))
        .unwrap();
    let hidden_call = json!({"id": "k1", "type": "function", "function": {"name": "peek", "arguments": "{\"id\":\"x\"}"}});
    let hidden = json!({"role": "assistant", "content": "Wait. ", "tool_calls": [hidden_call]});
    let hidden_result = json!({"role": "tool", "tool_call_id": "k1", "content": "all"});
    assert_eq!(
        parsed(&next)["messages"].as_array().unwrap()[1..],
        [hidden.clone(), hidden_result.clone()]
    );

    let mut second = vec![chunk(
        &json!({"role": "assistant", "content": "Done. "}),
        None,
    )];
    second.extend(call_chunks(0, "k2", "peek"));
    second.extend(call_chunks(1, "k3", "ls"));
    second.push(chunk(&json!({}), Some("tool_calls")));
    second.push(json!({"id": "c2", "choices": [], "usage": {"prompt_tokens": 8, "completion_tokens": 3, "total_tokens": 11}}));
    let second = events(Endpoint::ChatCompletions, &second).replace("\"c1\"", "\"c2\"");
    let (out, _) = streamed(&mut answer, &second);
    let unseen = ["peek", "c2", "role"];
    assert!(unseen.iter().all(|text| !out.contains(text)) && out.contains("[DONE]"));
    assert!(
        out.contains(r#""id":"k3""#) && !out.contains(r#""index":1"#),
        "{out}"
    );
    assert!(
        out.contains(r#""completion_tokens":7"#) && out.contains(r#""total_tokens":15"#),
        "{out}"
    );
    assert_eq!(answer.calls()[0].id, "k2");
    answer.answered(&[result("more")]);

    let (name, aside) = answer.take_aside().unwrap();
    let own =
        json!({"id": "k3", "type": "function", "function": {"name": "ls", "arguments": "{}"}});
    let body = bytes(&json!({"model": "m", "messages": [
        {"role": "user", "content": "Go"},
        {"role": "assistant", "content": "Wait. Done. ", "tool_calls": [own]},
        {"role": "tool", "tool_call_id": "k3", "content": "r"},
    ]}));
    assert_eq!(
        named_answers(&view(Endpoint::ChatCompletions, &body), &body)[0].name,
        name
    );
    let mut edits = EditList::new();
    Aside::splice(&[(1, &aside)], Endpoint::ChatCompletions, &body, &mut edits);
    let spliced = parsed(&edits.apply(&body).unwrap());
    let messages = spliced["messages"].as_array().unwrap();
    assert_eq!(messages[1..3], [hidden, hidden_result]);
    let second_call = json!({"id": "k2", "type": "function", "function": {"name": "peek", "arguments": "{\"id\":\"x\"}"}});
    assert_eq!(messages[3]["content"], "Done. ");
    assert_eq!(messages[3]["tool_calls"], json!([own, second_call]));
    assert_eq!(
        messages[4],
        json!({"role": "tool", "tool_call_id": "k2", "content": "more"})
    );
    assert_eq!(messages.len(), 6);
}

#[test]
fn a_call_that_was_cut_off_is_not_answered() {
    let mut answer = AsideAnswer::new(Endpoint::Messages, TOOL.name);
    let stream = message(
        vec![text_block(0, "a"), call_block(1, "t1", "peek")],
        "max_tokens",
        7,
    );
    let (out, end) = streamed(&mut answer, &events(Endpoint::Messages, &stream));
    assert!(out.contains("max_tokens") && !out.contains("peek"));
    assert!(matches!(end, Heard::Done(_)) && answer.calls().is_empty());
}
