//! What becomes of new results of tools.

use std::sync::Arc;

use bytes::Bytes;
use skinflint_compressor::{
    ChainHash, Compressed, Handle, Origin, compress_balanced, compress_safely, jton::Notation,
};
use skinflint_decisions::Rewrite;
use skinflint_protocol::{Block, BlockKind, RequestView, Role, ToolResults};
use skinflint_tokens::{Counter, Encoding};

use super::conversation::Candidate;

/// New results of tools, and what is known where they come.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) view: Arc<RequestView>,
    pub(super) body: Bytes,
    pub(super) new: Vec<Candidate>,
    /// What earlier blocks have told the model.
    pub(super) explained: Notation,
    /// Whether parts may be left out: what is left out can be fetched.
    pub(super) may_omit: bool,
    pub(super) counter: Counter,
    pub(super) encoding: Encoding,
}

/// What was made of a block.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) key: ChainHash,
    pub(super) rewrite: Rewrite,
    /// The whole text, where parts are left out.
    pub(super) original: Option<(Handle, Arc<str>)>,
}

/// Texts too short to gain anything by.
const SHORTEST: usize = 64;
/// Whole texts that are longer are not kept, and so nothing is left out of them.
const LONGEST_ORIGINAL: usize = 4 << 20;
/// Of what was said last, so much tells what is looked for, in bytes.
const QUESTION: usize = 4096;
/// Changes whenever the same text would be made into something else; recorded with each decision.
const VERSION: u32 = 2;

impl Work {
    /// Rewrites what gets smaller by it. Takes its time: some 5 MB/s, most of which is counting tokens.
    pub(super) fn run(self) -> Vec<Made> {
        let Self {
            view,
            body,
            new,
            mut explained,
            may_omit,
            counter,
            encoding,
        } = self;
        let results = ToolResults::of_view(&view, &body);
        let asked = if may_omit {
            last_words(&view, &body)
        } else {
            String::new()
        };
        let count = |text: &str| {
            let count = counter.text(&encoding, text);
            usize::try_from(count.tokens).unwrap_or(usize::MAX)
        };
        let mut made = Vec::new();
        for candidate in new {
            if candidate.literal.len() < SHORTEST {
                continue;
            }
            let call = view
                .blocks
                .get(candidate.block)
                .and_then(|block| results.call(block));
            let origin = call.map_or(Origin::Other, |call| {
                Origin::of_call(&call.name, &call.arguments)
            });
            // A lone surrogate is no text.
            let Some(text) = text(&body, &candidate.literal) else {
                continue;
            };
            let compressed = if may_omit && text.len() <= LONGEST_ORIGINAL {
                let arguments = call.map_or("", |call| &call.arguments);
                let question = format!("{asked}\n{arguments}");
                compress_balanced(&text, origin, explained, &question, &count)
            } else {
                compress_safely(&text, origin, explained, &count)
            };
            let Some(compressed) = compressed else {
                continue;
            };
            explained = explained.and(explained_by(&compressed.text));
            let omission = compressed.omission;
            made.push(Made {
                key: candidate.key,
                rewrite: rewrite(compressed),
                original: omission.map(|omission| (omission.handle, text.into())),
            });
        }
        made
    }
}

/// What a text that is sent tells the model of how texts are read.
pub(super) fn explained_by(text: &str) -> Notation {
    Notation::split(text).map_or_else(Notation::default, |(notation, _)| notation)
}

fn text(body: &[u8], literal: &skinflint_protocol::Span) -> Option<String> {
    serde_json::from_slice(body.get(literal.clone())?).ok()
}

/// What the user said last, at most so much of it: it tells what is looked for in results.
fn last_words(view: &RequestView, body: &[u8]) -> String {
    let by_user = |block: &&Block| block.role == Role::User && block.kind == BlockKind::Text;
    let last = view.blocks.iter().rfind(by_user);
    let said = last.and_then(|block| text(body, block.text.as_ref()?));
    let mut said = said.unwrap_or_default();
    said.truncate(said.floor_char_boundary(QUESTION));
    said
}

fn rewrite(made: Compressed) -> Rewrite {
    Rewrite {
        stages: made.stages.iter().map(ToString::to_string).collect(),
        normalised: made
            .normalised
            .iter()
            .map(|name| name.as_str().to_owned())
            .collect(),
        omitted: made
            .omission
            .map(|omission| format!("{} of {} {}", omission.omitted, omission.of, omission.unit)),
        tokens_before: made.tokens_before as u64,
        tokens_after: made.tokens_after as u64,
        text: made.text,
        version: VERSION,
    }
}
