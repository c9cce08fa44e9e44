//! Counting a request, block by block.

mod sum;

use std::fmt;

use moka::sync::Cache;
use skinflint_protocol::json::Document;
use skinflint_protocol::{BlockKind, JsonLimits, RequestView, Span};

use crate::count::{Certainty, Count, tokens};
use crate::encoding::Encoding;
use crate::framing::{self, Framing};
use crate::{media, tool};
use sum::Sum;

/// Counts tokens and remembers the counts of blocks. Clones share the memory.
#[derive(Clone)]
pub struct Counter {
    memory: Cache<Key, Count>,
}

/// BLAKE3 of an encoding's name, a form of text and its bytes.
type Key = [u8; blake3::OUT_LEN];

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counter")
            .field("remembered", &self.memory.entry_count())
            .finish_non_exhaustive()
    }
}

/// How text is spelled in the bytes to be counted.
#[derive(Debug, Clone, Copy)]
enum Spelling {
    /// As it is.
    Plain,
    /// As a JSON string, without its quotes.
    Escaped,
}

impl Counter {
    /// A counter that remembers this many blocks, at some 200 bytes each.
    pub fn new(capacity: u64) -> Self {
        Self {
            memory: Cache::new(capacity),
        }
    }

    /// At most how many tokens a request has, from its length: nothing is tokenized, and only
    /// documents, sound and tools without a schema are looked at.
    ///
    /// A token begins at a byte of its text, so that text has at most as many tokens as bytes. In JSON
    /// it has at least as many bytes: an escape of two bytes stands for one; `\uXXXX` is six bytes for
    /// at most three of UTF-8, a pair of them twelve for four; all else stands for itself. What frames
    /// a message (at most 16 tokens) or a part of it (2) is less than the JSON around it:
    /// `{"role":"","content":""},` are 25 bytes. Pictures, files and sound go by the rules of the
    /// crate's documentation.
    pub fn bound(&self, encoding: &Encoding, view: &RequestView, body: &[u8]) -> Count {
        let framing = Framing::of(encoding, view.endpoint);
        let mut count = Count::at_most(tokens(body.len()));
        count += framing.request;
        count += framing::format(view.response_format);
        if !view.tools.is_empty() {
            count += Count::at_most(framing.tools);
        }
        for tool in &view.tools {
            count += tool::hidden(bytes(body, &tool.span));
            count += Count::at_most(framing.tool);
        }
        for block in &view.blocks {
            let json = bytes(body, &block.span);
            let medium = match block.kind {
                BlockKind::Image => Some(media::image(encoding, &view.model.value)),
                BlockKind::Audio => Some(media::sound(json)),
                BlockKind::Document => media::document(json),
                BlockKind::Reference => Some(media::ELSEWHERE),
                _ => None,
            };
            if let Some(medium) = medium {
                count.tokens = count.tokens.saturating_sub(tokens(json.len()));
                count += medium;
            }
        }
        count.weaken(named_elsewhere(view));
        count
    }

    /// The tokens of a request.
    ///
    /// Tokenizes what it has not seen before, some ten megabytes a second, so that a turn of a
    /// conversation costs its new blocks; what it has seen is hashed. While [`Encoding::is_ready`] is
    /// false this blocks for the time of a load: call it from a thread that may.
    ///
    /// The certainty may be worse than that of [`Counter::bound`], which does not look for members that
    /// have the provider add to the prompt.
    pub fn count(&self, encoding: &Encoding, view: &RequestView, body: &[u8]) -> Count {
        let sum = self.sum(encoding, view, body);
        // Both are bounds; of an odd request the cheap one may be the lower.
        let bound = self.bound(encoding, view, body);
        Count {
            tokens: sum.tokens.min(bound.tokens),
            ..sum
        }
    }

    fn sum(&self, encoding: &Encoding, view: &RequestView, body: &[u8]) -> Count {
        let mut sum = Sum::new(self, encoding, view, body);
        sum.request();
        sum.into_count()
    }

    /// The tokens of a text by itself, such as an answer so far; nothing is remembered. Pieces of a text
    /// count somewhat more than the whole. Blocks like [`Counter::count`].
    pub fn text(&self, encoding: &Encoding, text: &str) -> Count {
        encoding.count(text)
    }

    /// Counts once for each text, however often it comes.
    fn remembered(&self, encoding: &Encoding, spelling: Spelling, bytes: &[u8]) -> Count {
        let key = key(encoding, spelling, bytes);
        if let Some(count) = self.memory.get(&key) {
            return count;
        }
        let count = match spelling {
            Spelling::Plain => plain(encoding, bytes),
            Spelling::Escaped => escaped(encoding, bytes),
        };
        self.memory.insert(key, count);
        count
    }
}

fn key(encoding: &Encoding, spelling: Spelling, bytes: &[u8]) -> Key {
    let id = encoding.id().as_bytes();
    let own = matches!(encoding, Encoding::Own(_));
    let mut hasher = blake3::Hasher::new();
    // The name's length and the form, so that no two inputs run together.
    hasher.update(&tokens(id.len()).to_le_bytes());
    hasher.update(id);
    hasher.update(&[u8::from(own), spelling as u8]);
    hasher.update(bytes);
    *hasher.finalize().as_bytes()
}

/// A stretch of a body that is UTF-8, as bodies are that have been parsed.
fn plain(encoding: &Encoding, bytes: &[u8]) -> Count {
    match std::str::from_utf8(bytes) {
        Ok(text) => encoding.count(text),
        Err(_) => Count::at_most(tokens(bytes.len())),
    }
}

/// The inside of a JSON string.
fn escaped(encoding: &Encoding, bytes: &[u8]) -> Count {
    if memchr::memchr(b'\\', bytes).is_none() {
        return plain(encoding, bytes);
    }
    let literal = [b"\"", bytes, b"\""].concat();
    match Document::parse(&literal, JsonLimits::default()) {
        Ok(document) => match document.root().as_str() {
            Some(text) => encoding.count(&text),
            None => Count::at_most(tokens(bytes.len())),
        },
        Err(_) => Count::at_most(tokens(bytes.len())),
    }
}

/// A span of the body; empty where the view is of another body.
fn bytes<'b>(body: &'b [u8], span: &Span) -> &'b [u8] {
    body.get(span.clone()).unwrap_or_default()
}

/// What the view says of content that is not in the body.
fn named_elsewhere(view: &RequestView) -> Certainty {
    if view.previous_response_id.is_some() || view.conversation.is_some() {
        Certainty::Unknown
    } else {
        Certainty::Exact
    }
}

#[cfg(test)]
mod tests;
