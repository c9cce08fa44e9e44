//! Frames of a stream with something changed in them.

use bytes::Bytes;

use crate::edit::EditList;
use crate::sse::{Event, Frame, encode_event};

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
