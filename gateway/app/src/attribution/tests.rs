use http::{HeaderName, HeaderValue};
use skinflint_protocol::{Endpoint, JsonLimits};

use super::*;

fn tenant() -> TenantId {
    TenantId::parse("acme").unwrap()
}

fn attribute(headers: &[(&'static str, &'static str)], body: &str) -> Attribution {
    let headers = headers
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect();
    let endpoint = if body.contains("\"input\"") {
        Endpoint::Responses
    } else {
        Endpoint::ChatCompletions
    };
    let view = RequestView::parse(endpoint, body.as_bytes(), JsonLimits::default()).unwrap();
    Attribution::of(&tenant(), &headers, Some((&view, body.as_bytes())))
}

const PLAIN: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

/// Task, session, agent, parent, class, tags on one line; `-` for what is not said.
fn summary(found: &Attribution) -> String {
    let text = |label: &Option<Label>| label.as_ref().map_or("-".to_owned(), Label::to_string);
    let tags: Vec<_> = found.tags.iter().map(Label::as_str).collect();
    format!(
        "{} {} {} {} {} [{}]",
        found.task,
        text(&found.session),
        text(&found.agent),
        text(&found.parent),
        text(&found.class),
        tags.join(" ")
    )
}

fn by_headers(headers: &[(&'static str, &'static str)]) -> String {
    summary(&attribute(headers, PLAIN))
}

#[test]
fn each_clients_headers_are_understood() {
    insta::assert_snapshot!(by_headers(&[("x-skinflint-task", "t"), ("x-skinflint-session", "s"), ("x-skinflint-agent", "a"), ("x-skinflint-tags", "x, y,,x")]), @"t s a - - [x y]");
    insta::assert_snapshot!(by_headers(&[("x-claude-code-session-id", "s"), ("x-claude-code-agent-id", "a"), ("x-claude-code-parent-agent-id", "p"), ("x-claude-code-request-class", "subagent")]), @"s s a p subagent []");
    insta::assert_snapshot!(by_headers(&[("session_id", "s"), ("thread-id", "main")]), @"s s - - - []");
    insta::assert_snapshot!(by_headers(&[("session-id", "s"), ("thread-id", "t2"), ("x-codex-parent-thread-id", "t1"), ("x-openai-subagent", "review")]), @"s s t2 t1 review []");
    insta::assert_snapshot!(by_headers(&[("x-session-id", "s")]), @"s s - - - []");
    insta::assert_snapshot!(by_headers(&[("x-session-id", "child"), ("x-parent-session-id", "s")]), @"s s child - subagent []");
    insta::assert_snapshot!(by_headers(&[("x-litellm-session-id", "s"), ("x-litellm-tags", "a,b")]), @"s s - - - [a b]");
    insta::assert_snapshot!(by_headers(&[("x-portkey-trace-id", "tr"), ("x-portkey-metadata", r#"{"_user":"u","n":3}"#)]), @"tr tr - - - [_user:u]");
    insta::assert_snapshot!(by_headers(&[("helicone-session-id", "s"), ("helicone-property-env", "prod")]), @"s s - - - [env:prod]");
    insta::assert_snapshot!(by_headers(&[("baggage", "session.id=s%201,skinflint.task=t")]), @"t s 1 - - - []");
}

#[test]
fn each_clients_body_members_are_understood() {
    let with = |members: &str| {
        let body = PLAIN.replacen('{', &format!("{{{members},"), 1);
        summary(&attribute(&[], &body))
    };
    insta::assert_snapshot!(with(r#""metadata":{"user_id":"user_1_account_2_session_s-3"}"#), @"s-3 s-3 - - - []");
    insta::assert_snapshot!(with(r#""metadata":{"user_id":"{\"device_id\":\"d\",\"session_id\":\"s-4\"}"}"#), @"s-4 s-4 - - - []");
    insta::assert_snapshot!(with(r#""metadata":{"task":"t","session_id":"s"}"#), @"t s - - - []");
    insta::assert_snapshot!(with(r#""prompt_cache_key":"k""#), @"k k - - - []");
}

#[test]
fn the_first_convention_that_says_something_decides_it() {
    let headers = [
        ("x-skinflint-task", "mine"),
        ("x-claude-code-session-id", "cc"),
        ("x-litellm-session-id", "lite"),
        ("x-litellm-tags", "a"),
        ("helicone-property-b", "c"),
    ];
    insta::assert_snapshot!(by_headers(&headers), @"mine cc - - - [a b:c]");
}

#[test]
fn broken_metadata_says_nothing() {
    let found = by_headers(&[
        ("x-portkey-metadata", "{"),
        ("baggage", "=,;"),
        ("x-skinflint-task", " "),
    ]);
    assert!(
        found.starts_with("fp_") && found.ends_with(" - - - - []"),
        "{found}"
    );
}

#[test]
fn a_fingerprint_lasts_through_a_conversation_and_tells_conversations_apart() {
    let task = |body: &str| attribute(&[], body).task;
    let turn = |first: &str, rest: &str| {
        task(&format!(
            r#"{{"model":"m","messages":[{{"role":"system","content":"s"}},{{"role":"user","content":"{first}"}}{rest}]}}"#
        ))
    };
    let later = r#",{"role":"assistant","content":"x"},{"role":"user","content":"more"}"#;
    let reminded = r#",{"role":"assistant","content":"x"},{"role":"system","content":"note"},{"role":"user","content":"y"}"#;
    assert_eq!(turn("hi", ""), turn("hi", later));
    assert_eq!(turn("hi", ""), turn("hi", reminded));
    assert_ne!(turn("hi", ""), turn("ho", ""));
    let marked = task(
        r#"{"messages":[{"role":"system","content":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}]},{"role":"user","content":[{"text":"hi","type":"text"}]}],"model":"m"}"#,
    );
    assert_eq!(
        marked,
        turn("hi", ""),
        "a cache mark and other spacing change nothing"
    );
}

#[test]
fn tenants_with_equal_conversations_stay_apart() {
    let body = PLAIN.as_bytes();
    let view = RequestView::parse(Endpoint::ChatCompletions, body, JsonLimits::default()).unwrap();
    let task = |tenant: &str| {
        let tenant = TenantId::parse(tenant).unwrap();
        Attribution::of(&tenant, &HeaderMap::new(), Some((&view, body))).task
    };
    assert_ne!(task("a"), task("b"));
}
