//! Calls of functions, and log-probabilities.

use super::*;

fn call(name: &str, arguments: &str) -> ToolCall {
    ToolCall {
        name: name.to_owned(),
        arguments: arguments.to_owned(),
    }
}

/// A text, whose last token is half a character, and two calls.
fn answer() -> Answer {
    let token = |bytes: &[u8], logprob, top: &[(&[u8], f32)]| TokenLogprob {
        bytes: bytes.to_vec(),
        logprob,
        top: top.iter().map(|(bytes, p)| (bytes.to_vec(), *p)).collect(),
    };
    Answer {
        text: "Hi é".to_owned(),
        tokens: vec![
            token(b"Hi", -0.25, &[(b"Hi", -0.25), (b"Yo", -1.5)]),
            token(b" \xc3", -2.0, &[(b" ", f32::NEG_INFINITY)]),
            token(b"\xa9", 0.0, &[]),
        ],
        calls: vec![call("weather", r#"{"city": "Zürich"}"#), call("now", "{}")],
    }
}

fn calls_alone() -> Answer {
    Answer {
        calls: answer().calls,
        ..Answer::default()
    }
}

fn streamed(endpoint: Endpoint, answer: &Answer, stop: &Stop) -> Bytes {
    let mut emitter = emitter(endpoint);
    let mut bytes = emitter.start(USAGE.input()).to_vec();
    if !answer.text.is_empty() {
        let (first, rest) = answer.tokens.split_at(1.min(answer.tokens.len()));
        bytes.extend_from_slice(&emitter.text("Hi", first));
        bytes.extend_from_slice(&emitter.text(" é", rest));
    }
    for call in &answer.calls {
        bytes.extend_from_slice(&emitter.call(call));
    }
    bytes.extend_from_slice(&emitter.finish(stop, &USAGE));
    Bytes::from(bytes)
}

fn body(endpoint: Endpoint, answer: &Answer, stop: &Stop) -> String {
    text(&emitter(endpoint).body(answer, stop, &USAGE))
}

#[test]
fn a_chat_stream() {
    insta::assert_snapshot!(text(&streamed(Endpoint::ChatCompletions, &answer(), &Stop::ToolCalls)), @r#"
    data: {"id":"chatcmpl-01","object":"chat.completion.chunk","created":1790000000,"model":"gemma-3-270m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null}

    data: {"id":"chatcmpl-01","object":"chat.completion.chunk","created":1790000000,"model":"gemma-3-270m","choices":[{"index":0,"delta":{"content":"Hi"},"logprobs":{"content":[{"token":"Hi","logprob":-0.25,"bytes":[72,105],"top_logprobs":[{"token":"Hi","logprob":-0.25,"bytes":[72,105]},{"token":"Yo","logprob":-1.5,"bytes":[89,111]}]}],"refusal":null},"finish_reason":null}],"usage":null}

    data: {"id":"chatcmpl-01","object":"chat.completion.chunk","created":1790000000,"model":"gemma-3-270m","choices":[{"index":0,"delta":{"content":" é"},"logprobs":{"content":[{"token":"\\x20\\xc3","logprob":-2.0,"bytes":[32,195],"top_logprobs":[{"token":" ","logprob":-9999.0,"bytes":[32]}]},{"token":"\\xa9","logprob":0.0,"bytes":[169],"top_logprobs":[]}],"refusal":null},"finish_reason":null}],"usage":null}

    data: {"id":"chatcmpl-01","object":"chat.completion.chunk","created":1790000000,"model":"gemma-3-270m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_01_0","type":"function","function":{"name":"weather","arguments":""}}]},"logprobs":null,"finish_reason":null}],"usage":null}

    data: {"id":"chatcmpl-01","object":"chat.completion.chunk","created":1790000000,"model":"gemma-3-270m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\": \"Zürich\"}"}}]},"logprobs":null,"finish_reason":null}],"usage":null}

    data: {"id":"chatcmpl-01","object":"chat.completion.chunk","created":1790000000,"model":"gemma-3-270m","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_01_1","type":"function","function":{"name":"now","arguments":""}}]},"logprobs":null,"finish_reason":null}],"usage":null}

    data: {"id":"chatcmpl-01","object":"chat.completion.chunk","created":1790000000,"model":"gemma-3-270m","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]},"logprobs":null,"finish_reason":null}],"usage":null}

    data: {"id":"chatcmpl-01","object":"chat.completion.chunk","created":1790000000,"model":"gemma-3-270m","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"tool_calls"}],"usage":null}

    data: {"id":"chatcmpl-01","object":"chat.completion.chunk","created":1790000000,"model":"gemma-3-270m","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}

    data: [DONE]
    "#);
}

#[test]
fn a_response_stream() {
    insta::assert_snapshot!(text(&streamed(Endpoint::Responses, &answer(), &Stop::ToolCalls)), @r#"
    event: response.created
    data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_01","object":"response","created_at":1790000000,"status":"in_progress","error":null,"incomplete_details":null,"model":"gemma-3-270m","output":[],"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"usage":null}}

    event: response.in_progress
    data: {"type":"response.in_progress","sequence_number":1,"response":{"id":"resp_01","object":"response","created_at":1790000000,"status":"in_progress","error":null,"incomplete_details":null,"model":"gemma-3-270m","output":[],"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"usage":null}}

    event: response.output_item.added
    data: {"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"msg_01","type":"message","status":"in_progress","role":"assistant","content":[]}}

    event: response.content_part.added
    data: {"type":"response.content_part.added","sequence_number":3,"item_id":"msg_01","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[],"logprobs":[]}}

    event: response.output_text.delta
    data: {"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_01","output_index":0,"content_index":0,"delta":"Hi","logprobs":[{"token":"Hi","logprob":-0.25,"bytes":[72,105],"top_logprobs":[{"token":"Hi","logprob":-0.25,"bytes":[72,105]},{"token":"Yo","logprob":-1.5,"bytes":[89,111]}]}]}

    event: response.output_text.delta
    data: {"type":"response.output_text.delta","sequence_number":5,"item_id":"msg_01","output_index":0,"content_index":0,"delta":" é","logprobs":[{"token":"\\x20\\xc3","logprob":-2.0,"bytes":[32,195],"top_logprobs":[{"token":" ","logprob":-9999.0,"bytes":[32]}]},{"token":"\\xa9","logprob":0.0,"bytes":[169],"top_logprobs":[]}]}

    event: response.output_text.done
    data: {"type":"response.output_text.done","sequence_number":6,"item_id":"msg_01","output_index":0,"content_index":0,"text":"Hi é","logprobs":[{"token":"Hi","logprob":-0.25,"bytes":[72,105],"top_logprobs":[{"token":"Hi","logprob":-0.25,"bytes":[72,105]},{"token":"Yo","logprob":-1.5,"bytes":[89,111]}]},{"token":"\\x20\\xc3","logprob":-2.0,"bytes":[32,195],"top_logprobs":[{"token":" ","logprob":-9999.0,"bytes":[32]}]},{"token":"\\xa9","logprob":0.0,"bytes":[169],"top_logprobs":[]}]}

    event: response.content_part.done
    data: {"type":"response.content_part.done","sequence_number":7,"item_id":"msg_01","output_index":0,"content_index":0,"part":{"type":"output_text","text":"Hi é","annotations":[],"logprobs":[{"token":"Hi","logprob":-0.25,"bytes":[72,105],"top_logprobs":[{"token":"Hi","logprob":-0.25,"bytes":[72,105]},{"token":"Yo","logprob":-1.5,"bytes":[89,111]}]},{"token":"\\x20\\xc3","logprob":-2.0,"bytes":[32,195],"top_logprobs":[{"token":" ","logprob":-9999.0,"bytes":[32]}]},{"token":"\\xa9","logprob":0.0,"bytes":[169],"top_logprobs":[]}]}}

    event: response.output_item.done
    data: {"type":"response.output_item.done","sequence_number":8,"output_index":0,"item":{"id":"msg_01","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hi é","annotations":[],"logprobs":[{"token":"Hi","logprob":-0.25,"bytes":[72,105],"top_logprobs":[{"token":"Hi","logprob":-0.25,"bytes":[72,105]},{"token":"Yo","logprob":-1.5,"bytes":[89,111]}]},{"token":"\\x20\\xc3","logprob":-2.0,"bytes":[32,195],"top_logprobs":[{"token":" ","logprob":-9999.0,"bytes":[32]}]},{"token":"\\xa9","logprob":0.0,"bytes":[169],"top_logprobs":[]}]}]}}

    event: response.output_item.added
    data: {"type":"response.output_item.added","sequence_number":9,"output_index":1,"item":{"id":"fc_01_0","type":"function_call","status":"in_progress","call_id":"call_01_0","name":"weather","arguments":""}}

    event: response.function_call_arguments.delta
    data: {"type":"response.function_call_arguments.delta","sequence_number":10,"item_id":"fc_01_0","output_index":1,"delta":"{\"city\": \"Zürich\"}"}

    event: response.function_call_arguments.done
    data: {"type":"response.function_call_arguments.done","sequence_number":11,"item_id":"fc_01_0","output_index":1,"name":"weather","arguments":"{\"city\": \"Zürich\"}"}

    event: response.output_item.done
    data: {"type":"response.output_item.done","sequence_number":12,"output_index":1,"item":{"id":"fc_01_0","type":"function_call","status":"completed","call_id":"call_01_0","name":"weather","arguments":"{\"city\": \"Zürich\"}"}}

    event: response.output_item.added
    data: {"type":"response.output_item.added","sequence_number":13,"output_index":2,"item":{"id":"fc_01_1","type":"function_call","status":"in_progress","call_id":"call_01_1","name":"now","arguments":""}}

    event: response.function_call_arguments.delta
    data: {"type":"response.function_call_arguments.delta","sequence_number":14,"item_id":"fc_01_1","output_index":2,"delta":"{}"}

    event: response.function_call_arguments.done
    data: {"type":"response.function_call_arguments.done","sequence_number":15,"item_id":"fc_01_1","output_index":2,"name":"now","arguments":"{}"}

    event: response.output_item.done
    data: {"type":"response.output_item.done","sequence_number":16,"output_index":2,"item":{"id":"fc_01_1","type":"function_call","status":"completed","call_id":"call_01_1","name":"now","arguments":"{}"}}

    event: response.completed
    data: {"type":"response.completed","sequence_number":17,"response":{"id":"resp_01","object":"response","created_at":1790000000,"status":"completed","error":null,"incomplete_details":null,"model":"gemma-3-270m","output":[{"id":"msg_01","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hi é","annotations":[],"logprobs":[{"token":"Hi","logprob":-0.25,"bytes":[72,105],"top_logprobs":[{"token":"Hi","logprob":-0.25,"bytes":[72,105]},{"token":"Yo","logprob":-1.5,"bytes":[89,111]}]},{"token":"\\x20\\xc3","logprob":-2.0,"bytes":[32,195],"top_logprobs":[{"token":" ","logprob":-9999.0,"bytes":[32]}]},{"token":"\\xa9","logprob":0.0,"bytes":[169],"top_logprobs":[]}]}]},{"id":"fc_01_0","type":"function_call","status":"completed","call_id":"call_01_0","name":"weather","arguments":"{\"city\": \"Zürich\"}"},{"id":"fc_01_1","type":"function_call","status":"completed","call_id":"call_01_1","name":"now","arguments":"{}"}],"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"usage":{"input_tokens":11,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":14}}}
    "#);
}

