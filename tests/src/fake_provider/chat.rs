//! Chat completions, streamed and whole.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    UsageShape,
    endpoint::{Parts, Rendered, data, wants_stream},
    output::{Counts, Output},
};

const ID: &str = "chatcmpl-fake0001";
const CREATED: u64 = 1_767_225_600;

/// Renders `output` to the chat request `asked`.
pub(super) fn render(asked: &Value, output: &Output) -> Rendered {
    if wants_stream(asked) {
        stream(asked, output)
    } else {
        Rendered::json(&whole(asked, output))
    }
}

fn whole(asked: &Value, output: &Output) -> Value {
    let text = output.said.concat();
    let mut message = json!({
        "role": "assistant",
        "content": if text.is_empty() { Value::Null } else { Value::from(text) },
        "refusal": null,
        "annotations": [],
    });
    if !output.tool_calls.is_empty() {
        message["tool_calls"] = (0..output.tool_calls.len())
            .map(|i| tool_call(output, i))
            .collect();
    }
    let mut body = json!({
        "id": ID,
        "object": "chat.completion",
        "created": CREATED,
        "model": asked["model"],
        "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason(output) }],
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
    });
    match output.shape {
        UsageShape::Missing => {}
        UsageShape::Null => body["usage"] = Value::Null,
        _ => body["usage"] = usage(output.counts()),
    }
    body
}

fn stream(asked: &Value, output: &Output) -> Rendered {
    let asked_usage = asked["stream_options"]["include_usage"].as_bool() == Some(true);
    let shape = output.shape;
    let mut parts = Parts::default();
    let mut said = 0;
    let mut push = |delta: Value, finish: Value, tokens: u64| {
        let mut chunk = chunk(
            asked,
            json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]),
        );
        if shape == UsageShape::Cumulative {
            chunk["usage"] = usage(Counts {
                output: said,
                ..output.counts()
            });
            said += 1;
        } else if asked_usage {
            chunk["usage"] = Value::Null;
        }
        parts.push_tokens(data(&chunk), tokens);
    };
    push(
        json!({ "role": "assistant", "content": "", "refusal": null }),
        Value::Null,
        0,
    );
    for token in &output.said {
        push(json!({ "content": token }), Value::Null, 1);
    }
    for index in 0..output.tool_calls.len() {
        for (place, delta) in tool_call_deltas(output, index).into_iter().enumerate() {
            push(
                json!({ "tool_calls": [delta] }),
                Value::Null,
                u64::from(place == 0),
            );
        }
    }
    push(json!({}), Value::from(finish_reason(output)), 0);
    let terminal = parts.len() - 1;
    parts.extend(ending(asked, output, asked_usage));
    Rendered::events(parts, terminal, output.produced.reasoning)
}

/// The usage chunk, where the shape puts it, and `[DONE]`.
fn ending(asked: &Value, output: &Output, asked_usage: bool) -> Vec<Bytes> {
    let done = Bytes::from_static(b"data: [DONE]\n\n");
    let mut report = chunk(asked, json!([]));
    report["usage"] = match output.shape {
        UsageShape::Null => Value::Null,
        _ => usage(output.counts()),
    };
    let report = data(&report);
    match output.shape {
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

fn tool_call(output: &Output, index: usize) -> Value {
    let call = &output.tool_calls[index];
    json!({
        "id": format!("call_fake{index:04}"),
        "type": "function",
        "function": { "name": call.name, "arguments": call.arguments.to_string() },
    })
}

/// Name first, then the arguments in two halves.
fn tool_call_deltas(output: &Output, index: usize) -> [Value; 3] {
    let mut head = tool_call(output, index);
    head["index"] = index.into();
    head["function"]["arguments"] = "".into();
    let arguments = output.tool_calls[index].arguments.to_string();
    let (left, right) = arguments.split_at(arguments.floor_char_boundary(arguments.len() / 2));
    let rest = |half: &str| json!({ "index": index, "function": { "arguments": half } });
    [head, rest(left), rest(right)]
}

fn finish_reason(output: &Output) -> &'static str {
    if output.is_cut_short {
        "length"
    } else if output.tool_calls.is_empty() {
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
