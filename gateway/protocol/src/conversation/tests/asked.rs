//! Functions, formats, log-probabilities: how the answer is to be made.

use serde_json::json;

use super::*;

fn asked(endpoint: Endpoint, members: &str) -> Result<Conversation, ConversationError> {
    let said = match endpoint {
        Endpoint::Responses => r#""input":"hi""#,
        _ => r#""messages":[{"role":"user","content":"hi"}]"#,
    };
    read(endpoint, &format!(r#"{{"model":"a",{said},{members}}}"#))
}

fn faults(cases: &[(Endpoint, &str)]) -> String {
    let lines: Vec<_> = cases
        .iter()
        .map(|(endpoint, members)| asked(*endpoint, members).expect_err(members).to_string())
        .collect();
    lines.join("\n")
}

const CHAT: Endpoint = Endpoint::ChatCompletions;
const RESPONSES: Endpoint = Endpoint::Responses;
const MESSAGES: Endpoint = Endpoint::Messages;

const CHAT_TOOLS: &str = r#""tools":[{"type":"function","function":{"name":"f","description":"Does it","parameters":{"type":"object","required":["a"]},"strict":true}},
    {"type":"function","function":{"name":"g"}}]"#;
const RESPONSES_TOOLS: &str = r#""tools":[{"type":"function","name":"f","description":"Does it","parameters":{"type":"object","required":["a"]},"strict":true},
    {"type":"function","name":"g","parameters":null}]"#;
const MESSAGES_TOOLS: &str = r#""tools":[{"name":"f","description":"Does it","input_schema":{"type":"object","required":["a"]}},
    {"type":"custom","name":"g","input_schema":{"type":"object","properties":{}}}]"#;

#[test]
fn functions_of_every_protocol_are_alike() {
    for (endpoint, tools) in [
        (CHAT, CHAT_TOOLS),
        (RESPONSES, RESPONSES_TOOLS),
        (MESSAGES, MESSAGES_TOOLS),
        (Endpoint::CountTokens, MESSAGES_TOOLS),
    ] {
        let conversation = asked(endpoint, tools).unwrap();
        let described = Function {
            name: "f".to_owned(),
            description: Some("Does it".to_owned()),
            parameters: json!({"type": "object", "required": ["a"]}),
        };
        let bare = Function {
            name: "g".to_owned(),
            description: None,
            parameters: json!({"type": "object", "properties": {}}),
        };
        assert_eq!(conversation.functions, [described, bare], "{endpoint}");
        assert_eq!(conversation.call_choice, CallChoice::Auto);
        assert!(conversation.parallel_calls);
        assert_eq!(conversation.left_out, []);
    }
}

