//! What a call belongs to, by every client's own convention.

use serde_json::{Value, json};
use skinflint_tests::{FakeProvider, Gateway};

use crate::{
    api::Api,
    told::{header, request_id},
};

/// The call's line, and the task that the response names.
async fn line(
    gateway: &Gateway,
    api: Api,
    headers: &[(&str, &str)],
    body: &Value,
) -> (Value, String) {
    let request = gateway.post(api.path(), body.to_string());
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let task = header(&response, "x-skinflint-task");
    (gateway.call_line(&request_id(&response)).await, task)
}

/// Members of the request that a convention adds.
fn with(api: Api, members: Value) -> Value {
    let mut body = api.body(false);
    let Value::Object(members) = members else {
        return body;
    };
    body.as_object_mut().unwrap().extend(members);
    body
}

struct Case {
    name: &'static str,
    api: Api,
    headers: &'static [(&'static str, &'static str)],
    body: Value,
    /// Members of the line that must be so.
    expected: Value,
}

fn cases_of_agents() -> Vec<Case> {
    let case = |name, api, headers, body, expected| Case {
        name,
        api,
        headers,
        body,
        expected,
    };
    vec![
        case(
            "our own",
            Api::Chat,
            &[
                ("x-skinflint-task", "t1"),
                ("x-skinflint-session", "s1"),
                ("x-skinflint-agent", "a1"),
                ("x-skinflint-tags", "x, y"),
            ],
            Value::Null,
            json!({ "task": "t1", "session": "s1", "agent": "a1", "tags": "x,y" }),
        ),
        case(
            "Claude Code",
            Api::Messages,
            &[
                ("x-claude-code-session-id", "cc-session"),
                ("x-claude-code-agent-id", "cc-agent"),
                ("x-claude-code-parent-agent-id", "cc-parent"),
                ("x-claude-code-request-class", "subagent"),
            ],
            Value::Null,
            json!({ "task": "cc-session", "session": "cc-session", "agent": "cc-agent", "parent_agent": "cc-parent", "class": "subagent" }),
        ),
        case(
            "Claude Code by its user id",
            Api::Messages,
            &[],
            json!({ "metadata": { "user_id": "user_abc_account_def_session_01-23" } }),
            json!({ "task": "01-23", "session": "01-23", "agent": null }),
        ),
        case(
            "Codex",
            Api::Responses,
            &[
                ("session_id", "cx-session"),
                ("thread-id", "cx-thread"),
                ("x-codex-parent-thread-id", "cx-parent"),
                ("x-openai-subagent", "review"),
            ],
            Value::Null,
            json!({ "task": "cx-session", "session": "cx-session", "agent": "cx-thread", "parent_agent": "cx-parent" }),
        ),
        case(
            "opencode",
            Api::Chat,
            &[("x-session-id", "oc-session")],
            Value::Null,
            json!({ "task": "oc-session", "session": "oc-session", "agent": null }),
        ),
        case(
            "opencode's sub-agent",
            Api::Chat,
            &[
                ("x-session-id", "oc-child"),
                ("x-parent-session-id", "oc-parent"),
            ],
            Value::Null,
            json!({ "task": "oc-parent", "session": "oc-parent", "agent": "oc-child" }),
        ),
    ]
}

