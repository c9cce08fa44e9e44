//! What a client has not seen, put back into its requests.

use super::chat::hidden_turn;
use super::{Aside, HiddenRound};
use crate::edit::EditList;
use crate::endpoint::Endpoint;
use crate::json::{Document, JsonLimits, Value, literal, with_members};

impl Aside {
    /// Puts asides into a request, each at the message of its answer. What does not fit there is left out: then the
    /// provider reads the conversation as the client knows it.
    pub fn splice(
        asides: &[(usize, &Self)],
        endpoint: Endpoint,
        body: &[u8],
        edits: &mut EditList,
    ) {
        let Ok(document) = Document::parse(body, JsonLimits::default()) else {
            return;
        };
        let list = document
            .root()
            .get("messages")
            .and_then(|list| list.as_array());
        let messages: Vec<_> = list.into_iter().flatten().collect();
        for (at, aside) in asides {
            let Some(message) = messages.get(*at) else {
                continue;
            };
            match endpoint {
                Endpoint::ChatCompletions => aside.splice_chat(*message, edits),
                _ => aside.splice_messages(*message, messages.get(at + 1).copied(), edits),
            }
        }
    }

    fn splice_messages(&self, message: Value<'_>, next: Option<Value<'_>>, edits: &mut EditList) {
        let Some(content) = message.get("content") else {
            return;
        };
        let text;
        let blocks: Vec<&str> = if let Some(blocks) = content.as_array() {
            blocks.map(|block| block.raw()).collect()
        } else {
            text = format!(r#"{{"type":"text","text":{}}}"#, content.raw());
            vec![&text]
        };
        let mixed = self.rounds.iter().find(|round| round.is_mixed);
        let place = next.and_then(|next| next.get("content"));
        if mixed.is_some() && place.is_none() {
            return;
        }
        let mut turns = Vec::new();
        let mut last = Vec::new();
        let mut done = 0;
        for round in &self.rounds {
            let cut = self.cut(round, &blocks).max(done);
            last.extend(blocks[done..cut].iter().copied());
            last.extend(round.calls.iter().map(String::as_str));
            done = cut;
            if !round.is_mixed {
                let (parts, results) = (last.join(","), round.results.join(","));
                turns.push(format!(
                    r#"{{"role":"assistant","content":[{parts}]}},{{"role":"user","content":[{results}]}}"#
                ));
                last.clear();
            }
        }
        last.extend(blocks[done..].iter().copied());
        if last.is_empty() {
            return;
        }
        let last = format!("[{}]", last.join(","));
        turns.push(with_members(message.raw(), &[("content", &last)]));
        edits.replace(message.span(), turns.join(","));
        if let (Some(round), Some(place)) = (mixed, place) {
            put_results(&round.results.join(","), place, edits);
        }
    }

    /// Before which of the blocks the calls of a round stand.
    fn cut(&self, round: &HiddenRound, blocks: &[&str]) -> usize {
        if blocks.len() == self.shown {
            return round.after.min(blocks.len());
        }
        // The client has left its reasoning out, or joined texts.
        let mut solid = 0;
        let before = blocks.iter().take_while(|block| {
            solid += usize::from(!is_reasoning(block));
            solid <= round.after_solid
        });
        before.count()
    }

    fn splice_chat(&self, message: Value<'_>, edits: &mut EditList) {
        let content = message.get("content").and_then(|content| content.as_str());
        let content = content.unwrap_or_default().into_owned();
        let mut rest = content.as_str();
        let mut turns = Vec::new();
        let mut after = Vec::new();
        let mut members = Vec::new();
        for round in &self.rounds {
            if round.is_mixed {
                let own = message.get("tool_calls").and_then(|calls| calls.as_array());
                let own = own.into_iter().flatten().map(|call| call.raw());
                let calls: Vec<_> = own.chain(round.calls.iter().map(String::as_str)).collect();
                members.push(("tool_calls", format!("[{}]", calls.join(","))));
                after.clone_from(&round.results);
                continue;
            }
            // What it said then is not said again after the results.
            let said = match rest.strip_prefix(round.said.as_str()) {
                Some(more) => {
                    rest = more;
                    round.said.as_str()
                }
                None => "",
            };
            let (calls, results) = (round.calls.join(","), round.results.join(","));
            turns.push(hidden_turn(said, &calls, &results));
        }
        if rest.len() < content.len() {
            let calls = message.non_null("tool_calls").is_some();
            let content = if rest.is_empty() && calls {
                "null".to_owned()
            } else {
                literal(rest)
            };
            members.push(("content", content));
        }
        let members: Vec<_> = members
            .iter()
            .map(|(key, json)| (*key, json.as_str()))
            .collect();
        turns.push(with_members(message.raw(), &members));
        turns.extend(after);
        edits.replace(message.span(), turns.join(","));
    }
}

/// Results stand first in their message.
fn put_results(results: &str, content: Value<'_>, edits: &mut EditList) {
    let span = content.span();
    match content.as_array().map(|mut blocks| blocks.next().is_some()) {
        Some(has_more) => {
            let comma = if has_more { "," } else { "" };
            edits.replace(span.start + 1..span.start + 1, format!("{results}{comma}"));
        }
        None => edits.replace(
            span,
            format!(r#"[{results},{{"type":"text","text":{}}}]"#, content.raw()),
        ),
    }
}

fn is_reasoning(block: &str) -> bool {
    let kind = Document::parse(block.as_bytes(), JsonLimits::default());
    kind.is_ok_and(|document| {
        let kind = document.root().get("type").and_then(|kind| kind.as_str());
        matches!(kind.as_deref(), Some("thinking" | "redacted_thinking"))
    })
}
