//! Whose money a budget is.

use std::{fmt, sync::Arc};

use crate::{key::KeyId, pattern::ModelPattern};

/// Which calls of its tenant a budget counts, and into how many accounts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BudgetScope {
    /// All of them, in one account.
    Tenant,
    /// Those with a key: an account for each key.
    EachKey,
    /// Those with this key.
    Key(KeyId),
    /// All of them: an account for each task.
    EachTask,
    /// All of them: an account for each agent of a task, which also counts the agents below it.
    EachAgent,
    /// All of them: an account for each name of a model.
    EachModel,
    /// Those to models of these names, in one account.
    Models(ModelPattern),
    /// Those with this tag.
    Tag(Arc<str>),
    /// Those of this class, such as `subagent`.
    Class(Arc<str>),
}

/// As long as the gateway keeps a client's tag or class.
const MAX_LABEL_CHARS: usize = 128;

// === impl BudgetScope ===

impl BudgetScope {
    /// Reads a scope as a tenant file writes it; the error says what was expected.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Some((kind, of)) = text.split_once(':') else {
            return Ok(match text {
                "tenant" => Self::Tenant,
                "key" => Self::EachKey,
                "task" => Self::EachTask,
                "agent" => Self::EachAgent,
                "model" => Self::EachModel,
                _ => return Err(unknown()),
            });
        };
        Ok(match kind {
            "key" => Self::Key(KeyId::parse(of).map_err(|error| error.to_string())?),
            "model" => Self::Models(ModelPattern::parse(of).ok_or(
                "expected `model:` and a model's name, or a prefix with one `*` at its end",
            )?),
            "tag" => Self::Tag(label(kind, of)?),
            "class" => Self::Class(label(kind, of)?),
            _ => return Err(unknown()),
        })
    }
}

fn unknown() -> String {
    "expected `tenant`, `key`, `key:ID`, `task`, `agent`, `model`, `model:PATTERN`, `tag:NAME` or `class:NAME`".to_owned()
}

/// A tag or class in the one form in which the gateway keeps those of clients; in any other it would never match.
fn label(kind: &str, text: &str) -> Result<Arc<str>, String> {
    let sound = !text.is_empty()
        && text.trim() == text
        && !text.contains(char::is_control)
        && text.chars().count() <= MAX_LABEL_CHARS;
    sound.then(|| text.into()).ok_or_else(|| {
        format!(
            "expected `{kind}:` and 1 to {MAX_LABEL_CHARS} characters without control characters or blanks around them"
        )
    })
}

impl fmt::Display for BudgetScope {
    /// As a tenant file writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant => f.write_str("tenant"),
            Self::EachKey => f.write_str("key"),
            Self::Key(id) => write!(f, "key:{id}"),
            Self::EachTask => f.write_str("task"),
            Self::EachAgent => f.write_str("agent"),
            Self::EachModel => f.write_str("model"),
            Self::Models(pattern) => write!(f, "model:{pattern}"),
            Self::Tag(tag) => write!(f, "tag:{tag}"),
            Self::Class(class) => write!(f, "class:{class}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_shown_as_they_are_read() {
        for text in [
            "tenant",
            "key",
            "key:abc123",
            "task",
            "agent",
            "model",
            "model:claude-*",
            "tag:team:search",
            "class:subagent",
        ] {
            assert_eq!(BudgetScope::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_could_never_match_is_refused() {
        let long = format!("tag:{}", "x".repeat(129));
        for wrong in [
            "",
            "Tenant",
            "tenant:acme",
            "key:",
            "key:a b",
            "model:",
            "model:a*b",
            "tag:",
            "tag: a",
            "tag:a\u{7}",
            "session:1",
            &long,
        ] {
            assert!(BudgetScope::parse(wrong).is_err(), "{wrong}");
        }
    }
}
