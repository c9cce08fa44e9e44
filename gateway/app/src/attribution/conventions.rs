//! One function a convention. Sources: each client's own documentation or code; header names are compared without case.

use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value};
use skinflint_protocol::RequestView;

use super::{Label, Said, baggage};

type Convention = fn(&HeaderMap, Option<&RequestView>) -> Said;

/// What is read, first to last.
pub(super) const IN_ORDER: [Convention; 9] = [
    skinflint,
    claude_code,
    codex,
    opencode,
    litellm,
    portkey,
    helicone,
    openai_body,
    w3c_baggage,
];

// Made once: reading a name from text costs more than looking it up.
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
const HELICONE_SESSION_ID: HeaderName = HeaderName::from_static("helicone-session-id");
const SESSION_ID: HeaderName = HeaderName::from_static("session-id");
const THREAD_ID: HeaderName = HeaderName::from_static("thread-id");
const UNDERSCORED_SESSION_ID: HeaderName = HeaderName::from_static("session_id");
const X_CLAUDE_CODE_AGENT_ID: HeaderName = HeaderName::from_static("x-claude-code-agent-id");
const X_CLAUDE_CODE_PARENT_AGENT_ID: HeaderName =
    HeaderName::from_static("x-claude-code-parent-agent-id");
const X_CLAUDE_CODE_REQUEST_CLASS: HeaderName =
    HeaderName::from_static("x-claude-code-request-class");
const X_CLAUDE_CODE_SESSION_ID: HeaderName = HeaderName::from_static("x-claude-code-session-id");
const X_CODEX_PARENT_THREAD_ID: HeaderName = HeaderName::from_static("x-codex-parent-thread-id");
const X_LITELLM_SESSION_ID: HeaderName = HeaderName::from_static("x-litellm-session-id");
const X_LITELLM_TAGS: HeaderName = HeaderName::from_static("x-litellm-tags");
const X_LITELLM_TRACE_ID: HeaderName = HeaderName::from_static("x-litellm-trace-id");
const X_OPENAI_SUBAGENT: HeaderName = HeaderName::from_static("x-openai-subagent");
const X_PARENT_SESSION_ID: HeaderName = HeaderName::from_static("x-parent-session-id");
const X_PORTKEY_METADATA: HeaderName = HeaderName::from_static("x-portkey-metadata");
const X_PORTKEY_TRACE_ID: HeaderName = HeaderName::from_static("x-portkey-trace-id");
const X_SESSION_AFFINITY: HeaderName = HeaderName::from_static("x-session-affinity");
const X_SESSION_ID: HeaderName = HeaderName::from_static("x-session-id");
const X_SKINFLINT_AGENT: HeaderName = HeaderName::from_static("x-skinflint-agent");
const X_SKINFLINT_CLASS: HeaderName = HeaderName::from_static("x-skinflint-class");
const X_SKINFLINT_PARENT_AGENT: HeaderName = HeaderName::from_static("x-skinflint-parent-agent");
const X_SKINFLINT_SESSION: HeaderName = HeaderName::from_static("x-skinflint-session");
const X_SKINFLINT_TAGS: HeaderName = HeaderName::from_static("x-skinflint-tags");
const X_SKINFLINT_TASK: HeaderName = HeaderName::from_static("x-skinflint-task");

/// Our own headers.
fn skinflint(headers: &HeaderMap, _: Option<&RequestView>) -> Said {
    Said {
        task: header(headers, &X_SKINFLINT_TASK),
        session: header(headers, &X_SKINFLINT_SESSION),
        agent: header(headers, &X_SKINFLINT_AGENT),
        parent: header(headers, &X_SKINFLINT_PARENT_AGENT),
        class: header(headers, &X_SKINFLINT_CLASS),
        tags: list(headers, &X_SKINFLINT_TAGS),
    }
}

/// Claude Code, from 2.1.139 on; before that the session stands in `metadata.user_id` alone.
fn claude_code(headers: &HeaderMap, view: Option<&RequestView>) -> Said {
    let user_id = view.and_then(|view| metadata(view, "user_id"));
    Said {
        session: header(headers, &X_CLAUDE_CODE_SESSION_ID)
            .or_else(|| user_id.and_then(session_of_user_id)),
        agent: header(headers, &X_CLAUDE_CODE_AGENT_ID),
        parent: header(headers, &X_CLAUDE_CODE_PARENT_AGENT_ID),
        class: header(headers, &X_CLAUDE_CODE_REQUEST_CLASS),
        ..Said::default()
    }
}

/// `user_…_account_…_session_<id>`, or a JSON object with `session_id`.
fn session_of_user_id(user_id: &str) -> Option<Label> {
    if user_id.starts_with('{') {
        let object: Map<String, Value> = serde_json::from_str(user_id).ok()?;
        return text(object.get("session_id")?);
    }
    let (_, session) = user_id.rsplit_once("_session_")?;
    Label::new(session)
}

