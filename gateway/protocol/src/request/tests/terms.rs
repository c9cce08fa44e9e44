//! What decides the price of an answer.

use super::{CacheTtl, Endpoint, Reasoning, faults, parse};
use Endpoint::{ChatCompletions, CountTokens, Messages, Responses};

/// A request that has the fewest members possible, and some more.
fn with(endpoint: Endpoint, more: &str) -> super::RequestView {
    let body = match endpoint {
        Responses => format!(r#"{{"model":"a","input":"a"{more}}}"#),
        _ => format!(r#"{{"model":"a","messages":[{{"role":"user","content":"a"}}]{more}}}"#),
    };
    parse(endpoint, &body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

#[test]
fn a_request_that_says_nothing_has_the_providers_terms() {
    for endpoint in [ChatCompletions, Responses, Messages, CountTokens] {
        for more in [
            "",
            r#","service_tier":null,"reasoning":null,"thinking":null,"tools":null,"cache_control":null"#,
        ] {
            let view = with(endpoint, more);
            assert_eq!(view.reasoning, Reasoning::Unsaid);
            assert_eq!(
                (view.cache_ttl, view.service_tier, view.speed),
                (None, None, None)
            );
            assert!(!view.server_tools && !view.media_output);
        }
    }
}

#[test]
fn tier_and_speed_are_told_as_spelled() {
    for endpoint in [ChatCompletions, Responses, Messages] {
        let view = with(endpoint, r#","service_tier":"standard_only""#);
        assert_eq!(view.service_tier.as_deref(), Some("standard_only"));
    }
    let view = with(Messages, r#","speed":"fast""#);
    assert_eq!(view.speed.as_deref(), Some("fast"));
    assert_eq!(with(ChatCompletions, r#","speed":7"#).speed, None);
}

#[test]
fn reasoning_of_every_spelling() {
    use Reasoning::{Off, On, Unsaid};
    for (endpoint, more, expected) in [
        (
            Messages,
            r#","thinking":{"type":"enabled","budget_tokens":9}"#,
            On,
        ),
        (Messages, r#","thinking":{"type":"adaptive"}"#, On),
        (Messages, r#","thinking":{"type":"disabled"}"#, Off),
        (Messages, r#","thinking":{"type":"from_the_future"}"#, On),
        (Messages, r#","reasoning_effort":"high""#, Unsaid),
        (ChatCompletions, r#","reasoning_effort":"none""#, Off),
        (ChatCompletions, r#","reasoning_effort":"minimal""#, On),
        (ChatCompletions, r#","reasoning":{"effort":"none"}"#, Off),
        (ChatCompletions, r#","reasoning":{"enabled":false}"#, Off),
        (
            ChatCompletions,
            r#","reasoning":{"max_tokens":9,"enabled":true}"#,
            On,
        ),
        (ChatCompletions, r#","reasoning":true"#, Unsaid),
        (ChatCompletions, r#","thinking":{"type":"disabled"}"#, Off),
        (ChatCompletions, r#","thinking":{"type":"enabled"}"#, On),
        (ChatCompletions, r#","enable_thinking":false"#, Off),
        (
            ChatCompletions,
            r#","enable_thinking":true,"reasoning_effort":"none""#,
            Off,
        ),
        (Responses, r#","reasoning":{"effort":"none"}"#, Off),
        (
            Responses,
            r#","reasoning":{"effort":"medium","summary":"auto"}"#,
            On,
        ),
        (Responses, r#","reasoning":{"summary":"auto"}"#, Unsaid),
    ] {
        assert_eq!(with(endpoint, more).reasoning, expected, "{more}");
    }
}

#[test]
fn the_longest_term_of_any_breakpoint_counts() {
    use CacheTtl::{FiveMinutes, OneHour};
    let mark = |ttl: &str| format!(r#""cache_control":{{"type":"ephemeral"{ttl}}}"#);
    let (bare, short, long) = (mark(""), mark(r#","ttl":"5m""#), mark(r#","ttl":"1h""#));
    for (endpoint, more, expected) in [
        (Messages, format!(",{bare}"), FiveMinutes),
        (Messages, format!(",{long}"), OneHour),
        (
            Messages,
            mark(r#","ttl":"1d""#).replacen('"', ",\"", 1),
            OneHour,
        ),
        (
            Messages,
            format!(
                r#","system":[{{"type":"text","text":"a",{long}}},{{"type":"text","text":"a",{short}}}]"#
            ),
            OneHour,
        ),
        (
            Messages,
            format!(
                r#","system":[{{"type":"text","text":"a",{short}}}],"tools":[{{"name":"a",{bare}}}]"#
            ),
            FiveMinutes,
        ),
        (
            Messages,
            format!(r#","tools":[{{"name":"a",{long}}}],{short}"#),
            OneHour,
        ),
        (ChatCompletions, format!(",{long}"), OneHour),
        (
            ChatCompletions,
            r#","prompt_cache_options":{"mode":"explicit"}"#.to_owned(),
            FiveMinutes,
        ),
        (
            ChatCompletions,
            r#","cache_control":true"#.to_owned(),
            FiveMinutes,
        ),
        (
            Responses,
            r#","prompt_cache_options":{"ttl":"30m"}"#.to_owned(),
            FiveMinutes,
        ),
        (
            Responses,
            r#","prompt_cache_options":{"ttl":"12h"}"#.to_owned(),
            OneHour,
        ),
    ] {
        assert_eq!(with(endpoint, &more).cache_ttl, Some(expected), "{more}");
    }
    for message in [
        format!(r#"{{"role":"user","content":"a",{long}}}"#),
        format!(r#"{{"role":"user","content":[{{"type":"text","text":"a",{long}}}]}}"#),
        format!(
            r#"{{"role":"user","content":[{{"type":"tool_result","content":[{{"type":"text","text":"a",{long}}}],{short}}}]}}"#
        ),
        format!(r#"{{"role":"user","content":[{{"type":"tool_result","content":"a",{long}}}]}}"#),
    ] {
        let body = format!(r#"{{"model":"a","messages":[{message}]}}"#);
        let view = parse(ChatCompletions, &body).unwrap();
        assert_eq!(view.cache_ttl, Some(OneHour), "{message}");
        assert!(view.blocks[0].cache_control);
    }
}

#[test]
fn tools_that_the_provider_runs_are_told_from_the_clients() {
    for (endpoint, tool, expected) in [
        (
            ChatCompletions,
            r#"{"type":"function","function":{"name":"web_search"}}"#,
            false,
        ),
        (
            ChatCompletions,
            r#"{"type":"custom","custom":{"name":"a"}}"#,
            false,
        ),
        (ChatCompletions, r#"{"function":{"name":"a"}}"#, false),
        (ChatCompletions, r#"{"type":"web_search"}"#, true),
        (Messages, r#"{"name":"web_search"}"#, false),
        (Messages, r#"{"type":"custom","name":"a"}"#, false),
        (Messages, r#"{"type":"bash_20250124","name":"bash"}"#, false),
        (
            Messages,
            r#"{"type":"text_editor_20250728","name":"edit"}"#,
            false,
        ),
        (
            Messages,
            r#"{"type":"computer_20251124","name":"computer"}"#,
            false,
        ),
        (
            Messages,
            r#"{"type":"memory_20250818","name":"memory"}"#,
            false,
        ),
        (
            Messages,
            r#"{"type":"web_search_20260209","name":"web_search"}"#,
            true,
        ),
        (
            Messages,
            r#"{"type":"code_execution_20260120","name":"code_execution"}"#,
            true,
        ),
        (
            Messages,
            r#"{"type":"from_the_future_20300101","name":"a"}"#,
            true,
        ),
        (Responses, r#"{"type":"function","name":"a"}"#, false),
        (
            Responses,
            r#"{"type":"custom","name":"apply_patch"}"#,
            false,
        ),
        (Responses, r#"{"type":"local_shell"}"#, false),
        (Responses, r#"{"type":"web_search"}"#, true),
        (
            Responses,
            r#"{"type":"code_interpreter","container":{"type":"auto"}}"#,
            true,
        ),
        (Responses, r#"{"type":"mcp","server_label":"a"}"#, true),
    ] {
        let view = with(endpoint, &format!(r#","tools":[{tool}]"#));
        assert_eq!(view.server_tools, expected, "{tool}");
    }
    for (endpoint, more, expected) in [
        (ChatCompletions, r#","web_search_options":{}"#, true),
        (
            ChatCompletions,
            r#","search_parameters":{"mode":"auto"}"#,
            true,
        ),
        (ChatCompletions, r#","plugins":[{"id":"web"}]"#, true),
        (ChatCompletions, r#","plugins":[]"#, false),
        (ChatCompletions, r#","enable_search":true"#, true),
        (ChatCompletions, r#","enable_search":false"#, false),
        (Messages, r#","mcp_servers":[{"url":"a"}]"#, true),
        (Messages, r#","mcp_servers":[]"#, false),
    ] {
        assert_eq!(with(endpoint, more).server_tools, expected, "{more}");
    }
}

#[test]
fn sound_and_pictures_are_announced() {
    for (more, expected) in [
        (r#","modalities":["text"]"#, false),
        (
            r#","modalities":["text","audio"],"audio":{"voice":"a","format":"wav"}"#,
            true,
        ),
        (r#","modalities":["image","text"]"#, true),
        (r#","audio":{"voice":"a"}"#, true),
    ] {
        assert_eq!(with(ChatCompletions, more).media_output, expected, "{more}");
    }
}

#[test]
fn wrong_terms_say_where_and_what() {
    let chat = r#"{"model":"a","messages":[{"role":"user","content":"a"}],"#;
    let chat = |more: &str| format!("{chat}{more}}}");
    let bodies = [
        chat(r#""service_tier":1"#),
        chat(r#""reasoning_effort":1"#),
        chat(r#""modalities":"audio""#),
        chat(r#""enable_search":"yes""#),
        chat(r#""cache_control":{"ttl":5}"#),
        chat(r#""tools":[{"type":1,"name":"a"}]"#),
        chat(r#""service_tier":"flex","Service_Tier":"default""#),
        chat(r#""reasoning":{"effort":"low","effort":"none"}"#),
    ];
    let bodies: Vec<_> = bodies.iter().map(String::as_str).collect();
    insta::assert_snapshot!(faults(ChatCompletions, &bodies), @r#"
    service_tier: expected a string, found a number at byte 71
    reasoning_effort: expected a string, found a number at byte 75
    modalities: expected an array of modalities, found a string at byte 69
    enable_search: expected a boolean, found a string at byte 72
    cache_control.ttl: expected a string, found a number at byte 79
    tools[0].type: expected a string, found a number at byte 73
    service_tier: key in another letter case at byte 93
    reasoning.effort: duplicate key at byte 93
    "#);
    let message = r#"{"model":"a","messages":[{"role":"user","content":"a"}],"#;
    let message = |more: &str| format!("{message}{more}}}");
    let bodies = [
        message(r#""speed":true"#),
        message(r#""speed":"fast","speed":"standard""#),
        message(r#""thinking":{"type":1}"#),
        message(r#""system":[{"type":"text","text":"a","cache_control":{"ttl":"5m","ttl":"1h"}}]"#),
    ];
    let bodies: Vec<_> = bodies.iter().map(String::as_str).collect();
    insta::assert_snapshot!(faults(Messages, &bodies), @r#"
    speed: expected a string, found a boolean at byte 64
    speed: duplicate key at byte 79
    thinking.type: expected a string, found a number at byte 75
    system[0].cache_control.ttl: duplicate key at byte 126
    "#);
}
