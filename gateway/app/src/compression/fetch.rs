//! The gateway's own tool, by which a model gets back what was left out: [`Offer`].

use std::sync::Arc;

use serde::Deserialize;
use skinflint_compressor::{ChainHash, FETCH_TOOL, Handle};
use skinflint_decisions::{DecisionStore, Record};
use skinflint_protocol::{Aside, AsideCall, AsideResult, AsideTool};

use super::conversation::{aside_key, original_key};

/// A conversation that has the tool.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(super) store: DecisionStore,
    pub(super) tenant: String,
    /// Agents of one task share what they may fetch.
    pub(super) task: String,
    /// The whole request as the client knows it.
    pub(super) asked: ChainHash,
}

/// Never to be changed: its bytes stand in the prefix of every conversation that has it.
pub(super) const TOOL: AsideTool = AsideTool {
    name: FETCH_TOOL,
    description: "Returns the whole text of a tool result of which a part was omitted, as a line that begins with \
                  [skinflint: says. Use it only if what was omitted is needed.",
    schema: r#"{"type":"object","properties":{"id":{"type":"string","description":"The id in that line"},"containing":{"type":"string","description":"Only the lines that contain this text"}},"required":["id"]}"#,
};

/// What is given back of a text at a time, in bytes: more would fill the context at once.
const MOST: usize = 128 << 10;

#[derive(Debug, Deserialize)]
struct Arguments {
    id: String,
    #[serde(default)]
    containing: Option<String>,
}

impl Offer {
    /// Answers calls of the tool.
    pub(crate) async fn answer(&self, calls: &[AsideCall]) -> Vec<AsideResult> {
        let mut results = Vec::with_capacity(calls.len());
        for call in calls {
            results.push(match self.fetch(call).await {
                Ok(text) => AsideResult {
                    text,
                    is_error: false,
                },
                Err(text) => AsideResult {
                    text: text.to_owned(),
                    is_error: true,
                },
            });
        }
        results
    }

    async fn fetch(&self, call: &AsideCall) -> Result<String, &'static str> {
        let arguments: Arguments = serde_json::from_str(&call.arguments)
            .map_err(|_| "The arguments must be an object with the string `id`.")?;
        let handle: Handle = arguments.id.trim().parse().map_err(
            |_| "An `id` has 24 hexadecimal digits, as the line with the omission gives it.",
        )?;
        let key = original_key(&self.tenant, &self.task, handle);
        let Some(Record::Original(text)) = self.store.find(&key).await else {
            return Err(
                "No text is kept under this `id` any more. Call the tool again that gave it.",
            );
        };
        let wanted = match arguments.containing.filter(|part| !part.is_empty()) {
            None => text.as_ref().to_owned(),
            Some(part) => {
                let lines: Vec<_> = text.lines().filter(|line| line.contains(&part)).collect();
                if lines.is_empty() {
                    return Err("No line of the text contains that.");
                }
                lines.join("\n")
            }
        };
        Ok(cut(wanted))
    }

    /// Keeps what the client has not seen of an answer, so that it can be put back into later requests.
    pub(crate) async fn remember(&self, name: &[u8], aside: Aside) {
        let key = aside_key(self.asked, name);
        self.store.settle(key, Record::Aside(Arc::new(aside))).await;
    }
}

/// The first so many bytes, and what to do about the others.
fn cut(mut text: String) -> String {
    if text.len() > MOST {
        let whole = text.len();
        text.truncate(text.floor_char_boundary(MOST));
        let left = whole - text.len();
        let note = format!("\n[{left} more bytes; ask for the lines `containing` what is needed]");
        return text + &note;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(arguments: &str) -> AsideCall {
        AsideCall {
            id: "t1".to_owned(),
            name: FETCH_TOOL.to_owned(),
            arguments: arguments.to_owned(),
        }
    }

    #[tokio::test]
    async fn a_text_is_given_back_to_its_task_alone() {
        let store = DecisionStore::in_memory(1 << 20);
        let text = "one\ntwo\nthree\ntwo and a half";
        let handle = Handle::of(text);
        let key = original_key("acme", "t", handle);
        store.settle(key, Record::Original(text.into())).await;
        let offer = |task: &str| Offer {
            store: store.clone(),
            tenant: "acme".to_owned(),
            task: task.to_owned(),
            asked: ChainHash::start("acme"),
        };
        let calls = [
            call(&format!(r#"{{"id":"{handle}"}}"#)),
            call(&format!(r#"{{"id":"{handle}","containing":"two"}}"#)),
            call(&format!(r#"{{"id":"{handle}","containing":"four"}}"#)),
            call(r#"{"id":"x"}"#),
            call("{}"),
        ];
        let told = offer("t").answer(&calls).await;
        let texts: Vec<_> = told
            .iter()
            .map(|result| (result.text.as_str(), result.is_error))
            .collect();
        assert_eq!(texts[0], (text, false));
        assert_eq!(texts[1], ("two\ntwo and a half", false));
        assert!(texts[2..].iter().all(|(_, is_error)| *is_error));
        assert!(offer("other").answer(&calls[..1]).await[0].is_error);
    }

    #[test]
    fn a_long_text_says_that_it_goes_on() {
        let cut = cut("é".repeat(MOST));
        assert!(
            cut.len() < MOST + 100 && cut.ends_with("what is needed]"),
            "{}",
            cut.len()
        );
    }
}
