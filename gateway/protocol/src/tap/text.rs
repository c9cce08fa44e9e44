//! The text of an answer as it passes: what a meter counts.

use crate::json::{Document, JsonKind, JsonLimits, Value};

/// Text taken from a [`StreamTap`](super::StreamTap), in the order in which it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TakenText {
    /// Content, reasoning, refusals, names and arguments of calls, of all choices.
    pub text: String,
    /// Bytes of text that came beyond the limit and were not kept.
    pub omitted_bytes: u64,
}

/// Counts text, and keeps it while somebody wants it.
#[derive(Debug, Default)]
pub(super) struct Text {
    visible_bytes: u64,
    kept: Option<Kept>,
}

#[derive(Debug)]
struct Kept {
    taken: TakenText,
    limit: usize,
}

impl Text {
    pub(super) const fn visible_bytes(&self) -> u64 {
        self.visible_bytes
    }

    pub(super) fn keep(&mut self, limit: usize) {
        let taken = self.take();
        self.kept = Some(Kept { taken, limit });
    }

    pub(super) fn take(&mut self) -> TakenText {
        match &mut self.kept {
            Some(kept) => std::mem::take(&mut kept.taken),
            None => TakenText::default(),
        }
    }

    /// Takes in a piece of text.
    fn say(&mut self, piece: &str) {
        self.visible_bytes = self.visible_bytes.saturating_add(length(piece));
        if let Some(Kept { taken, limit }) = &mut self.kept {
            // What is kept has no holes.
            let room = match taken.omitted_bytes {
                0 => limit.saturating_sub(taken.text.len()),
                _ => 0,
            };
            let (fitting, rest) = piece.split_at(piece.floor_char_boundary(room));
            taken.text.push_str(fitting);
            taken.omitted_bytes = taken.omitted_bytes.saturating_add(length(rest));
        }
    }

    /// Takes in a string, or all texts within a list or an object of parts.
    pub(super) fn read(&mut self, value: Option<Value<'_>>) {
        let Some(value) = value else {
            return;
        };
        match value.kind() {
            JsonKind::String => {
                if let Some(text) = value.as_str() {
                    self.say(&text);
                }
            }
            // What stands this deep is not kept by the limits on answers.
            JsonKind::Array | JsonKind::Object => {
                let limits = JsonLimits {
                    max_depth: 128,
                    ..JsonLimits::default()
                };
                if let Ok(parts) = Document::parse(value.raw().as_bytes(), limits) {
                    self.read_parts(parts.root());
                }
            }
            JsonKind::Null | JsonKind::Bool | JsonKind::Number => {}
        }
    }

    /// Takes in a value as it is spelled, such as the arguments of a call that are an object.
    pub(super) fn read_raw(&mut self, value: Option<Value<'_>>) {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            self.say(value.raw());
        }
    }

    fn read_parts(&mut self, value: Value<'_>) {
        for part in value.as_array().into_iter().flatten() {
            self.read_parts(part);
        }
        for (key, member) in value.as_object().into_iter().flatten() {
            match (key.as_ref(), member.kind()) {
                (
                    "text" | "thinking" | "summary" | "refusal" | "name" | "arguments" | "input"
                    | "code",
                    JsonKind::String,
                ) => self.read(Some(member)),
                ("arguments" | "input", JsonKind::Object | JsonKind::Array) => {
                    self.read_raw(Some(member));
                }
                (_, JsonKind::Object | JsonKind::Array) => self.read_parts(member),
                _ => {}
            }
        }
    }
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}