#[test]
fn a_message_stream() {
    insta::assert_snapshot!(text(&streamed(Endpoint::Messages, &answer(), &Stop::ToolCalls)), @r#"
    event: message_start
    data: {"type":"message_start","message":{"id":"msg_01","type":"message","role":"assistant","model":"gemma-3-270m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":11,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":0}}}

    event: content_block_start
    data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" é"}}

    event: content_block_stop
    data: {"type":"content_block_stop","index":0}

    event: content_block_start
    data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_01_0","name":"weather","input":{}}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"city\": \"Zürich\"}"}}

    event: content_block_stop
    data: {"type":"content_block_stop","index":1}

    event: content_block_start
    data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_01_1","name":"now","input":{}}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{}"}}

    event: content_block_stop
    data: {"type":"content_block_stop","index":2}

    event: message_delta
    data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":11,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":3}}

    event: message_stop
    data: {"type":"message_stop"}
    "#);
}

#[test]
fn bodies() {
    insta::assert_snapshot!(body(Endpoint::ChatCompletions, &answer(), &Stop::ToolCalls), @r#"{"id":"chatcmpl-01","object":"chat.completion","created":1790000000,"model":"gemma-3-270m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi é","refusal":null,"annotations":[],"tool_calls":[{"id":"call_01_0","type":"function","function":{"name":"weather","arguments":"{\"city\": \"Zürich\"}"}},{"id":"call_01_1","type":"function","function":{"name":"now","arguments":"{}"}}]},"logprobs":{"content":[{"token":"Hi","logprob":-0.25,"bytes":[72,105],"top_logprobs":[{"token":"Hi","logprob":-0.25,"bytes":[72,105]},{"token":"Yo","logprob":-1.5,"bytes":[89,111]}]},{"token":"\\x20\\xc3","logprob":-2.0,"bytes":[32,195],"top_logprobs":[{"token":" ","logprob":-9999.0,"bytes":[32]}]},{"token":"\\xa9","logprob":0.0,"bytes":[169],"top_logprobs":[]}],"refusal":null},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}"#);
    insta::assert_snapshot!(body(Endpoint::Responses, &answer(), &Stop::ToolCalls), @r#"{"id":"resp_01","object":"response","created_at":1790000000,"status":"completed","error":null,"incomplete_details":null,"model":"gemma-3-270m","output":[{"id":"msg_01","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hi é","annotations":[],"logprobs":[{"token":"Hi","logprob":-0.25,"bytes":[72,105],"top_logprobs":[{"token":"Hi","logprob":-0.25,"bytes":[72,105]},{"token":"Yo","logprob":-1.5,"bytes":[89,111]}]},{"token":"\\x20\\xc3","logprob":-2.0,"bytes":[32,195],"top_logprobs":[{"token":" ","logprob":-9999.0,"bytes":[32]}]},{"token":"\\xa9","logprob":0.0,"bytes":[169],"top_logprobs":[]}]}]},{"id":"fc_01_0","type":"function_call","status":"completed","call_id":"call_01_0","name":"weather","arguments":"{\"city\": \"Zürich\"}"},{"id":"fc_01_1","type":"function_call","status":"completed","call_id":"call_01_1","name":"now","arguments":"{}"}],"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"usage":{"input_tokens":11,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":14}}"#);
    insta::assert_snapshot!(body(Endpoint::Messages, &answer(), &Stop::ToolCalls), @r#"{"id":"msg_01","type":"message","role":"assistant","model":"gemma-3-270m","content":[{"type":"text","text":"Hi é"},{"type":"tool_use","id":"toolu_01_0","name":"weather","input":{"city": "Zürich"}},{"type":"tool_use","id":"toolu_01_1","name":"now","input":{}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":11,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":3}}"#);
}

#[test]
fn bodies_of_calls_alone() {
    insta::assert_snapshot!(body(Endpoint::ChatCompletions, &calls_alone(), &Stop::ToolCalls), @r#"{"id":"chatcmpl-01","object":"chat.completion","created":1790000000,"model":"gemma-3-270m","choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":null,"annotations":[],"tool_calls":[{"id":"call_01_0","type":"function","function":{"name":"weather","arguments":"{\"city\": \"Zürich\"}"}},{"id":"call_01_1","type":"function","function":{"name":"now","arguments":"{}"}}]},"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}"#);
    insta::assert_snapshot!(body(Endpoint::Responses, &calls_alone(), &Stop::MaxTokens), @r#"{"id":"resp_01","object":"response","created_at":1790000000,"status":"incomplete","error":null,"incomplete_details":{"reason":"max_output_tokens"},"model":"gemma-3-270m","output":[{"id":"fc_01_0","type":"function_call","status":"completed","call_id":"call_01_0","name":"weather","arguments":"{\"city\": \"Zürich\"}"},{"id":"fc_01_1","type":"function_call","status":"completed","call_id":"call_01_1","name":"now","arguments":"{}"}],"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"usage":{"input_tokens":11,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":14}}"#);
    insta::assert_snapshot!(body(Endpoint::Messages, &calls_alone(), &Stop::ToolCalls), @r#"{"id":"msg_01","type":"message","role":"assistant","model":"gemma-3-270m","content":[{"type":"tool_use","id":"toolu_01_0","name":"weather","input":{"city": "Zürich"}},{"type":"tool_use","id":"toolu_01_1","name":"now","input":{}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":11,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":3}}"#);
}

#[test]
fn a_stream_of_calls_alone_has_no_text() {
    let kinds = |endpoint| {
        let stream = events(streamed(endpoint, &calls_alone(), &Stop::ToolCalls));
        let names = stream
            .iter()
            .filter_map(|event| event.name.as_ref().map(text));
        names.collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(kinds(Endpoint::Responses), @"
    response.created
    response.in_progress
    response.output_item.added
    response.function_call_arguments.delta
    response.function_call_arguments.done
    response.output_item.done
    response.output_item.added
    response.function_call_arguments.delta
    response.function_call_arguments.done
    response.output_item.done
    response.completed
    ");
    insta::assert_snapshot!(kinds(Endpoint::Messages), @"
    message_start
    content_block_start
    content_block_delta
    content_block_stop
    content_block_start
    content_block_delta
    content_block_stop
    message_delta
    message_stop
    ");
}

#[test]
fn an_empty_answer_still_has_a_text() {
    for endpoint in GENERATING {
        let empty = Answer::default();
        let stream = text(&streamed(endpoint, &empty, &Stop::EndTurn));
        let body = body(endpoint, &empty, &Stop::EndTurn);
        let text = match endpoint {
            Endpoint::ChatCompletions => r#""content":"""#,
            _ => r#""text":"""#,
        };
        assert!(stream.contains(text), "{stream}");
        assert!(body.contains(text), "{body}");
    }
}

#[test]
fn text_after_a_call_is_another_block() {
    let says = |endpoint| {
        let mut emitter = emitter(endpoint);
        let parts = [
            emitter.start(1),
            emitter.text("a", &[]),
            emitter.call(&call("f", "{}")),
            emitter.text("b", &[]),
            emitter.finish(&Stop::EndTurn, &USAGE),
        ];
        text(&Bytes::from(parts.concat()))
    };
    let messages = says(Endpoint::Messages);
    assert!(
        messages.contains(r#""index":2,"delta":{"type":"text_delta","text":"b"}"#),
        "{messages}"
    );
    let responses = says(Endpoint::Responses);
    let delta = r#""item_id":"msg_01_1","output_index":2,"content_index":0,"delta":"b""#;
    assert!(responses.contains(delta), "{responses}");
}

#[test]
fn a_response_repeats_what_was_asked_of_tools() {
    let asked = r#"{"model":"m","input":"a","tools":[{"type":"function",
        "name":"f","parameters":{}}],"tool_choice":"required","parallel_tool_calls":false}"#;
    let view = RequestView::parse(
        Endpoint::Responses,
        asked.as_bytes(),
        crate::JsonLimits::default(),
    );
    let emitter = emitter(Endpoint::Responses).repeating(&view.unwrap(), asked.as_bytes());
    let body = text(&emitter.body(&hello(), &Stop::EndTurn, &USAGE));
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["tools"][0]["name"], "f");
    assert_eq!(body["tool_choice"], "required");
    assert_eq!(body["parallel_tool_calls"], false);
}

#[test]
fn our_own_tap_reads_calls() {
    for endpoint in GENERATING {
        for answer in [answer(), calls_alone()] {
            let mut tap = StreamTap::new(endpoint);
            for event in &events(streamed(endpoint, &answer, &Stop::ToolCalls)) {
                tap.observe(event).unwrap();
            }
            assert!(tap.is_complete());
            assert_eq!(tap.usage(), Some(USAGE));
            assert_eq!(tap.stop_reason(), Some(StopReason::ToolUse), "{endpoint}");
            let body = emitter(endpoint).body(&answer, &Stop::ToolCalls, &USAGE);
            let outcome = body_tap(endpoint, &body).unwrap();
            assert_eq!(outcome.stop_reason, Some(StopReason::ToolUse), "{endpoint}");
        }
    }
}
