//! OpenAI responses, streamed and whole.

use serde_json::{Value, json};

use super::{
    UsageShape,
    endpoint::{Parts, Rendered, event, wants_stream},
    output::{Counts, Output},
};

const ID: &str = "resp_fake0001";

/// Renders `output` to the responses request `asked`.
pub(super) fn render(asked: &Value, output: &Output) -> Rendered {
    let completed = whole(asked, output);
    if wants_stream(asked) {
        stream(output, &completed)
    } else {
        Rendered::json(&completed)
    }
}

fn whole(asked: &Value, output: &Output) -> Value {
    let mut body = json!({
        "id": ID,
        "object": "response",
        "created_at": 1_767_225_600,
        "status": status(output),
        "background": false,
        "error": null,
        "incomplete_details": output.is_cut_short.then(|| json!({ "reason": "max_output_tokens" })),
        "instructions": asked["instructions"],
        "max_output_tokens": asked["max_output_tokens"],
        "metadata": {},
        "model": asked["model"],
        "output": items(output),
        "parallel_tool_calls": true,
        "previous_response_id": null,
        "temperature": 1.0,
        "text": { "format": { "type": "text" } },
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
    });
    match output.shape {
        UsageShape::Missing => {}
        UsageShape::Null => body["usage"] = Value::Null,
        _ => body["usage"] = usage(output.counts()),
    }
    body
}

/// How the response ends.
fn status(output: &Output) -> &'static str {
    if output.is_cut_short {
        "incomplete"
    } else {
        "completed"
    }
}

/// The growing event list; each event gets the next sequence number.
#[derive(Default)]
struct Events {
    parts: Parts,
}

impl Events {
    fn push(&mut self, value: Value) {
        self.push_tokens(value, 0);
    }

    fn push_tokens(&mut self, mut value: Value, tokens: u64) {
        value["sequence_number"] = self.parts.len().into();
        self.parts.push_tokens(event(&value), tokens);
    }
}

fn stream(output: &Output, completed: &Value) -> Rendered {
    let mut events = Events::default();
    let mut begun = completed.clone();
    begun["status"] = "in_progress".into();
    begun["output"] = json!([]);
    begun["usage"] = Value::Null;
    events.push(json!({ "type": "response.created", "response": begun }));
    events.push(json!({ "type": "response.in_progress", "response": begun }));
    let mut said = 0;
    for (index, item) in items(output).into_iter().enumerate() {
        match item["type"].as_str() {
            Some("message") => message(&mut events, index, &item, output),
            Some("function_call") => function_call(&mut events, index, &item),
            _ => around(&mut events, index, &item, &item, |_| {}),
        }
        if output.shape == UsageShape::Cumulative {
            said += 1;
            begun["usage"] = usage(Counts {
                output: said,
                ..output.counts()
            });
            events.push(json!({ "type": "response.in_progress", "response": begun }));
        }
    }
    let terminal = events.parts.len();
    let silent = {
        let mut silent = completed.clone();
        silent["usage"] = Value::Null;
        silent
    };
    let ends = match output.shape {
        UsageShape::Twice => vec![completed, completed],
        UsageShape::AfterDone => vec![&silent, completed],
        _ => vec![completed],
    };
    for end in ends {
        events.push(json!({ "type": format!("response.{}", status(output)), "response": end }));
    }
    Rendered::events(events.parts, terminal, output.produced.reasoning)
}

/// Whole output items, in order.
fn items(output: &Output) -> Vec<Value> {
    let reasoning = output.thinking.iter().map(|thinking| {
        json!({
            "id": "rs_fake0001",
            "type": "reasoning",
            "summary": [{ "type": "summary_text", "text": thinking.text }],
            "encrypted_content": thinking.signature,
        })
    });
    let text = output.said.concat();
    let message = (!text.is_empty()).then(|| {
        json!({
            "id": "msg_fake0001",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [text_part(&text)],
        })
    });
    let calls = output.tool_calls.iter().enumerate().map(|(index, call)| {
        json!({
            "id": format!("fc_fake{index:04}"),
            "type": "function_call",
            "status": "completed",
            "call_id": format!("call_fake{index:04}"),
            "name": call.name,
            "arguments": call.arguments.to_string(),
        })
    });
    reasoning.chain(message).chain(calls).collect()
}

fn text_part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

fn message(events: &mut Events, index: usize, item: &Value, output: &Output) {
    let mut empty = item.clone();
    empty["status"] = "in_progress".into();
    empty["content"] = json!([]);
    around(events, index, &empty, item, |events| {
        let at = |kind: &str| json!({ "type": kind, "item_id": item["id"], "output_index": index, "content_index": 0 });
        let with = |kind: &str, field: &str, value: Value| {
            let mut event = at(kind);
            event[field] = value;
            event
        };
        events.push(with("response.content_part.added", "part", text_part("")));
        for token in &output.said {
            let mut delta = with("response.output_text.delta", "delta", token.as_str().into());
            delta["logprobs"] = json!([]);
            events.push_tokens(delta, 1);
        }
        let part = &item["content"][0];
        let mut done = with("response.output_text.done", "text", part["text"].clone());
        done["logprobs"] = json!([]);
        events.push(done);
        events.push(with("response.content_part.done", "part", part.clone()));
    });
}

fn function_call(events: &mut Events, index: usize, item: &Value) {
    let mut empty = item.clone();
    empty["status"] = "in_progress".into();
    empty["arguments"] = "".into();
    around(events, index, &empty, item, |events| {
        let arguments = item["arguments"].as_str().unwrap_or_default();
        let (left, right) = arguments.split_at(arguments.floor_char_boundary(arguments.len() / 2));
        for (half, tokens) in [(left, 1), (right, 0)] {
            let delta = json!({
                "type": "response.function_call_arguments.delta",
                "item_id": item["id"],
                "output_index": index,
                "delta": half,
            });
            events.push_tokens(delta, tokens);
        }
        events.push(json!({
            "type": "response.function_call_arguments.done",
            "item_id": item["id"],
            "output_index": index,
            "name": item["name"],
            "arguments": arguments,
        }));
    });
}

/// `output_item.added`, what `fill` pushes, `output_item.done`.
fn around(
    events: &mut Events,
    index: usize,
    before: &Value,
    after: &Value,
    fill: impl FnOnce(&mut Events),
) {
    events.push(
        json!({ "type": "response.output_item.added", "output_index": index, "item": before }),
    );
    fill(events);
    events
        .push(json!({ "type": "response.output_item.done", "output_index": index, "item": after }));
}

fn usage(counts: Counts) -> Value {
    json!({
        "input_tokens": counts.whole_input(),
        "input_tokens_details": { "cached_tokens": counts.cached },
        "output_tokens": counts.output,
        "output_tokens_details": { "reasoning_tokens": counts.reasoning },
        "total_tokens": counts.whole_input() + counts.output,
    })
}
