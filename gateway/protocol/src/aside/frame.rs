//! Frames of a stream with something changed in them, or held back: [`Held`].

use bytes::{Bytes, BytesMut};

use crate::edit::EditList;
use crate::sse::{Event, Frame, encode_event};

/// The end of a round, held back until it is known to be the answer's.
#[derive(Debug, Default)]
pub(super) struct Held {
    bytes: BytesMut,
    holds: bool,
    has_ended: bool,
}

impl Held {
    /// From here on nothing goes out.
    pub(super) const fn hold(&mut self) {
        self.holds = true;
    }

    pub(super) const fn holds(&self) -> bool {
        self.holds
    }

    /// Whether all of the answer has gone out.
    pub(super) const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// What goes out of these bytes now.
    pub(super) fn let_through(&mut self, bytes: Bytes) -> Bytes {
        if !self.holds {
            return bytes;
        }
        self.bytes.extend_from_slice(&bytes);
        Bytes::new()
    }

    /// What was held back, and these bytes: an answer that does not end here, such as with an error.
    pub(super) fn release(&mut self, bytes: &[u8]) -> Bytes {
        self.holds = false;
        self.bytes.extend_from_slice(bytes);
        std::mem::take(&mut self.bytes).freeze()
    }

    /// The same, and the answer has ended.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Bytes {
        self.has_ended = true;
        self.release(bytes)
    }
}

/// The frame with its data edited; as it came where nothing is to be changed.
pub(super) fn edited(frame: &Frame, event: &Event, edits: &EditList) -> Bytes {
    if edits.is_empty() {
        return frame.raw.clone();
    }
    let name = event
        .name
        .as_deref()
        .and_then(|name| std::str::from_utf8(name).ok());
    let data = edits.apply(&event.data);
    match data.as_deref().map(std::str::from_utf8) {
        Ok(Ok(data)) => encode_event(name, data),
        _ => frame.raw.clone(),
    }
}
