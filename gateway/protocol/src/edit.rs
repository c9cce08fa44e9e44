//! Edits that leave every other byte as it was.

use bytes::{Bytes, BytesMut};

use crate::json::{Span, literal};

/// Replacements of byte ranges, spliced into a body in one go.
///
/// Ranges refer to the original body, so edits can be made in any order; [`EditList::apply`] refuses
/// ranges that overlap. Insertions at one place appear in the order in which they were added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EditList {
    edits: Vec<Edit>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Edit {
    span: Span,
    replacement: Bytes,
}

/// Why edits cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// Two edits claim the same bytes.
    #[error("edits overlap at byte {offset}")]
    Overlap {
        /// Where the second edit starts.
        offset: usize,
    },
    /// An edit ends before it starts, or after the body does.
    #[error("edit of bytes {}..{} in a body of {length}", span.start, span.end)]
    OutOfRange {
        /// The range asked for.
        span: Span,
        /// The body's length.
        length: usize,
    },
    /// A member cannot be added to anything but an object.
    #[error("no object at bytes {}..{}", span.start, span.end)]
    NotAnObject {
        /// The range asked for.
        span: Span,
    },
}

/// How an [`EditList`] moves what it leaves in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// Ends of edits, in order; bytes removed and added up to there.
    steps: Vec<(usize, usize, usize)>,
}

impl Shift {
    /// Where a range of the original body is now. A range that was replaced is now its replacement;
    /// of one that an edit cuts in two, nothing can be said.
    pub fn of(&self, span: &Span) -> Span {
        let at = |offset: usize| {
            let before = self.steps.partition_point(|&(end, _, _)| end <= offset);
            match before.checked_sub(1).and_then(|last| self.steps.get(last)) {
                Some(&(_, removed, added)) => (offset + added).saturating_sub(removed),
                None => offset,
            }
        };
        at(span.start)..at(span.end)
    }
}

impl EditList {
    /// A list without edits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether applying changes nothing.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Puts `replacement` where `span` is; an empty span inserts, an empty replacement removes.
    pub fn replace(&mut self, span: Span, replacement: impl Into<Bytes>) {
        self.edits.push(Edit {
            span,
            replacement: replacement.into(),
        });
    }

    /// Puts the text, as a JSON string literal, where `span` is.
    pub fn replace_with_text(&mut self, span: Span, text: &str) {
        self.replace(span, literal(text));
    }

    /// Adds a member, whose value is already JSON, at the end of the object at `object`.
    ///
    /// At the end, because a provider's prompt cache is keyed by what stands before. Two members
    /// added to one empty object would lack their comma: give them as one. Whether the key is taken
    /// is the caller's to know.
    pub fn insert_member(
        &mut self,
        body: &[u8],
        object: &Span,
        key: &str,
        json: &str,
    ) -> Result<(), EditError> {
        let inside = body
            .get(object.clone())
            .and_then(|bytes| bytes.strip_prefix(b"{")?.strip_suffix(b"}"))
            .ok_or_else(|| EditError::NotAnObject {
                span: object.clone(),
            })?;
        let comma = if inside.trim_ascii().is_empty() {
            ""
        } else {
            ","
        };
        let end = object.end - 1;
        self.replace(end..end, format!("{comma}{}:{json}", literal(key)));
        Ok(())
    }

    /// Where bytes of the body are after the edits.
    pub fn shift(&self) -> Shift {
        let mut edits: Vec<&Edit> = self.edits.iter().collect();
        edits.sort_by_key(|edit| (edit.span.end, edit.span.start));
        let (mut removed, mut added) = (0, 0);
        let steps = edits.into_iter().map(|edit| {
            removed += edit.span.len();
            added += edit.replacement.len();
            (edit.span.end, removed, added)
        });
        Shift {
            steps: steps.collect(),
        }
    }

    /// The body with the edits made. Without edits it is the same buffer, not a copy.
    pub fn apply(&self, body: &Bytes) -> Result<Bytes, EditError> {
        if self.edits.is_empty() {
            return Ok(body.clone());
        }
        let mut edits: Vec<&Edit> = self.edits.iter().collect();
        edits.sort_by_key(|edit| (edit.span.start, edit.span.end));

        let added: usize = edits.iter().map(|edit| edit.replacement.len()).sum();
        let mut edited = BytesMut::with_capacity(body.len() + added);
        let mut copied = 0;
        for edit in edits {
            let Span { start, end } = edit.span;
            if start > end || end > body.len() {
                return Err(EditError::OutOfRange {
                    span: edit.span.clone(),
                    length: body.len(),
                });
            }
            if start < copied {
                return Err(EditError::Overlap { offset: start });
            }
            edited.extend_from_slice(&body[copied..start]);
            edited.extend_from_slice(&edit.replacement);
            copied = end;
        }
        edited.extend_from_slice(&body[copied..]);
        Ok(edited.freeze())
    }
}

#[cfg(test)]
mod tests;
