//! Tools whose definition the request does not spell out.

use memchr::memmem;
use skinflint_protocol::JsonLimits;
use skinflint_protocol::json::Document;

use crate::count::{Certainty, Count};

/// For a tool that the provider defines. Anthropic documents 245 tokens for the shell, 700 for the
/// editor, 735 for the computer beside a prompt of up to 499.
const PREDEFINED: u64 = 1536;

/// Members of a definition that says everything itself. Only tools that the client runs have them; a
/// quote inside a JSON string is escaped, so that a description cannot feign them.
const SCHEMA: [&[u8]; 2] = [br#""input_schema""#, br#""parameters""#];

/// Tools that the provider defines and the client runs; versions follow, as in `bash_20250124`.
/// OpenAI's `shell` is not among them, as it may run at the provider's.
const RUN_BY_CLIENT: [&str; 6] = [
    "apply_patch",
    "bash",
    "computer",
    "local_shell",
    "memory",
    "text_editor",
];

/// What a tool costs besides the text of its definition.
pub(crate) fn hidden(definition: &[u8]) -> Count {
    if SCHEMA
        .iter()
        .any(|member| memmem::find(definition, member).is_some())
    {
        return Count::at_most(0);
    }
    let mut count = Count::at_most(PREDEFINED);
    let kind = Document::parse(definition, JsonLimits::default())
        .ok()
        .and_then(|document| Some(document.root().get("type")?.as_str()?.into_owned()));
    match kind.as_deref() {
        // Without arguments, or with a grammar.
        None | Some("function" | "custom") => return Count::at_most(0),
        Some(kind) if is_run_by_client(kind) => {}
        Some(_) => count.weaken(Certainty::Growing),
    }
    count
}

fn is_run_by_client(kind: &str) -> bool {
    RUN_BY_CLIENT.iter().any(|name| {
        kind.strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    })
}