/// Codex: every thread is an agent; the session is the window's.
fn codex(headers: &HeaderMap, view: Option<&RequestView>) -> Said {
    let body = |key| view.and_then(|view| client_metadata(view, key));
    let subagent = header(headers, &X_OPENAI_SUBAGENT);
    let parent = header(headers, &X_CODEX_PARENT_THREAD_ID);
    let thread = header(headers, &THREAD_ID).or_else(|| body("thread_id"));
    Said {
        session: header(headers, &UNDERSCORED_SESSION_ID)
            .or_else(|| header(headers, &SESSION_ID))
            .or_else(|| body("session_id")),
        // The main thread is no agent of its own.
        agent: thread.filter(|_| subagent.is_some() || parent.is_some()),
        parent,
        class: subagent,
        ..Said::default()
    }
}

/// opencode: a sub-agent is a session with a parent.
fn opencode(headers: &HeaderMap, _: Option<&RequestView>) -> Said {
    let own = header(headers, &X_SESSION_ID).or_else(|| header(headers, &X_SESSION_AFFINITY));
    match header(headers, &X_PARENT_SESSION_ID) {
        Some(parent) => Said {
            session: Some(parent),
            agent: own,
            class: Label::new("subagent"),
            ..Said::default()
        },
        None => Said {
            session: own,
            ..Said::default()
        },
    }
}

/// LiteLLM's proxy headers.
fn litellm(headers: &HeaderMap, _: Option<&RequestView>) -> Said {
    Said {
        session: header(headers, &X_LITELLM_SESSION_ID)
            .or_else(|| header(headers, &X_LITELLM_TRACE_ID)),
        tags: list(headers, &X_LITELLM_TAGS),
        ..Said::default()
    }
}

/// Portkey: a trace id, and metadata as a JSON object of strings.
fn portkey(headers: &HeaderMap, _: Option<&RequestView>) -> Said {
    let metadata: Map<String, Value> = raw(headers, &X_PORTKEY_METADATA)
        .and_then(|value| serde_json::from_str(value).ok())
        .unwrap_or_default();
    Said {
        task: metadata.get("task").and_then(text),
        session: metadata
            .get("session_id")
            .and_then(text)
            .or_else(|| header(headers, &X_PORTKEY_TRACE_ID)),
        agent: metadata.get("agent").and_then(text),
        tags: metadata
            .iter()
            .filter_map(|(key, value)| Label::pair(key, value.as_str()?))
            .collect(),
        ..Said::default()
    }
}

/// Helicone: a session, and one header a property.
fn helicone(headers: &HeaderMap, _: Option<&RequestView>) -> Said {
    const PROPERTY: &str = "helicone-property-";
    Said {
        session: header(headers, &HELICONE_SESSION_ID),
        tags: headers
            .iter()
            .filter_map(|(name, value)| {
                Label::pair(name.as_str().strip_prefix(PROPERTY)?, value.to_str().ok()?)
            })
            .collect(),
        ..Said::default()
    }
}

/// OpenAI's body members.
fn openai_body(_: &HeaderMap, view: Option<&RequestView>) -> Said {
    let Some(view) = view else {
        return Said::default();
    };
    let named = |key| metadata(view, key).and_then(Label::new);
    Said {
        task: named("task").or_else(|| named("task_id")),
        session: named("session_id")
            .or_else(|| view.prompt_cache_key.as_deref().and_then(Label::new)),
        agent: named("agent").or_else(|| named("agent_id")),
        ..Said::default()
    }
}

/// `baggage`, which OpenTelemetry's SDKs carry along.
fn w3c_baggage(headers: &HeaderMap, _: Option<&RequestView>) -> Said {
    let Some(header) = raw(headers, &BAGGAGE) else {
        return Said::default();
    };
    Said {
        task: baggage::find(header, &["skinflint.task", "task.id", "task"]),
        session: baggage::find(header, &["session.id", "gen_ai.conversation.id"]),
        agent: baggage::find(header, &["gen_ai.agent.id", "agent.id"]),
        ..Said::default()
    }
}

fn raw<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<Label> {
    Label::new(raw(headers, name)?)
}

fn list(headers: &HeaderMap, name: &HeaderName) -> std::collections::BTreeSet<Label> {
    raw(headers, name)
        .unwrap_or_default()
        .split(',')
        .filter_map(Label::new)
        .collect()
}

fn text(value: &Value) -> Option<Label> {
    Label::new(value.as_str()?)
}

fn metadata<'a>(view: &'a RequestView, key: &str) -> Option<&'a str> {
    pair(&view.metadata, key)
}

fn client_metadata(view: &RequestView, key: &str) -> Option<Label> {
    Label::new(pair(&view.client_metadata, key)?)
}

fn pair<'a>(pairs: &'a [(String, String)], key: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(name, _)| name == key)
        .map(|(_, value)| value.as_str())
}
