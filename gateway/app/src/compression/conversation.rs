//! Which blocks of a request are results of tools, by what name each is known, and which are new: [`Conversation`].

use std::borrow::Cow;

use skinflint_compressor::ChainHash;
use skinflint_protocol::{Block, BlockKind, JsonLimits, RequestView, Role, Span, json::Document};

/// The results of tools in a request.
#[derive(Debug)]
pub(super) struct Conversation {
    /// In the order in which the model reads them.
    pub results: Vec<Candidate>,
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

impl Conversation {
    /// Hashes all blocks up to the last result. A block is what it says, whoever spells it how: breakpoints of caches do not count, since
    /// clients move them from turn to turn, and a text counts the same as a string and as a part.
    pub(super) fn read(tenant: &str, view: &RequestView, body: &[u8]) -> Self {
        let answered = view
            .blocks
            .iter()
            .rposition(|block| block.role == Role::Assistant);
        let mut chain = ChainHash::start(tenant);
        let mut results = Vec::new();
        // Behind the last result nothing needs a name.
        let last = view
            .blocks
            .iter()
            .rposition(|block| block.kind == BlockKind::ToolResult);
        let blocks = &view.blocks[..last.map_or(0, |last| last + 1)];
        for (index, block) in blocks.iter().enumerate() {
            let kind = [block.role as u8, block.kind as u8];
            let text = block.text.as_ref().filter(|_| is_only_text(block.kind));
            chain = if let Some(literal) = text.and_then(|span| body.get(span.clone())) {
                chain.followed_by(&[&kind, literal])
            } else {
                let bytes = body.get(block.span.clone()).unwrap_or_default();
                chain.followed_by(&[&kind, &without_mark(block, bytes)])
            };
            if let (BlockKind::ToolResult, Some(literal)) = (block.kind, &block.text) {
                results.push(Candidate {
                    block: index,
                    key: chain,
                    literal: literal.clone(),
                    is_new: answered.is_none_or(|last| last < index),
                });
            }
        }
        Self { results }
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
