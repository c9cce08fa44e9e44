//! An item of a response's output, as far as it has come.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::json::{Value, literal, with_members};

/// A text that events tell piece by piece and then as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Channel {
    /// The type of its events, without `.delta` or `.done`.
    pub(super) stem: &'static str,
    /// The member that holds the whole text: in the event, and in its part or item.
    member: &'static str,
    place: Place,
}

/// Where in its item a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A part of `content`, of this type.
    Content(&'static str),
    /// A part of `summary`.
    Summary,
    /// A member of the item itself.
    Item,
}

impl Channel {
    const ALL: [Self; 8] = [
        Self::new(
            "response.output_text",
            "text",
            Place::Content("output_text"),
        ),
        Self::new("response.refusal", "refusal", Place::Content("refusal")),
        Self::new(
            "response.reasoning_text",
            "text",
            Place::Content("reasoning_text"),
        ),
        Self::new("response.reasoning_summary_text", "text", Place::Summary),
        Self::new("response.function_call_arguments", "arguments", Place::Item),
        Self::new("response.custom_tool_call_input", "input", Place::Item),
        Self::new("response.mcp_call_arguments", "arguments", Place::Item),
        Self::new("response.code_interpreter_call_code", "code", Place::Item),
    ];

    const fn new(stem: &'static str, member: &'static str, place: Place) -> Self {
        Self {
            stem,
            member,
            place,
        }
    }

    /// The channel of an event's type, and whether the event tells the whole text.
    pub(super) fn of_event(kind: &str) -> Option<(Self, bool)> {
        let (stem, is_whole) = match kind.strip_suffix(".delta") {
            Some(stem) => (stem, false),
            None => (kind.strip_suffix(".done")?, true),
        };
        let channel = Self::ALL.into_iter().find(|channel| channel.stem == stem)?;
        Some((channel, is_whole))
    }

    /// The member that tells which part of its list the text is.
    const fn index_member(self) -> Option<&'static str> {
        match self.place {
            Place::Content(_) => Some("content_index"),
            Place::Summary => Some("summary_index"),
            Place::Item => None,
        }
    }
}

/// Which part of an item: whether of its summary, and which.
pub(super) type PartKey = (bool, u64);

/// A part of an item's content or summary.
#[derive(Debug, Default)]
struct Part {
    /// As it was announced, or as it was closed.
    raw: Option<String>,
    is_closed: bool,
    text: Option<Text>,
    annotations: Vec<String>,
}

#[derive(Debug)]
struct Text {
    channel: Channel,
    said: String,
    is_whole: bool,
}

/// An item that is announced and not closed.
#[derive(Debug)]
pub(super) struct OpenItem {
    raw: String,
    kind: String,
    id: String,
    name: Option<String>,
    has_status: bool,
    parts: BTreeMap<PartKey, Part>,
    input: Option<Text>,
    size: usize,
}

/// An event that closes something, without its number.
#[derive(Debug)]
pub(super) struct Closing {
    pub(super) kind: String,
    /// Names and values, the latter as JSON.
    pub(super) members: Vec<(&'static str, String)>,
}

impl OpenItem {
    pub(super) fn new(item: Value<'_>) -> Self {
        let text = |key| item.get(key).and_then(|value| value.as_str());
        Self {
            raw: item.raw().to_owned(),
            kind: text("type").unwrap_or_default().into_owned(),
            id: text("id").unwrap_or_default().into_owned(),
            name: text("name").map(Cow::into_owned),
            has_status: item.get("status").is_some(),
            parts: BTreeMap::new(),
            input: None,
            size: item.raw().len(),
        }
    }

    /// About how many bytes are kept of the item.
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// Takes in a piece of a text or the whole.
    pub(super) fn hear(&mut self, channel: Channel, is_whole: bool, event: Value<'_>) {
        let key = if is_whole { channel.member } else { "delta" };
        let Some(said) = event.get(key).and_then(|said| said.as_str()) else {
            return;
        };
        let slot = match channel.index_member() {
            None => &mut self.input,
            Some(member) => {
                let index = event.get(member).and_then(|index| index.as_u64());
                let key = (channel.place == Place::Summary, index.unwrap_or(0));
                &mut part(&mut self.parts, &mut self.size, key).text
            }
        };
        let text = slot.get_or_insert_with(|| Text {
            channel,
            said: String::new(),
            is_whole: false,
        });
        if is_whole {
            self.size = self.size.saturating_sub(text.said.len());
            text.said.clear();
            text.is_whole = true;
        }
        text.said.push_str(&said);
        self.size += said.len();
    }

    /// Takes in a part as it is announced or closed.
    pub(super) fn hear_part(&mut self, key: PartKey, told: Value<'_>, is_closed: bool) {
        let part = part(&mut self.parts, &mut self.size, key);
        self.size += told.raw().len();
        part.raw = Some(told.raw().to_owned());
        part.is_closed = is_closed;
        if is_closed {
            let text = part.text.take().map_or(0, |text| text.said.len());
            self.size = self.size.saturating_sub(text);
        }
    }

