//! Answers of the messages API as they stream.

use std::collections::HashMap;

use bytes::Bytes;

use super::answer::{LIMITS, Round, What};
use super::frame::{Held, edited};
use super::messages;
use crate::edit::EditList;
use crate::json::{Document, Value, literal, with_members};
use crate::sse::{Event, Frame};

/// Where a stream stands.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Blocks that the client has been told of, in all rounds.
    shown: u64,
    /// The round's open blocks, by the provider's index.
    open: HashMap<u64, Open>,
    held: Held,
}

/// A block that is not whole.
#[derive(Debug)]
struct Open {
    /// As it was announced.
    start: String,
    /// Its index at the client; none of a call that the client does not see.
    index: Option<u64>,
    /// Its place in the round.
    part: usize,
    text: String,
    signature: String,
    input: String,
    citations: Vec<String>,
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
        let Ok(document) = Document::parse(&event.data, LIMITS) else {
            return self.held.let_through(frame.raw);
        };
        let root = document.root();
        let kind = root.get("type").and_then(|kind| kind.as_str());
        match kind.as_deref() {
            // The client has been told that its message has begun.
            Some("message_start") if !earlier.is_empty() => Bytes::new(),
            Some("content_block_start") => {
                let index = self.begin(root, tool, round);
                at_index(&frame, event, root, index)
            }
            Some("content_block_delta") => {
                let index = self.go_on(root);
                at_index(&frame, event, root, index)
            }
            Some("content_block_stop") => {
                let index = self.close(root, tool, round);
                at_index(&frame, event, root, index)
            }
            Some("message_delta") => {
                let stop = root.get("delta").and_then(|delta| delta.get("stop_reason"));
                let stop = stop.and_then(|stop| stop.as_str());
                round.calls_tools |= stop.as_deref() == Some("tool_use");
                round.output_tokens = round.output_tokens.max(messages::output_tokens(root));
                self.held.hold();
                let mut edits = EditList::new();
                messages::add_output(root, earlier, &mut edits);
                let told = edited(&frame, event, &edits);
                self.held.let_through(told)
            }
            Some("message_stop") => {
                if round.must_go_on() {
                    Bytes::new()
                } else {
                    self.held.end(&frame.raw)
                }
            }
            Some("error") => self.held.release(&frame.raw),
            _ => self.held.let_through(frame.raw),
        }
    }

    /// At the end of a round: what was held back, or nothing if the answer goes on.
    pub(super) fn end(&mut self, round: &Round) -> Option<Bytes> {
        if self.held.holds() && round.must_go_on() {
            *self = Self {
                shown: self.shown,
                ..Self::default()
            };
            return None;
        }
        Some(self.held.end(&[]))
    }

    pub(super) const fn has_ended(&self) -> bool {
        self.held.has_ended()
    }

    fn begin(&mut self, root: Value<'_>, tool: &str, round: &mut Round) -> Option<u64> {
        let block = root.get("content_block")?;
        let at = index(root)?;
        let part = messages::part(block, tool);
        let is_shown = !matches!(part.what, What::AsideCall(_));
        let shown = is_shown.then_some(self.shown);
        self.shown += u64::from(is_shown);
        let open = Open {
            start: part.json.clone(),
            index: shown,
            part: round.parts.len(),
            text: String::new(),
            signature: String::new(),
            input: String::new(),
            citations: Vec::new(),
        };
        self.open.insert(at, open);
        round.parts.push(part);
        shown
    }

    fn go_on(&mut self, root: Value<'_>) -> Option<u64> {
        let open = self.open.get_mut(&index(root)?)?;
        let delta = root.get("delta")?;
        let add = |to: &mut String, key: &str| {
            if let Some(piece) = delta.get(key).and_then(|piece| piece.as_str()) {
                to.push_str(&piece);
            }
        };
        add(&mut open.text, "text");
        add(&mut open.text, "thinking");
        add(&mut open.signature, "signature");
        add(&mut open.input, "partial_json");
        open.citations.extend(
            delta
                .get("citation")
                .map(|citation| citation.raw().to_owned()),
        );
        open.index
    }

    fn close(&mut self, root: Value<'_>, tool: &str, round: &mut Round) -> Option<u64> {
        let open = self.open.remove(&index(root)?)?;
        let whole = open.whole();
        if let (Some(part), Ok(document)) = (
            round.parts.get_mut(open.part),
            Document::parse(whole.as_bytes(), LIMITS),
        ) {
            *part = messages::part(document.root(), tool);
        }
        open.index
    }
}

impl Open {
    /// The block with all that was said of it.
    fn whole(&self) -> String {
        let kind = Document::parse(self.start.as_bytes(), LIMITS);
        let kind = kind.ok().and_then(|document| {
            let kind = document.root().get("type")?.as_str()?;
            Some(kind.into_owned())
        });
        let mut members = Vec::new();
        match kind.as_deref() {
            Some("thinking") => {
                members.push(("thinking", literal(&self.text)));
                members.push(("signature", literal(&self.signature)));
            }
            Some("text") => {
                members.push(("text", literal(&self.text)));
                if !self.citations.is_empty() {
                    members.push(("citations", format!("[{}]", self.citations.join(","))));
                }
            }
            Some(kind) if kind.ends_with("tool_use") => {
                // Arguments that were cut off are none.
                let is_whole = Document::parse(self.input.as_bytes(), LIMITS).is_ok();
                if is_whole {
                    members.push(("input", self.input.clone()));
                }
            }
            _ => {}
        }
        let members: Vec<_> = members
            .iter()
            .map(|(key, json)| (*key, json.as_str()))
            .collect();
        with_members(&self.start, &members)
    }
}

fn index(root: Value<'_>) -> Option<u64> {
    root.get("index")?.as_u64()
}

/// The event with its index at the client; nothing where the client does not see its block.
fn at_index(frame: &Frame, event: &Event, root: Value<'_>, shown: Option<u64>) -> Bytes {
    let Some(shown) = shown else {
        return Bytes::new();
    };
    let mut edits = EditList::new();
    if let Some(own) = root.get("index").filter(|own| own.as_u64() != Some(shown)) {
        edits.replace(own.span(), shown.to_string());
    }
    edited(frame, event, &edits)
}
