//! By what names the parts of a conversation are known: [`Conversation`].

use std::borrow::Cow;

use skinflint_compressor::{ChainHash, Handle};
use skinflint_protocol::{Block, BlockKind, JsonLimits, RequestView, Role, Span, json::Document};

/// A request's blocks, with the hash of all that stands before each. A block is what it says, whoever spells it how:
/// breakpoints of caches do not count, since clients move them from turn to turn, and a text counts the same as a string
/// and as a part.
#[derive(Debug)]
pub(super) struct Conversation<'r> {
    view: &'r RequestView,
    body: &'r [u8],
    /// Before the first block, behind it, and so on, as far as was asked for.
    chain: Vec<ChainHash>,
}

/// A result of a tool that is a text.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// Its place among the view's blocks.
    pub block: usize,
    /// The tenant, and all blocks up to and including this one.
    pub key: ChainHash,
    /// The string literal in the body.
    pub literal: Span,
    /// Whether it stands behind everything that the model has said, so that it was never sent before.
    pub is_new: bool,
}

/// What a client says anew in every turn, wherever the conversation has got to.
const MARK: &str = "cache_control";

/// By what a whole text is known within a task.
pub(super) fn original_key(tenant: &str, task: &str, handle: Handle) -> ChainHash {
    ChainHash::start(tenant).followed_by(&[b"original", task.as_bytes(), handle.as_bytes()])
}

/// By what is known what stands in a result's place since it was too old to be sent.
pub(super) fn elided_key(result: ChainHash) -> ChainHash {
    result.followed_by(&[b"elided"])
}

/// By what is known what a client has not seen of an answer: what was asked, and what it has seen.
pub(super) fn aside_key(asked: ChainHash, name: &[u8]) -> ChainHash {
    asked.followed_by(&[b"aside", name])
}

impl<'r> Conversation<'r> {
    pub(super) fn of(tenant: &str, view: &'r RequestView, body: &'r [u8]) -> Self {
        Self {
            view,
            body,
            chain: vec![ChainHash::start(tenant)],
        }
    }

    /// The tenant, and the first so many blocks.
    pub(super) fn hash(&mut self, blocks: usize) -> ChainHash {
        let blocks = blocks.min(self.view.blocks.len());
        while let Some(block) = self.view.blocks[..blocks].get(self.chain.len() - 1) {
            let before = self.chain[self.chain.len() - 1];
            self.chain.push(followed_by(before, block, self.body));
        }
        self.chain[blocks]
    }

    /// The results of tools, in the order in which the model reads them.
    pub(super) fn results(&mut self) -> Vec<Candidate> {
        let view = self.view;
        let answered = view
            .blocks
            .iter()
            .rposition(|block| block.role == Role::Assistant);
        let mut results = Vec::new();
        for (index, block) in view.blocks.iter().enumerate() {
            if let (BlockKind::ToolResult, Some(literal)) = (block.kind, &block.text) {
                results.push(Candidate {
                    block: index,
                    key: self.hash(index + 1),
                    literal: literal.clone(),
                    is_new: answered.is_none_or(|last| last < index),
                });
            }
        }
        results
    }

    /// By what is known whether the gateway's tool is on offer, and whether that is to be decided now: everything that
    /// was said before the model first answered.
    pub(super) fn opening(&mut self) -> (ChainHash, bool) {
        let mut blocks = self.view.blocks.iter();
        let answer = blocks.position(|block| block.role == Role::Assistant);
        let asked = self.hash(answer.unwrap_or(self.view.blocks.len()));
        (asked.followed_by(&[b"offer"]), answer.is_none())
    }
}

fn followed_by(chain: ChainHash, block: &Block, body: &[u8]) -> ChainHash {
    let kind = [block.role as u8, block.kind as u8];
    let text = block.text.as_ref().filter(|_| is_only_text(block.kind));
    if let Some(literal) = text.and_then(|span| body.get(span.clone())) {
        chain.followed_by(&[&kind, literal])
    } else {
        let bytes = body.get(block.span.clone()).unwrap_or_default();
        chain.followed_by(&[&kind, &without_mark(block, bytes)])
    }
}

/// Whether the text is all that the block says.
fn is_only_text(kind: BlockKind) -> bool {
    matches!(
        kind,
        BlockKind::Text | BlockKind::ToolResult | BlockKind::Refusal
    )
}

/// The block's bytes without its breakpoint. What has none, such as a picture, is not copied.
fn without_mark<'b>(block: &Block, bytes: &'b [u8]) -> Cow<'b, [u8]> {
    let whole = Cow::Borrowed(bytes);
    if !block.cache_control {
        return whole;
    }
    let Ok(document) = Document::parse(bytes, JsonLimits::default()) else {
        return whole;
    };
    let Some(mark) = document.root().get(MARK).map(|value| value.span()) else {
        return whole;
    };
    // From the comma before the key; of a first member, to the comma after the value.
    let Some(head) = without_key(&bytes[..mark.start]) else {
        return whole;
    };
    let tail = &bytes[mark.end..];
    if let Some(head) = head.strip_suffix(b",") {
        return [head, tail].concat().into();
    }
    let rest = tail.trim_ascii_start();
    [head, rest.strip_prefix(b",").unwrap_or(rest)]
        .concat()
        .into()
}

/// Bytes that end with the mark's key and a colon, without these.
fn without_key(bytes: &[u8]) -> Option<&[u8]> {
    let key = bytes.trim_ascii_end().strip_suffix(b":")?.trim_ascii_end();
    let head = key.strip_suffix(b"\"")?.strip_suffix(MARK.as_bytes())?;
    Some(head.strip_suffix(b"\"")?.trim_ascii_end())
}
