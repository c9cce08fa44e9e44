//! Server-sent events, cut out of a byte stream without losing a byte.
//!
//! Follows "Interpreting an event stream" of the WHATWG HTML standard, with two differences that a
//! relay needs: the exact bytes are kept next to what they mean, and a name or id that is not UTF-8
//! is left as bytes.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// What an event stream says in one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The `event` field; without one, readers take it as `message`.
    pub name: Option<Bytes>,
    /// The `data` fields, joined by line feeds.
    pub data: Bytes,
    /// The `id` field of this event; ids of earlier events are not carried over.
    pub id: Option<Bytes>,
}

/// Bytes of a stream up to and including a blank line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The bytes as they came.
    pub raw: Bytes,
    /// The event, unless there are only comments or blank lines.
    pub event: Option<Event>,
}

/// Where the scanner stands in the current line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// At the start of the stream, after this many bytes of a byte order mark.
    Mark(usize),
    /// Before the first byte.
    Start,
    /// After the first byte.
    Inside,
    /// After a carriage return, which a line feed may still belong to.
    Return {
        /// Whether the line was blank, which ends the frame.
        blank: bool,
    },
}

/// Splits a stream into frames; the frames do not depend on how the stream is cut into chunks.
///
/// A frame within one chunk is a slice of it; one that crosses chunks is copied once.
#[derive(Debug)]
pub struct Decoder {
    /// What has been scanned of a frame that is not complete.
    held: BytesMut,
    /// What has not been scanned.
    chunks: VecDeque<Bytes>,
    line: Line,
    is_first: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            held: BytesMut::new(),
            chunks: VecDeque::new(),
            line: Line::Mark(0),
            is_first: true,
        }
    }
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the next bytes of the stream.
    pub fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.chunks.push_back(chunk);
        }
    }

    /// The next frame that is complete in what was pushed.
    ///
    /// A blank line that ends in a bare carriage return waits for one more byte, which may be the
    /// line feed that belongs to it.
    pub fn next_frame(&mut self) -> Option<Frame> {
        while let Some(mut chunk) = self.chunks.pop_front() {
            let Some(end) = self.scan(&chunk) else {
                self.held.extend_from_slice(&chunk);
                continue;
            };
            let head = chunk.split_to(end);
            if !chunk.is_empty() {
                self.chunks.push_front(chunk);
            }
            let raw = if self.held.is_empty() {
                head
            } else {
                self.held.extend_from_slice(&head);
                self.take_held()
            };
            return Some(self.frame(raw));
        }
        None
    }

    /// At the end of the stream: the frame that only waited for a line feed.
    pub fn finish(&mut self) -> Option<Frame> {
        if let Some(frame) = self.next_frame() {
            return Some(frame);
        }
        if self.line != (Line::Return { blank: true }) {
            return None;
        }
        self.line = Line::Start;
        let raw = self.take_held();
        Some(self.frame(raw))
    }

    /// The buffer goes with the frame: one that grew for a large event would stay as large.
    fn take_held(&mut self) -> Bytes {
        std::mem::take(&mut self.held).freeze()
    }

    /// Hands over the bytes that belong to no complete frame.
    pub fn take_partial(&mut self) -> Bytes {
        for chunk in self.chunks.drain(..) {
            self.held.extend_from_slice(&chunk);
        }
        self.line = Line::Start;
        self.take_held()
    }

    /// How many bytes are held back.
    pub fn partial_len(&self) -> usize {
        self.held.len() + self.chunks.iter().map(Bytes::len).sum::<usize>()
    }

    /// Goes on through `bytes` to the end of a frame, and says where that is.
    fn scan(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            let byte = *rest.first()?;
            match self.line {
                Line::Mark(seen) if byte == BOM[seen] => {
                    at += 1;
                    self.line = match seen {
                        2 => Line::Start,
                        _ => Line::Mark(seen + 1),
                    };
                }
                Line::Mark(0) => self.line = Line::Start,
                Line::Mark(_) => self.line = Line::Inside,
                Line::Start => {
                    at += 1;
                    match byte {
                        b'\n' => return Some(at),
                        b'\r' => self.line = Line::Return { blank: true },
                        _ => self.line = Line::Inside,
                    }
                }
                Line::Inside => {
                    at += memchr::memchr2(b'\n', b'\r', rest)? + 1;
                    self.line = match bytes[at - 1] {
                        b'\n' => Line::Start,
                        _ => Line::Return { blank: false },
                    };
                }
                Line::Return { blank } => {
                    at += usize::from(byte == b'\n');
                    self.line = Line::Start;
                    if blank {
                        return Some(at);
                    }
                }
            }
        }
    }

    fn frame(&mut self, raw: Bytes) -> Frame {
        let is_first = std::mem::take(&mut self.is_first);
        let body = if is_first && raw.starts_with(&BOM) {
            raw.slice(BOM.len()..)
        } else {
            raw.clone()
        };
        Frame {
            raw,
            event: event(&body),
        }
    }
}

