//! Adding a request up.

use skinflint_protocol::{Block, BlockKind, RequestView, ResponseFormat, Span, Tool};

use super::{Counter, Spelling, bytes, named_elsewhere};
use crate::count::{Certainty, Count, tokens};
use crate::encoding::Encoding;
use crate::framing::{self, Framing};
use crate::word::{self, Words};
use crate::{media, tool};

/// A string up to this long is counted by its bytes: ids have few bytes a token.
const SHORT: usize = 64;
/// Base64 bytes of sealed reasoning for a token: three of four are text, of which a token has more
/// than one and a half even when packed.
const SEALED_BYTES_PER_TOKEN: usize = 2;

/// A count in the making.
#[derive(Debug)]
pub(super) struct Sum<'c> {
    counter: &'c Counter,
    encoding: &'c Encoding,
    view: &'c RequestView,
    framing: Framing,
    body: &'c [u8],
    count: Count,
}

/// Something in the body with a count of its own.
#[derive(Debug, Clone, Copy)]
enum Part<'v> {
    Model,
    Tool(&'v Tool),
    Block(&'v Block),
}

impl<'c> Sum<'c> {
    pub(super) fn new(
        counter: &'c Counter,
        encoding: &'c Encoding,
        view: &'c RequestView,
        body: &'c [u8],
    ) -> Self {
        let framing = Framing::of(encoding, view.endpoint);
        Self {
            counter,
            encoding,
            view,
            framing,
            body,
            count: framing.request,
        }
    }

    pub(super) fn into_count(self) -> Count {
        self.count
    }

    /// Adds the whole body, in the order in which it stands there: parts and what is between them.
    pub(super) fn request(&mut self) {
        let view = self.view;
        self.count += framing::format(view.response_format);
        if !view.tools.is_empty() {
            self.count += Count::at_most(self.framing.tools);
        }
        self.count.weaken(named_elsewhere(view));

        let mut parts = vec![(&view.model.span, Part::Model)];
        parts.extend(view.tools.iter().map(|tool| (&tool.span, Part::Tool(tool))));
        parts.extend(
            view.blocks
                .iter()
                .map(|block| (&block.span, Part::Block(block))),
        );
        parts.sort_unstable_by_key(|(span, _)| span.start);
        let mut seen = 0;
        for (span, part) in parts {
            self.between(&(seen..span.start));
            match part {
                Part::Model => {}
                Part::Tool(tool) => self.tool(tool),
                Part::Block(block) => self.block(block),
            }
            seen = span.end;
        }
        self.between(&(seen..self.body.len()));
    }

    fn tool(&mut self, tool: &Tool) {
        let definition = bytes(self.body, &tool.span);
        // The JSON has all that the model reads, and more punctuation.
        self.plain(definition);
        self.count += tool::hidden(definition);
        self.count += Count::at_most(self.framing.tool);
    }

    fn block(&mut self, block: &Block) {
        let json = bytes(self.body, &block.span);
        self.count += self.framing.block;
        match block.kind {
            BlockKind::Image => {
                self.count += media::image(self.encoding, &self.view.model.value);
            }
            BlockKind::Audio => self.count += media::sound(json),
            BlockKind::Document => match media::document(json) {
                Some(count) => self.count += count,
                None => self.plain(json),
            },
            BlockKind::Reference => self.count += media::ELSEWHERE,
            BlockKind::Tokens => {
                let commas = memchr::memchr_iter(b',', json).count();
                self.count += Count::exact(tokens(commas).saturating_add(1));
            }
            BlockKind::Thinking | BlockKind::RedactedThinking => self.reasoning(block),
            _ => self.written(block, json),
        }
        if !matches!(
            block.kind,
            BlockKind::Text | BlockKind::Tokens | BlockKind::ToolResult
        ) {
            self.count.weaken(Certainty::UpperBound);
        }
    }

    /// A block with something to read in it.
    fn written(&mut self, block: &Block, json: &[u8]) {
        let Some(text) = &block.text else {
            self.count.weaken(Certainty::UpperBound);
            self.plain(json);
            return;
        };
        self.literal(text);
        self.words(bytes(self.body, &(block.span.start..text.start)));
        self.words(bytes(self.body, &(text.end..block.span.end)));
    }

    /// Reasoning: what can be read of it, and what only the provider can read, signed or encrypted.
    fn reasoning(&mut self, block: &Block) {
        let (before, after) = match &block.text {
            Some(text) => {
                self.literal(text);
                (block.span.start..text.start, text.end..block.span.end)
            }
            None => (block.span.clone(), block.span.end..block.span.end),
        };
        for span in [before, after] {
            let mut words = Words(bytes(self.body, &span));
            while let Some(word) = words.next() {
                if word::is_sealed(word) {
                    let sealed = words.next().unwrap_or_default();
                    self.count +=
                        Count::at_most(tokens(sealed.len().div_ceil(SEALED_BYTES_PER_TOKEN)));
                } else {
                    self.word(word);
                }
            }
        }
    }

    /// What stands between the parts of a request.
    fn between(&mut self, span: &Span) {
        let json = bytes(self.body, span);
        for word in Words(json) {
            if word == b"role" {
                self.count += self.framing.message;
            } else if word::invites_more(word) {
                self.count.weaken(Certainty::Growing);
            }
        }
        // An answer's schema is read with all its punctuation.
        if self.view.response_format != ResponseFormat::Text && json.len() > SHORT {
            self.plain(json);
        } else {
            self.words(json);
        }
    }

    fn words(&mut self, json: &[u8]) {
        let mut words = Words(json);
        while let Some(word) = words.next() {
            if word == b"name" {
                // A speaker's name costs its tokens and one more.
                self.count += Count::exact(1);
                self.escaped(words.next().unwrap_or_default());
            } else {
                self.word(word);
            }
        }
    }

    fn word(&mut self, word: &[u8]) {
        if word::is_protocol(word) {
            return;
        }
        if word.len() <= SHORT {
            self.count += Count::at_most(tokens(word.len()));
        } else {
            self.count.weaken(Certainty::UpperBound);
            self.escaped(word);
        }
    }

    /// A string with its quotes.
    fn literal(&mut self, span: &Span) {
        let inside = span.start.saturating_add(1)..span.end.saturating_sub(1);
        self.escaped(bytes(self.body, &inside));
    }

    fn escaped(&mut self, inside: &[u8]) {
        self.count += self
            .counter
            .remembered(self.encoding, Spelling::Escaped, inside);
    }

    fn plain(&mut self, json: &[u8]) {
        self.count += self
            .counter
            .remembered(self.encoding, Spelling::Plain, json);
    }
}