#[test]
fn choices_of_every_spelling() {
    let f = || CallChoice::Named("f".to_owned());
    for (endpoint, tools, choice, expected, parallel) in [
        (CHAT, CHAT_TOOLS, r#""auto""#, CallChoice::Auto, true),
        (CHAT, CHAT_TOOLS, r#""none""#, CallChoice::None, true),
        (
            CHAT,
            CHAT_TOOLS,
            r#""required","parallel_tool_calls":false"#,
            CallChoice::Required,
            false,
        ),
        (
            CHAT,
            CHAT_TOOLS,
            r#"{"type":"function","function":{"name":"f"}}"#,
            f(),
            true,
        ),
        (
            RESPONSES,
            RESPONSES_TOOLS,
            r#"{"type":"function","name":"f"},"parallel_tool_calls":false"#,
            f(),
            false,
        ),
        (
            RESPONSES,
            RESPONSES_TOOLS,
            r#""required","parallel_tool_calls":true"#,
            CallChoice::Required,
            true,
        ),
        (
            MESSAGES,
            MESSAGES_TOOLS,
            r#"{"type":"any"}"#,
            CallChoice::Required,
            true,
        ),
        (
            MESSAGES,
            MESSAGES_TOOLS,
            r#"{"type":"none"}"#,
            CallChoice::None,
            true,
        ),
        (
            MESSAGES,
            MESSAGES_TOOLS,
            r#"{"type":"tool","name":"f","disable_parallel_tool_use":true}"#,
            f(),
            false,
        ),
        (
            MESSAGES,
            MESSAGES_TOOLS,
            r#"{"type":"auto","disable_parallel_tool_use":true}"#,
            CallChoice::Auto,
            false,
        ),
    ] {
        let conversation = asked(endpoint, &format!(r#"{tools},"tool_choice":{choice}"#)).unwrap();
        assert_eq!(conversation.call_choice, expected, "{choice}");
        assert_eq!(conversation.parallel_calls, parallel, "{choice}");
        assert_eq!(conversation.functions.len(), 2);
    }
}

#[test]
fn a_choice_may_leave_some_functions_out() {
    for (endpoint, tools, choice) in [
        (
            CHAT,
            CHAT_TOOLS,
            r#"{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"g"}}]}}"#,
        ),
        (
            RESPONSES,
            RESPONSES_TOOLS,
            r#"{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"g"},{"type":"web_search"}]}"#,
        ),
    ] {
        let conversation = asked(endpoint, &format!(r#"{tools},"tool_choice":{choice}"#)).unwrap();
        assert_eq!(conversation.call_choice, CallChoice::Required);
        assert_eq!(conversation.functions.len(), 1);
        assert_eq!(conversation.functions[0].name, "g");
    }
}

#[test]
fn choices_that_cannot_be_followed_are_named() {
    insta::assert_snapshot!(faults(&[
        (CHAT, r#""tool_choice":"required""#),
        (CHAT, &format!(r#"{CHAT_TOOLS},"tool_choice":{{"type":"function","function":{{"name":"h"}}}}"#)),
        (CHAT, &format!(r#"{CHAT_TOOLS},"tool_choice":{{"type":"custom","custom":{{"name":"f"}}}}"#)),
        (CHAT, &format!(r#"{CHAT_TOOLS},"tool_choice":{{"type":"function","function":{{}}}}"#)),
        (CHAT, r#""functions":[{"name":"f"}],"function_call":{"name":"f"}"#),
        (RESPONSES, r#""tools":[{"type":"web_search"}],"tool_choice":{"type":"web_search"}"#),
        (RESPONSES, r#""tools":[{"type":"web_search"}],"tool_choice":"required""#),
        (RESPONSES, &format!(r#"{RESPONSES_TOOLS},"parallel_tool_calls":"no""#)),
        (MESSAGES, r#""tool_choice":{"type":"any"}"#),
        (MESSAGES, &format!(r#"{MESSAGES_TOOLS},"tool_choice":{{"type":"tool"}}"#)),
    ]), @"
    tool_choice: a forced call with no function on offer is not supported by a text model
    tool_choice: a forced call of a function that is not on offer is not supported by a text model
    tool_choice: a forced call of a tool that is no function is not supported by a text model
    tool_choice.function.name: missing, expected a function name
    function_call: a forced call of a function outside `tools` is not supported by a text model
    tool_choice: a forced call of a tool that is no function is not supported by a text model
    tool_choice: a forced call with no function on offer is not supported by a text model
    parallel_tool_calls: expected a boolean, found a string at byte 229
    tool_choice: a forced call with no function on offer is not supported by a text model
    tool_choice.name: missing, expected a function name
    ");
}

#[test]
fn tools_that_are_no_functions_are_left_out_by_name() {
    let left_out = |endpoint, members: &str| {
        let conversation = asked(endpoint, members).unwrap();
        let lines: Vec<_> = conversation
            .left_out
            .iter()
            .map(ToString::to_string)
            .collect();
        (conversation.functions.len(), lines.join("\n"))
    };
    let (functions, lines) = left_out(
        RESPONSES,
        r#""tools":[{"type":"web_search"},{"type":"function","name":"f","parameters":{}},{"type":"custom","name":"apply_patch"},
            {"type":"mcp","server_label":"s"},{"type":"computer_use_preview"},{"type":"local_shell"}]"#,
    );
    assert_eq!(functions, 1);
    insta::assert_snapshot!(lines, @"
    tools[0]: a tool of the provider is not supported by a text model
    tools[2]: a tool that is no function is not supported by a text model
    tools[3]: a tool of the provider is not supported by a text model
    tools[4]: a tool that is no function is not supported by a text model
    tools[5]: a tool that is no function is not supported by a text model
    ");
    let (functions, lines) = left_out(
        MESSAGES,
        r#""tools":[{"type":"web_search_20250305","name":"web_search"},{"type":"bash_20250124","name":"bash"}],"mcp_servers":[{"url":"x"}]"#,
    );
    assert_eq!(functions, 0);
    insta::assert_snapshot!(lines, @"
    tools[0]: a tool of the provider is not supported by a text model
    tools[1]: a tool that is no function is not supported by a text model
    mcp_servers: a tool of the provider is not supported by a text model
    ");
    let (functions, lines) = left_out(
        CHAT,
        r#""tools":[{"type":"custom","custom":{"name":"c"}}],"functions":[{"name":"f"}],"web_search_options":{},"plugins":[],"enable_search":false,"logit_bias":{"5":-100}"#,
    );
    assert_eq!(functions, 0);
    insta::assert_snapshot!(lines, @"
    tools[0]: a tool that is no function is not supported by a text model
    functions[0]: a function outside `tools` is not supported by a text model
    web_search_options: a tool of the provider is not supported by a text model
    logit_bias: a bias of tokens is not supported by a text model
    ");
}

#[test]
fn functions_within_the_input_are_on_offer() {
    let body = r#"{"model":"a","tools":[{"type":"function","name":"f","parameters":{}}],"input":[
        {"type":"additional_tools","tools":[{"type":"function","name":"g","parameters":{"type":"object"}},{"type":"namespace","name":"n","tools":[]}]},
        {"role":"user","content":"go"},
        {"type":"tool_search_output","call_id":"d","tools":[{"type":"function","name":"f","description":"newer","parameters":{}}]}]}"#;
    let conversation = read(RESPONSES, body).unwrap();
    let names: Vec<_> = conversation
        .functions
        .iter()
        .map(|function| (function.name.as_str(), function.description.as_deref()))
        .collect();
    assert_eq!(names, [("g", None), ("f", Some("newer"))]);
    assert_eq!(conversation.left_out, []);
    let nameless = r#"{"model":"a","input":[{"role":"user","content":"go"},
        {"type":"additional_tools","tools":[{"type":"function"}]}]}"#;
    insta::assert_snapshot!(read(RESPONSES, nameless).unwrap_err(), @"input[1].tools[0].name: missing, expected a function name");
}

#[test]
fn faulty_functions_are_named() {
    let deep = format!(
        r#""tools":[{{"name":"f","input_schema":{{"a":1e{}}}}}]"#,
        "9".repeat(400)
    );
    insta::assert_snapshot!(faults(&[
        (CHAT, r#""tools":[{"type":"function","function":{"name":""}}]"#),
        (CHAT, r#""tools":[{"type":"function","function":{"name":"f","parameters":7}}]"#),
        (CHAT, r#""tools":[{"type":"function","function":{"name":"f","description":7}}]"#),
        (CHAT, r#""tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"f"}}]"#),
        (RESPONSES, r#""tools":[{"type":"function","name":"f","parameters":[]}]"#),
        (MESSAGES, r#""tools":[{"name":"f","input_schema":"x"}]"#),
        (MESSAGES, &deep),
    ]), @"
    tools[0].function.name: expected a name, found an empty string at byte 104
    tools[0].function.parameters: expected a JSON schema, which is an object, found a number at byte 121
    tools[0].function.description: expected a string, found a number at byte 122
    tools[1]: a second function of the same name is not supported by a text model
    tools[0].parameters: expected a JSON schema, which is an object, found an array at byte 78
    tools[0].input_schema: expected a JSON schema, which is an object, found a string at byte 93
    tools[0].input_schema: a schema of this depth is not supported by a text model
    ");
}

#[test]
fn formats_of_every_protocol() {
    let schema = AnswerFormat::JsonSchema(json!({"type": "object"}));
    for (endpoint, members, expected) in [
        (
            CHAT,
            r#""response_format":{"type":"json_object"}"#,
            AnswerFormat::JsonObject,
        ),
        (
            CHAT,
            r#""response_format":{"type":"text"}"#,
            AnswerFormat::Text,
        ),
        (
            CHAT,
            r#""response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object"}}}"#,
            schema.clone(),
        ),
        (
            RESPONSES,
            r#""text":{"format":{"type":"json_object"}}"#,
            AnswerFormat::JsonObject,
        ),
        (
            RESPONSES,
            r#""text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}}"#,
            schema.clone(),
        ),
        (
            MESSAGES,
            r#""output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}"#,
            schema.clone(),
        ),
        (
            MESSAGES,
            r#""output_format":{"type":"json_schema","schema":{"type":"object"}}"#,
            schema.clone(),
        ),
        (
            MESSAGES,
            r#""output_config":{"effort":"low"},"output_format":{"type":"json_schema","schema":{"type":"object"}}"#,
            schema,
        ),
    ] {
        assert_eq!(
            asked(endpoint, members).unwrap().format,
            expected,
            "{members}"
        );
    }
    insta::assert_snapshot!(faults(&[
        (CHAT, r#""response_format":{"type":"json_schema"}"#),
        (CHAT, r#""response_format":{"type":"json_schema","json_schema":{"name":"n"}}"#),
        (CHAT, r#""response_format":{"type":"grammar"}"#),
        (RESPONSES, r#""text":{"format":{"type":"json_schema","schema":7}}"#),
        (MESSAGES, r#""output_config":{"format":{"type":"json_schema"}}"#),
        (MESSAGES, r#""output_format":{"type":"grammar"}"#),
    ]), @"
    response_format.json_schema: missing, expected a schema with a name
    response_format.json_schema.schema: missing, expected a JSON schema
    response_format: a format other than text and JSON is not supported by a text model
    text.format.schema: expected a JSON schema, which is an object, found a number at byte 74
    output_config.format.schema: missing, expected a JSON schema
    output_config.format: a format other than text and JSON is not supported by a text model
    ");
}

#[test]
fn log_probabilities_of_every_protocol() {
    for (endpoint, members, expected) in [
        (CHAT, r#""logprobs":true"#, Some(0)),
        (CHAT, r#""logprobs":true,"top_logprobs":20"#, Some(20)),
        (CHAT, r#""logprobs":false,"top_logprobs":0"#, None),
        (
            RESPONSES,
            r#""include":["reasoning.encrypted_content","message.output_text.logprobs"]"#,
            Some(0),
        ),
        (
            RESPONSES,
            r#""include":["message.output_text.logprobs"],"top_logprobs":3"#,
            Some(3),
        ),
        (RESPONSES, r#""top_logprobs":3"#, Some(3)),
        (RESPONSES, r#""top_logprobs":0,"include":[]"#, None),
        (MESSAGES, r#""logprobs":true,"top_logprobs":3"#, None),
    ] {
        assert_eq!(
            asked(endpoint, members).unwrap().logprobs,
            expected,
            "{members}"
        );
    }
    insta::assert_snapshot!(faults(&[
        (CHAT, r#""top_logprobs":3"#),
        (CHAT, r#""logprobs":3"#),
        (CHAT, r#""logprobs":true,"top_logprobs":21"#),
        (RESPONSES, r#""include":"message.output_text.logprobs""#),
    ]), @"
    logprobs: missing, expected true beside top_logprobs
    logprobs: expected a boolean, found a number at byte 68
    top_logprobs: expected a whole number from 0 to 20, found another number at byte 88
    include: expected an array of strings, found a string at byte 36
    ");
}

#[test]
fn how_tokens_are_chosen() {
    let members = r#""min_p":0.1,"presence_penalty":-1,"frequency_penalty":0.5,"repetition_penalty":1.2,"seed":-3,"logit_bias":{}"#;
    for endpoint in [CHAT, RESPONSES, MESSAGES] {
        let conversation = asked(endpoint, members).unwrap();
        let expected = Penalties {
            min_p: Some(0.1),
            presence: Some(-1.0),
            frequency: Some(0.5),
            repetition: Some(1.2),
        };
        assert_eq!(conversation.penalties, expected, "{endpoint}");
        assert_eq!(conversation.sampling.seed, Some(-3), "{endpoint}");
    }
    insta::assert_snapshot!(faults(&[
        (CHAT, r#""min_p":"a little""#),
        (CHAT, r#""presence_penalty":1,"presence_penalty":2"#),
        (CHAT, r#""modalities":["text","audio"]"#),
    ]), @"
    min_p: expected a number, found a string at byte 65
    presence_penalty: duplicate key at byte 97
    modalities: an answer other than text is not supported by a text model
    ");
}
