//! What providers charge for calls that follow each other: [`Bill`].

use std::collections::HashMap;

use skinflint_protocol::{BlockKind, RequestView};
use skinflint_tokens::{Counter, Encoding};

/// Input of all calls so far, in tokens of fresh input.
#[derive(Debug, Default)]
pub(super) struct Bill {
    pub anthropic: f64,
    pub openai: f64,
    pub uncached: f64,
    /// What the last call sent.
    sent: Vec<[u8; 32]>,
}

/// The blocks of a call.
#[derive(Debug)]
pub(super) struct Blocks(Vec<Block>);

#[derive(Debug)]
struct Block {
    kind: BlockKind,
    hash: [u8; 32],
    tokens: u64,
    text: Option<String>,
}

/// Tokens of texts, each counted once.
#[derive(Debug, Default)]
pub(super) struct TokenMemory(HashMap<[u8; 32], u64>);

const READ: f64 = 0.1;
const ANTHROPIC_WRITE: f64 = 1.25;
/// OpenAI caches prefixes from this length on, in these steps.
const OPENAI_LEAST: u64 = 1024;
const OPENAI_STEP: u64 = 128;

impl Bill {
    /// Adds a call; returns the blocks of the call before that it sends otherwise.
    pub(super) fn call(&mut self, blocks: &Blocks) -> u64 {
        let same = self
            .sent
            .iter()
            .zip(&blocks.0)
            .take_while(|(sent, block)| **sent == block.hash)
            .count();
        let changed = self.sent.len() - same;
        let cached: u64 = blocks.0[..same].iter().map(|block| block.tokens).sum();
        let all = blocks.tokens();
        let openai_cached = match cached {
            OPENAI_LEAST.. => cached / OPENAI_STEP * OPENAI_STEP,
            _ => 0,
        };
        let cost = |cached: u64, write: f64| READ * number(cached) + write * number(all - cached);
        self.anthropic += cost(cached, ANTHROPIC_WRITE);
        self.openai += cost(openai_cached, 1.0);
        self.uncached += number(all);
        self.sent = blocks.0.iter().map(|block| block.hash).collect();
        changed as u64
    }
}

/// More than four billion tokens are not counted.
pub(super) fn number(tokens: u64) -> f64 {
    u32::try_from(tokens).map_or(f64::INFINITY, f64::from)
}

impl Blocks {
    /// The blocks of a request.
    pub(super) fn of(view: &RequestView, body: &[u8], memory: &mut TokenMemory) -> Self {
        let tools = view.tools.iter().map(|tool| {
            let bytes = body.get(tool.span.clone()).unwrap_or_default();
            Block {
                kind: BlockKind::Tools,
                hash: *blake3::hash(bytes).as_bytes(),
                tokens: memory.count(&String::from_utf8_lossy(bytes)),
                text: None,
            }
        });
        let tools: Vec<_> = tools.collect();
        let blocks = view.blocks.iter().map(|block| {
            let span = block.text.as_ref().unwrap_or(&block.span);
            let bytes = body.get(span.clone()).unwrap_or_default();
            let text = block
                .text
                .as_ref()
                .and_then(|_| serde_json::from_slice::<String>(bytes).ok());
            let shown = text
                .as_deref()
                .map_or_else(|| String::from_utf8_lossy(bytes), Into::into);
            Block {
                kind: block.kind,
                hash: *blake3::hash(body.get(block.span.clone()).unwrap_or_default()).as_bytes(),
                tokens: memory.count(&shown),
                text,
            }
        });
        Self(tools.into_iter().chain(blocks).collect())
    }

    pub(super) fn tokens(&self) -> u64 {
        self.0.iter().map(|block| block.tokens).sum()
    }

    pub(super) fn tokens_of(&self, kind: BlockKind) -> u64 {
        let of_kind = self.0.iter().filter(|block| block.kind == kind);
        of_kind.map(|block| block.tokens).sum()
    }

    /// The texts of the blocks of this kind, in their order.
    pub(super) fn texts_of(&self, kind: BlockKind) -> impl Iterator<Item = &str> {
        let blocks = self.0.iter().filter(move |block| block.kind == kind);
        blocks.filter_map(|block| block.text.as_deref())
    }

    /// The texts of all blocks, in their order; nothing for what is none.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        let blocks = self.0.iter();
        blocks
            .filter(|block| block.kind != BlockKind::Tools)
            .map(|block| block.text.as_deref().unwrap_or_default())
    }
}

impl TokenMemory {
    fn count(&mut self, text: &str) -> u64 {
        *self
            .0
            .entry(*blake3::hash(text.as_bytes()).as_bytes())
            .or_insert_with(|| Counter::new(0).text(&Encoding::O200k, text).tokens)
    }
}
