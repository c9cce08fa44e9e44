//! Chat completions as they stream.

use std::collections::HashMap;

use bytes::Bytes;

use super::AsideCall;
use super::answer::{LIMITS, Part, Round, What};
use super::chat::{self, choice};
use super::frame::{Held, edited};
use crate::edit::EditList;
use crate::json::{Document, Value, literal, with_members};
use crate::sse::Frame;

/// Where a stream stands.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// The answer's id, which its first chunk tells.
    id: Option<String>,
    /// What the round has said, and its calls by the provider's index.
    said: String,
    calls: Vec<Call>,
    places: HashMap<u64, usize>,
    held: Held,
}

/// A call as far as it has come.
#[derive(Debug, Default)]
struct Call {
    id: String,
    name: String,
    arguments: String,
    /// Its index at the client; none of a call that the client does not see.
    index: Option<usize>,
}

impl Stream {
    /// What the client gets of a frame.
    pub(super) fn pass(
        &mut self,
        frame: Frame,
        tool: &str,
        earlier: &[Round],
        round: &mut Round,
    ) -> Bytes {
        let Some(event) = &frame.event else {
            return self.held.let_through(frame.raw);
        };
        if event.data.trim_ascii() == b"[DONE]" {
            self.fill(tool, round);
            if round.must_go_on() {
                return Bytes::new();
            }
            return self.held.end(&frame.raw);
        }
        let Ok(document) = Document::parse(&event.data, LIMITS) else {
            return self.held.let_through(frame.raw);
        };
        let root = document.root();
        if root.non_null("error").is_some() {
            return self.held.release(&frame.raw);
        }
        round.output_tokens = round.output_tokens.max(chat::output_tokens(root));
        let mut edits = EditList::new();
        chat::add_output(root, earlier, &mut edits);
        self.name(root, earlier, &mut edits);
        let is_shown = self.hear(root, tool, earlier, round, &mut edits);
        self.fill(tool, round);
        if !is_shown {
            return Bytes::new();
        }
        let told = edited(&frame, event, &edits);
        self.held.let_through(told)
    }

    /// At the end of a round: what was held back, or nothing if the answer goes on.
    pub(super) fn end(&mut self, round: &Round) -> Option<Bytes> {
        if !(self.held.holds() && round.must_go_on()) {
            return Some(self.held.end(&[]));
        }
        *self = Self {
            id: self.id.take(),
            ..Self::default()
        };
        None
    }

    /// Later rounds have the answer's id, not their own.
    fn name(&mut self, root: Value<'_>, earlier: &[Round], edits: &mut EditList) {
        let Some(id) = root.get("id") else { return };
        match &self.id {
            None => self.id = id.as_str().map(String::from),
            Some(first) if !earlier.is_empty() => edits.replace_with_text(id.span(), first),
            Some(_) => {}
        }
    }

    /// Takes a chunk in; whether the client gets to see anything of it.
    fn hear(
        &mut self,
        root: Value<'_>,
        tool: &str,
        earlier: &[Round],
        round: &mut Round,
        edits: &mut EditList,
    ) -> bool {
        let Some(choice) = choice(root) else {
            // Usage alone: it comes behind the end.
            return true;
        };
        let finish = choice.non_null("finish_reason");
        if let Some(finish) = finish {
            round.calls_tools |= finish.as_str().as_deref() == Some("tool_calls");
            self.held.hold();
        }
        let Some(delta) = choice.non_null("delta") else {
            return true;
        };
        let text = delta.get("content").and_then(|text| text.as_str());
        self.said.push_str(&text.unwrap_or_default());
        let (mut is_changed, mut says_something) = (false, false);
        let members = delta.as_object().into_iter().flatten();
        let shown = members.filter_map(|(key, value)| {
            let json = match &*key {
                // Clients put the pieces of every text together, that of the role too.
                "role" if !earlier.is_empty() => None,
                "tool_calls" if !value.is_null() => {
                    let calls = value.as_array().into_iter().flatten();
                    let shown = calls.filter_map(|call| self.call(call, tool));
                    let shown: Vec<_> = shown.collect();
                    (!shown.is_empty()).then(|| format!("[{}]", shown.join(",")))
                }
                _ => Some(value.raw().to_owned()),
            };
            is_changed |= json.as_deref() != Some(value.raw());
            let is_empty = value.is_null() || value.raw() == "\"\"";
            says_something |= json.is_some() && !is_empty;
            Some(format!("{}:{}", literal(&key), json?))
        });
        let shown: Vec<_> = shown.collect();
        if is_changed {
            edits.replace(delta.span(), format!("{{{}}}", shown.join(",")));
        }
        !is_changed || says_something || finish.is_some()
    }

    /// Takes a piece of a call in; the piece as the client sees it.
    fn call(&mut self, piece: Value<'_>, tool: &str) -> Option<String> {
        let at = piece
            .get("index")
            .and_then(|index| index.as_u64())
            .unwrap_or(0);
        let function = piece.get("function");
        let text = |of: Option<Value<'_>>, key: &str| {
            let text = of.and_then(|of| of.get(key)?.as_str());
            text.unwrap_or_default().into_owned()
        };
        let place = *self.places.entry(at).or_insert_with(|| {
            let shown = self
                .calls
                .iter()
                .filter(|call| call.index.is_some())
                .count();
            let name = text(function, "name");
            self.calls.push(Call {
                index: (name != tool).then_some(shown),
                ..Call::default()
            });
            self.calls.len() - 1
        });
        let call = self.calls.get_mut(place)?;
        call.id.push_str(&text(Some(piece), "id"));
        call.name.push_str(&text(function, "name"));
        call.arguments.push_str(&text(function, "arguments"));
        let index = call.index?.to_string();
        Some(with_members(piece.raw(), &[("index", &index)]))
    }

    /// Enters what has been heard into the round.
    fn fill(&self, tool: &str, round: &mut Round) {
        if !self.held.holds() {
            return;
        }
        round.parts = chat::said(&self.said).into_iter().collect();
        round
            .parts
            .extend(self.calls.iter().map(|call| call.part(tool)));
    }

    pub(super) const fn has_ended(&self) -> bool {
        self.held.has_ended()
    }
}

impl Call {
    fn part(&self, tool: &str) -> Part {
        let call = AsideCall {
            id: self.id.clone(),
            name: self.name.clone(),
            arguments: self.arguments.clone(),
        };
        let (id, name) = (literal(&self.id), literal(&self.name));
        let arguments = literal(&self.arguments);
        Part {
            json: format!(
                r#"{{"id":{id},"type":"function","function":{{"name":{name},"arguments":{arguments}}}}}"#
            ),
            what: if self.name == tool {
                What::AsideCall(call)
            } else {
                What::Call(call)
            },
        }
    }
}
