//! Streams in the shape in which the providers send them: reasoning, text, a call; one event a line.

pub(super) const CHAT: &str = r#"{"id":"chatcmpl-9","object":"chat.completion.chunk","created":1789999999,"model":"m-1","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null}
{"id":"chatcmpl-9","object":"chat.completion.chunk","created":1789999999,"model":"m-1","choices":[{"index":0,"delta":{"reasoning_content":"hm"},"finish_reason":null}],"usage":null}
{"id":"chatcmpl-9","object":"chat.completion.chunk","created":1789999999,"model":"m-1","choices":[{"index":0,"delta":{"content":"Reading"},"finish_reason":null}],"usage":null}
{"id":"chatcmpl-9","object":"chat.completion.chunk","created":1789999999,"model":"m-1","choices":[{"index":1,"delta":{"role":"assistant","content":"No"},"finish_reason":null}],"usage":null}
{"id":"chatcmpl-9","object":"chat.completion.chunk","created":1789999999,"model":"m-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"read","arguments":""}}]},"finish_reason":null}],"usage":null}
{"id":"chatcmpl-9","object":"chat.completion.chunk","created":1789999999,"model":"m-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"pa"}}]},"finish_reason":null}],"usage":null}
{"id":"chatcmpl-9","object":"chat.completion.chunk","created":1789999999,"model":"m-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"th\":1}"}}]},"finish_reason":null}],"usage":null}
{"id":"chatcmpl-9","object":"chat.completion.chunk","created":1789999999,"model":"m-1","choices":[{"index":1,"delta":{},"finish_reason":"stop"}],"usage":null}
{"id":"chatcmpl-9","object":"chat.completion.chunk","created":1789999999,"model":"m-1","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}],"usage":null}
{"id":"chatcmpl-9","object":"chat.completion.chunk","created":1789999999,"model":"m-1","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14}}
[DONE]"#;

pub(super) const MESSAGE: &str = r#"{"type":"message_start","message":{"id":"msg_9","type":"message","role":"assistant","model":"m-1","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"cache_read_input_tokens":10,"output_tokens":3}}}
{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}
{"type":"ping"}
{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}
{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB"}}
{"type":"content_block_stop","index":0}
{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}
{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Reading"}}
{"type":"content_block_stop","index":1}
{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"read","input":{}}}
{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"pa"}}
{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"th\":1}"}}
{"type":"content_block_stop","index":2}
{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":3}}
{"type":"message_stop"}"#;

pub(super) const RESPONSE: &str = r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_9","object":"response","created_at":1789999999,"status":"queued","error":null,"incomplete_details":null,"instructions":"Be \"brief\".","model":"m-1","output":[],"parallel_tool_calls":true,"tools":[{"type":"function","name":"read"}],"usage":null,"metadata":{}}}
{"type":"response.in_progress","sequence_number":1,"response":{"id":"resp_9","object":"response","created_at":1789999999,"status":"in_progress","error":null,"incomplete_details":null,"instructions":"Be \"brief\".","model":"m-1","output":[],"parallel_tool_calls":true,"tools":[{"type":"function","name":"read"}],"usage":null,"metadata":{}}}
{"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}}
{"type":"response.reasoning_summary_part.added","sequence_number":3,"item_id":"rs_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}}
{"type":"response.reasoning_summary_text.delta","sequence_number":4,"item_id":"rs_1","output_index":0,"summary_index":0,"delta":"hm"}
{"type":"response.reasoning_summary_text.done","sequence_number":5,"item_id":"rs_1","output_index":0,"summary_index":0,"text":"hm"}
{"type":"response.reasoning_summary_part.done","sequence_number":6,"item_id":"rs_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":"hm"}}
{"type":"response.output_item.done","sequence_number":7,"output_index":0,"item":{"id":"rs_1","type":"reasoning","encrypted_content":"gAAA","summary":[{"type":"summary_text","text":"hm"}]}}
{"type":"response.output_item.added","sequence_number":8,"output_index":1,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}}
{"type":"response.content_part.added","sequence_number":9,"item_id":"msg_1","output_index":1,"content_index":0,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":""}}
{"type":"response.output_text.delta","sequence_number":10,"item_id":"msg_1","output_index":1,"content_index":0,"delta":"Rea","logprobs":[]}
{"type":"response.output_text.delta","sequence_number":11,"item_id":"msg_1","output_index":1,"content_index":0,"delta":"ding","logprobs":[]}
{"type":"response.output_text.annotation.added","sequence_number":12,"item_id":"msg_1","output_index":1,"content_index":0,"annotation_index":0,"annotation":{"type":"url_citation","url":"https://example.com","start_index":0,"end_index":7,"title":"a"}}
{"type":"response.output_text.done","sequence_number":13,"item_id":"msg_1","output_index":1,"content_index":0,"text":"Reading","logprobs":[]}
{"type":"response.content_part.done","sequence_number":14,"item_id":"msg_1","output_index":1,"content_index":0,"part":{"type":"output_text","annotations":[{"type":"url_citation","url":"https://example.com","start_index":0,"end_index":7,"title":"a"}],"logprobs":[],"text":"Reading"}}
{"type":"response.output_item.done","sequence_number":15,"output_index":1,"item":{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[{"type":"url_citation","url":"https://example.com","start_index":0,"end_index":7,"title":"a"}],"logprobs":[],"text":"Reading"}]}}
{"type":"response.output_item.added","sequence_number":16,"output_index":2,"item":{"id":"fc_1","type":"function_call","status":"in_progress","arguments":"","call_id":"call_1","name":"read"}}
{"type":"response.function_call_arguments.delta","sequence_number":17,"item_id":"fc_1","output_index":2,"delta":"{\"pa"}
{"type":"response.function_call_arguments.delta","sequence_number":18,"item_id":"fc_1","output_index":2,"delta":"th\":1}"}
{"type":"response.function_call_arguments.done","sequence_number":19,"item_id":"fc_1","output_index":2,"name":"read","arguments":"{\"path\":1}"}
{"type":"response.output_item.done","sequence_number":20,"output_index":2,"item":{"id":"fc_1","type":"function_call","status":"completed","arguments":"{\"path\":1}","call_id":"call_1","name":"read"}}
{"type":"response.output_item.added","sequence_number":21,"output_index":3,"item":{"id":"ws_1","type":"web_search_call","status":"in_progress"}}
{"type":"response.output_item.done","sequence_number":22,"output_index":3,"item":{"id":"ws_1","type":"web_search_call","status":"completed"}}
{"type":"response.completed","sequence_number":23,"response":{"id":"resp_9","object":"response","created_at":1789999999,"status":"completed","error":null,"incomplete_details":null,"model":"m-1","output":[{"id":"rs_1","type":"reasoning","encrypted_content":"gAAA","summary":[{"type":"summary_text","text":"hm"}]},{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[{"type":"url_citation","url":"https://example.com","start_index":0,"end_index":7,"title":"a"}],"logprobs":[],"text":"Reading"}]},{"id":"fc_1","type":"function_call","status":"completed","arguments":"{\"path\":1}","call_id":"call_1","name":"read"},{"id":"ws_1","type":"web_search_call","status":"completed"}],"usage":{"input_tokens":11,"output_tokens":3,"total_tokens":14}}}"#;