fn cases_of_gateways() -> Vec<Case> {
    let case = |name, api, headers, body, expected| Case {
        name,
        api,
        headers,
        body,
        expected,
    };
    vec![
        case(
            "LiteLLM",
            Api::Chat,
            &[
                ("x-litellm-session-id", "ll-session"),
                ("x-litellm-tags", "a,b"),
            ],
            Value::Null,
            json!({ "session": "ll-session", "task": "ll-session", "tags": "a,b" }),
        ),
        case(
            "Portkey",
            Api::Chat,
            &[(
                "x-portkey-metadata",
                r#"{"task":"pk-task","session_id":"pk-session","_user":"u"}"#,
            )],
            Value::Null,
            json!({ "task": "pk-task", "session": "pk-session" }),
        ),
        case(
            "Helicone",
            Api::Chat,
            &[
                ("helicone-session-id", "hc-session"),
                ("helicone-property-team", "blue"),
            ],
            Value::Null,
            json!({ "session": "hc-session", "task": "hc-session", "tags": "team:blue" }),
        ),
        case(
            "OpenAI's metadata",
            Api::Responses,
            &[],
            json!({ "metadata": { "task": "oa-task", "session_id": "oa-session" } }),
            json!({ "task": "oa-task", "session": "oa-session" }),
        ),
        case(
            "OpenAI's cache key",
            Api::Chat,
            &[],
            json!({ "prompt_cache_key": "oa-key" }),
            json!({ "session": "oa-key", "task": "oa-key" }),
        ),
        case(
            "baggage",
            Api::Chat,
            &[(
                "baggage",
                "task=bg%20task;p=1, session.id=bg-session,other=x",
            )],
            Value::Null,
            json!({ "task": "bg task", "session": "bg-session" }),
        ),
        case(
            "ours before all others",
            Api::Messages,
            &[
                ("baggage", "task=last"),
                ("x-claude-code-session-id", "second"),
                ("x-skinflint-task", "first"),
            ],
            Value::Null,
            json!({ "task": "first", "session": "second" }),
        ),
    ]
}

#[tokio::test]
async fn every_convention_is_read() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    for case in cases_of_agents().into_iter().chain(cases_of_gateways()) {
        let body = with(case.api, case.body);
        let (line, task) = line(&gateway, case.api, case.headers, &body).await;
        for (field, value) in case.expected.as_object().unwrap() {
            assert_eq!(&line[field], value, "{}: {field} in {line}", case.name);
        }
        assert_eq!(line["task"], task, "{}", case.name);
        // What a client says to us about its call is still its own message to the provider.
        assert_eq!(
            provider.exchanges().pop().unwrap().body,
            body.to_string(),
            "{}",
            case.name
        );
    }
    gateway.finish().await;
}

#[tokio::test]
async fn a_silent_client_is_known_by_how_its_conversation_begins() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let turn = |system: &str, turns: Value| json!({ "model": "claude-fake-1", "max_tokens": 9, "system": system, "messages": turns });
    let say = |role: &str, text: &str| json!({ "role": role, "content": text });
    let task = async |body: Value| line(&gateway, Api::Messages, &[], &body).await.1;
    let first = task(turn("be good", json!([say("user", "fix it")]))).await;
    assert!(first.starts_with("fp_"), "{first}");
    let later = json!([
        say("user", "fix it"),
        say("assistant", "done"),
        say("user", "and that")
    ]);
    assert_eq!(task(turn("be good", later)).await, first);
    let marked = json!([{ "role": "user", "content": [{ "type": "text", "text": "fix it", "cache_control": { "type": "ephemeral" } }] }]);
    assert_eq!(task(turn("be good", marked)).await, first);
    assert_ne!(
        task(turn("be good", json!([say("user", "fix that")]))).await,
        first
    );
    assert_ne!(
        task(turn("be bad", json!([say("user", "fix it")]))).await,
        first
    );
    gateway.finish().await;
}

/// A name from outside cannot forge a log line or a header, however long or odd it is.
#[tokio::test]
async fn a_name_from_outside_is_made_safe() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let odd = format!("a\u{1b}[31m\nmessage=call\u{0}{}", "x".repeat(10_000));
    let body = with(Api::Chat, json!({ "metadata": { "task": odd } }));
    let (line, task) = line(&gateway, Api::Chat, &[], &body).await;
    let label = line["task"].as_str().unwrap();
    assert!(
        label.chars().count() <= 128 && !label.contains(char::is_control),
        "{label:?}"
    );
    assert_eq!(label, task);
    let umlauts = with(Api::Chat, json!({ "metadata": { "task": "Größe 狐" } }));
    let (line, _) = self::line(&gateway, Api::Chat, &[], &umlauts).await;
    assert_eq!(line["task"], "Größe 狐");
    gateway.finish().await;
}

/// A call that is refused has its line too, as far as it came.
#[tokio::test]
async fn a_refused_call_has_its_line() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let response = gateway
        .post("/v1/chat/completions", "{}")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 400);
    let line = gateway.call_line(&request_id(&response)).await;
    assert_eq!(line["endpoint"], "chat_completions");
    assert_eq!(line["status"], 400);
    assert_eq!(line["outcome"], "refused");
    assert_eq!(line["failure"], "invalid_request");
    gateway.finish().await;
}