    pub(super) fn annotate(&mut self, index: u64, annotation: Value<'_>) {
        let part = part(&mut self.parts, &mut self.size, (false, index));
        part.annotations.push(annotation.raw().to_owned());
        self.size += annotation.raw().len() + PART_OVERHEAD;
    }

    /// Closes what is open, innermost first; the item as it ends comes last.
    pub(super) fn close(&self, output_index: u64) -> (Vec<Closing>, String) {
        let mut closings = Vec::new();
        let place = || {
            vec![
                ("item_id", literal(&self.id)),
                ("output_index", output_index.to_string()),
            ]
        };
        for ((is_summary, index), part) in &self.parts {
            let place = || {
                let mut place = place();
                let name = if *is_summary {
                    "summary_index"
                } else {
                    "content_index"
                };
                place.push((name, index.to_string()));
                place
            };
            if let Some(text) = part.text.as_ref().filter(|_| !part.is_closed) {
                closings.extend(text.closing(place()));
            }
            if !part.is_closed {
                let mut members = place();
                members.push(("part", part.whole(*is_summary)));
                let kind = if *is_summary {
                    "response.reasoning_summary_part.done"
                } else {
                    "response.content_part.done"
                };
                closings.push(Closing {
                    kind: kind.to_owned(),
                    members,
                });
            }
        }
        let input = self.input.as_ref();
        let mut members = place();
        members.extend(self.name.iter().map(|name| ("name", literal(name))));
        closings.extend(input.and_then(|text| text.closing(members)));
        let item = self.whole();
        closings.push(Closing {
            kind: "response.output_item.done".to_owned(),
            members: vec![
                ("output_index", output_index.to_string()),
                ("item", item.clone()),
            ],
        });
        (closings, item)
    }

    /// The item with all that was said of it.
    fn whole(&self) -> String {
        let parts = |of_summary: bool| {
            let parts: Vec<_> = self
                .parts
                .iter()
                .filter(|((is_summary, _), _)| *is_summary == of_summary)
                .map(|((is_summary, _), part)| part.whole(*is_summary))
                .collect();
            (!parts.is_empty()).then(|| format!("[{}]", parts.join(",")))
        };
        let mut members = Vec::new();
        if self.has_status || matches!(self.kind.as_str(), "message" | "function_call") {
            // These two know no incomplete end.
            let status = match self.kind.as_str() {
                "web_search_call" | "image_generation_call" => r#""failed""#,
                _ => r#""incomplete""#,
            };
            members.push(("status", status.to_owned()));
        }
        members.extend(parts(true).map(|summary| ("summary", summary)));
        members.extend(parts(false).map(|content| ("content", content)));
        if let Some(text) = &self.input {
            members.push((text.channel.member, literal(&text.said)));
        }
        let members: Vec<_> = members
            .iter()
            .map(|(key, json)| (*key, json.as_str()))
            .collect();
        with_members(&self.raw, &members)
    }
}

/// What a part costs beside its text.
const PART_OVERHEAD: usize = 128;

/// The part with this key, a new one if need be.
fn part<'p>(
    parts: &'p mut BTreeMap<PartKey, Part>,
    size: &mut usize,
    key: PartKey,
) -> &'p mut Part {
    parts.entry(key).or_insert_with(|| {
        *size += PART_OVERHEAD;
        Part::default()
    })
}

impl Text {
    fn closing(&self, mut members: Vec<(&'static str, String)>) -> Option<Closing> {
        if self.is_whole {
            return None;
        }
        members.push((self.channel.member, literal(&self.said)));
        if self.channel.place == Place::Content("output_text") {
            members.push(("logprobs", "[]".to_owned()));
        }
        Some(Closing {
            kind: format!("{}.done", self.channel.stem),
            members,
        })
    }
}

impl Part {
    /// The part with its text so far.
    fn whole(&self, is_summary: bool) -> String {
        if let (true, Some(raw)) = (self.is_closed, &self.raw) {
            return raw.clone();
        }
        let bare = match self.text.as_ref().map(|text| text.channel.place) {
            Some(Place::Content("refusal")) => r#"{"type":"refusal","refusal":""}"#,
            Some(Place::Content("reasoning_text")) => r#"{"type":"reasoning_text","text":""}"#,
            _ if is_summary => r#"{"type":"summary_text","text":""}"#,
            _ => r#"{"type":"output_text","text":"","annotations":[],"logprobs":[]}"#,
        };
        let mut members = Vec::new();
        if let Some(text) = &self.text {
            members.push((text.channel.member, literal(&text.said)));
        }
        if !self.annotations.is_empty() {
            members.push(("annotations", format!("[{}]", self.annotations.join(","))));
        }
        let members: Vec<_> = members
            .iter()
            .map(|(key, json)| (*key, json.as_str()))
            .collect();
        with_members(self.raw.as_deref().unwrap_or(bare), &members)
    }
}