/// Reads the fields of a frame.
fn event(frame: &Bytes) -> Option<Event> {
    let mut name = None;
    let mut id = None;
    let mut data: Option<Data> = None;
    for line in lines(frame) {
        let (field, value) = split_field(&frame[line.clone()]);
        let value = || frame.slice(line.start + value..line.end);
        match field {
            b"event" => name = Some(value()),
            b"id" => id = Some(value()).filter(|value| !value.contains(&0)).or(id),
            b"data" => {
                data = Some(match data {
                    None => Data::One(value()),
                    Some(earlier) => earlier.join(&value()),
                });
            }
            _ => {}
        }
    }
    let data = match data? {
        Data::One(value) => value,
        Data::Many(joined) => joined.freeze(),
    };
    let name = name.filter(|name| !name.is_empty());
    Some(Event { name, data, id })
}

/// The common event has one line of data, which need not be copied.
enum Data {
    One(Bytes),
    Many(BytesMut),
}

impl Data {
    fn join(self, line: &[u8]) -> Self {
        let mut joined = match self {
            Self::One(first) => BytesMut::from(&first[..]),
            Self::Many(joined) => joined,
        };
        joined.extend_from_slice(b"\n");
        joined.extend_from_slice(line);
        Self::Many(joined)
    }
}

/// Where the lines of a frame stand, their ends left out.
fn lines(frame: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let end = start + memchr::memchr2(b'\n', b'\r', &frame[start..])?;
        let line = start..end;
        start = end
            + if frame[end..].starts_with(b"\r\n") {
                2
            } else {
                1
            };
        Some(line)
    })
}

/// The field's name and where its value starts, after the first colon and one space. A comment is a
/// field without a name.
fn split_field(line: &[u8]) -> (&[u8], usize) {
    let Some(colon) = memchr::memchr(b':', line) else {
        return (line, line.len());
    };
    let space = usize::from(line.get(colon + 1) == Some(&b' '));
    (&line[..colon], colon + 1 + space)
}

/// Writes an event; data of several lines becomes several fields.
///
/// The name must hold no line end.
pub fn encode_event(name: Option<&str>, data: &str) -> Bytes {
    let mut frame = BytesMut::with_capacity(data.len() + 64);
    if let Some(name) = name {
        frame.extend_from_slice(b"event: ");
        frame.extend_from_slice(name.as_bytes());
        frame.extend_from_slice(b"\n");
    }
    fields(&mut frame, b"data: ", data);
    frame.extend_from_slice(b"\n");
    frame.freeze()
}

/// Writes a comment, which readers skip.
pub fn encode_comment(text: &str) -> Bytes {
    let mut frame = BytesMut::with_capacity(text.len() + 8);
    fields(&mut frame, b": ", text);
    frame.extend_from_slice(b"\n");
    frame.freeze()
}

fn fields(frame: &mut BytesMut, prefix: &[u8], text: &str) {
    let text = text.replace("\r\n", "\n");
    for line in text.split(['\n', '\r']) {
        frame.extend_from_slice(prefix);
        frame.extend_from_slice(line.as_bytes());
        frame.extend_from_slice(b"\n");
    }
}

#[cfg(test)]
mod tests;
