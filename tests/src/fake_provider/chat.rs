//! Chat completions, streamed and whole.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    Answer, UsageShape,
    answer::Counts,
    endpoint::{Rendered, data, wants_stream},
};

const ID: &str = "chatcmpl-fake0001";
const CREATED: u64 = 1_767_225_600;

/// Renders `answer` to the chat request `asked`.
pub(super) fn render(asked: &Value, answer: &Answer) -> Rendered {
    if wants_stream(asked) {
        stream(asked, answer)
    } else {
        Rendered::json(&whole(asked, answer))
    }
}

fn whole(asked: &Value, answer: &Answer) -> Value {
    let text = answer.said().concat();
    let mut message = json!({
        "role": "assistant",
        "content": if text.is_empty() { Value::Null } else { Value::from(text) },
        "refusal": null,
        "annotations": [],
    });
    if !answer.tool_calls.is_empty() {
        message["tool_calls"] = (0..answer.tool_calls.len())
            .map(|i| tool_call(answer, i))
            .collect();
    }
    let mut body = json!({
        "id": ID,
        "object": "chat.completion",
        "created": CREATED,
        "model": asked["model"],
        "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason(answer) }],
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
    });
    match answer.usage.shape {
        UsageShape::Missing => {}
        UsageShape::Null => body["usage"] = Value::Null,
        _ => body["usage"] = usage(answer.counts()),
    }
    body
}

fn stream(asked: &Value, answer: &Answer) -> Rendered {
    let asked_usage = asked["stream_options"]["include_usage"].as_bool() == Some(true);
    let shape = answer.usage.shape;
    let mut parts = Vec::new();
    let mut said = 0;
    let mut push = |delta: Value, finish: Value| {
        let mut chunk = chunk(
            asked,
            json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]),
        );
        if shape == UsageShape::Cumulative {
            chunk["usage"] = usage(Counts {
                output: said,
                ..answer.counts()
            });
            said += 1;
        } else if asked_usage {
            chunk["usage"] = Value::Null;
        }
        parts.push(data(&chunk));
    };
    push(
        json!({ "role": "assistant", "content": "", "refusal": null }),
        Value::Null,
    );
    for token in answer.said() {
        push(json!({ "content": token }), Value::Null);
    }
    for index in 0..answer.tool_calls.len() {
        for delta in tool_call_deltas(answer, index) {
            push(json!({ "tool_calls": [delta] }), Value::Null);
        }
    }
    push(json!({}), Value::from(finish_reason(answer)));
    let terminal = parts.len() - 1;
    parts.extend(ending(asked, answer, asked_usage));
    Rendered::events(parts, terminal)
}

/// The usage chunk, where the shape puts it, and `[DONE]`.
fn ending(asked: &Value, answer: &Answer, asked_usage: bool) -> Vec<Bytes> {
    let done = Bytes::from_static(b"data: [DONE]\n\n");
    let mut report = chunk(asked, json!([]));
    report["usage"] = match answer.usage.shape {
        UsageShape::Null => Value::Null,
        _ => usage(answer.counts()),
    };
    let report = data(&report);
    match answer.usage.shape {
        UsageShape::Missing => vec![done],
        _ if !asked_usage => vec![done],
        UsageShape::Twice => vec![report.clone(), report, done],
        UsageShape::AfterDone => vec![done, report],
        _ => vec![report, done],
    }
}

fn chunk(asked: &Value, choices: Value) -> Value {
    let mut chunk = json!({
        "id": ID,
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": asked["model"],
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
    });
    chunk["choices"] = choices;
    chunk
}

fn tool_call(answer: &Answer, index: usize) -> Value {
    let call = &answer.tool_calls[index];
    json!({
        "id": format!("call_fake{index:04}"),
        "type": "function",
        "function": { "name": call.name, "arguments": call.arguments.to_string() },
    })
}

/// Name first, then the arguments in two halves.
fn tool_call_deltas(answer: &Answer, index: usize) -> [Value; 3] {
    let mut head = tool_call(answer, index);
    head["index"] = index.into();
    head["function"]["arguments"] = "".into();
    let arguments = answer.tool_calls[index].arguments.to_string();
    let (left, right) = arguments.split_at(arguments.floor_char_boundary(arguments.len() / 2));
    let rest = |half: &str| json!({ "index": index, "function": { "arguments": half } });
    [head, rest(left), rest(right)]
}

fn finish_reason(answer: &Answer) -> &'static str {
    if answer.tool_calls.is_empty() {
        "stop"
    } else {
        "tool_calls"
    }
}

fn usage(counts: Counts) -> Value {
    let output = counts.output + counts.audio_output;
    json!({
        "prompt_tokens": counts.whole_input(),
        "completion_tokens": output,
        "total_tokens": counts.whole_input() + output,
        "prompt_tokens_details": { "cached_tokens": counts.cached, "audio_tokens": counts.audio_input },
        "completion_tokens_details": {
            "reasoning_tokens": counts.reasoning,
            "audio_tokens": counts.audio_output,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}
