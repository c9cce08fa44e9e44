//! Anthropic messages, streamed and whole.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    UsageShape,
    endpoint::{Parts, Rendered, event, wants_stream},
    output::{Counts, Output},
};

const ID: &str = "msg_fake0001";

/// Renders `output` to the messages request `asked`.
pub(super) fn render(asked: &Value, output: &Output) -> Rendered {
    if wants_stream(asked) {
        stream(asked, output)
    } else {
        Rendered::json(&whole(asked, output))
    }
}

fn whole(asked: &Value, output: &Output) -> Value {
    let mut body = message(asked, &blocks(output));
    body["stop_reason"] = stop_reason(output).into();
    match output.shape {
        UsageShape::Missing => {}
        UsageShape::Null => body["usage"] = Value::Null,
        _ => body["usage"] = usage(output.counts(), output.counts().output),
    }
    body
}

fn stream(asked: &Value, output: &Output) -> Rendered {
    let mut parts = Parts::default();
    parts.push(event(&start(asked, output)));
    let mut said = 0;
    for (index, block) in blocks(output).into_iter().enumerate() {
        let (empty, deltas) = pieces(&block, output);
        parts.push(event(
            &json!({ "type": "content_block_start", "index": index, "content_block": empty }),
        ));
        if index == 0 {
            parts.push(event(&json!({ "type": "ping" })));
        }
        for (delta, tokens) in deltas {
            said += 1;
            parts.push_tokens(
                event(&json!({ "type": "content_block_delta", "index": index, "delta": delta })),
                tokens,
            );
            if output.shape == UsageShape::Cumulative {
                parts.push(event(&json!({
                    "type": "message_delta",
                    "delta": { "stop_reason": null, "stop_sequence": null },
                    "usage": { "output_tokens": said },
                })));
            }
        }
        parts.push(event(
            &json!({ "type": "content_block_stop", "index": index }),
        ));
    }
    let terminal = parts.len();
    parts.extend(ending(output));
    Rendered::events(parts, terminal, output.produced.reasoning)
}

fn start(asked: &Value, output: &Output) -> Value {
    let mut message = message(asked, &[]);
    match output.shape {
        UsageShape::Missing => {}
        UsageShape::Null => message["usage"] = Value::Null,
        // A provider that puts its report last has nothing to say at the start.
        UsageShape::AfterDone => message["usage"] = usage(Counts::default(), 0),
        _ => message["usage"] = usage(output.counts(), output.counts().output.min(1)),
    }
    json!({ "type": "message_start", "message": message })
}

/// `message_delta` with the usage, where the shape puts it, and `message_stop`.
fn ending(output: &Output) -> Vec<Bytes> {
    let counts = output.counts();
    let stop = event(&json!({ "type": "message_stop" }));
    let delta = |usage: Option<Value>| {
        let mut delta = json!({
            "type": "message_delta",
            "delta": { "stop_reason": stop_reason(output), "stop_sequence": null },
        });
        if let Some(usage) = usage {
            delta["usage"] = usage;
        }
        event(&delta)
    };
    let report = Some(json!({ "output_tokens": counts.output }));
    match output.shape {
        UsageShape::Missing => vec![delta(None), stop],
        UsageShape::Null => vec![delta(Some(Value::Null)), stop],
        UsageShape::Twice => vec![delta(report.clone()), delta(report), stop],
        UsageShape::AfterDone => vec![delta(None), stop, delta(Some(usage(counts, counts.output)))],
        UsageShape::Documented | UsageShape::Zero | UsageShape::Cumulative => {
            vec![delta(report), stop]
        }
    }
}

fn message(asked: &Value, content: &[Value]) -> Value {
    json!({
        "id": ID,
        "type": "message",
        "role": "assistant",
        "model": asked["model"],
        "content": content,
        "stop_reason": null,
        "stop_sequence": null,
    })
}

/// Whole content blocks, in order.
fn blocks(output: &Output) -> Vec<Value> {
    let thinking = output.thinking.iter().map(|thinking| {
        json!({ "type": "thinking", "thinking": thinking.text, "signature": thinking.signature })
    });
    let text = output.said.concat();
    let text = (!text.is_empty()).then(|| json!({ "type": "text", "text": text }));
    let calls = output.tool_calls.iter().enumerate().map(|(index, call)| {
        json!({
            "type": "tool_use",
            "id": format!("toolu_fake{index:04}"),
            "name": call.name,
            "input": call.arguments,
        })
    });
    thinking.chain(text).chain(calls).collect()
}

/// A block as it starts, and the deltas that fill it with the tokens produced for each.
fn pieces(block: &Value, output: &Output) -> (Value, Vec<(Value, u64)>) {
    let mut empty = block.clone();
    let deltas = match block["type"].as_str() {
        Some("thinking") => {
            empty["thinking"] = "".into();
            empty["signature"] = "".into();
            vec![
                (
                    json!({ "type": "thinking_delta", "thinking": block["thinking"] }),
                    0,
                ),
                (
                    json!({ "type": "signature_delta", "signature": block["signature"] }),
                    0,
                ),
            ]
        }
        Some("tool_use") => {
            empty["input"] = json!({});
            let input = block["input"].to_string();
            let (left, right) = input.split_at(input.floor_char_boundary(input.len() / 2));
            [("", 1), (left, 0), (right, 0)]
                .map(|(part, tokens)| {
                    (
                        json!({ "type": "input_json_delta", "partial_json": part }),
                        tokens,
                    )
                })
                .into()
        }
        _ => {
            empty["text"] = "".into();
            let delta = |token: &String| (json!({ "type": "text_delta", "text": token }), 1);
            output.said.iter().map(delta).collect()
        }
    };
    (empty, deltas)
}

fn stop_reason(output: &Output) -> &'static str {
    if output.is_cut_short {
        "max_tokens"
    } else if output.tool_calls.is_empty() {
        "end_turn"
    } else {
        "tool_use"
    }
}

fn usage(counts: Counts, output: u64) -> Value {
    json!({
        "input_tokens": counts.input,
        "cache_creation_input_tokens": counts.write_5m + counts.write_1h,
        "cache_read_input_tokens": counts.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": counts.write_5m,
            "ephemeral_1h_input_tokens": counts.write_1h,
        },
        "output_tokens": output,
        "service_tier": "standard",
    })
}
