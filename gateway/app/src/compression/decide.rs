//! What becomes of new results of tools.

use std::sync::Arc;

use bytes::Bytes;
use skinflint_compressor::{
    ChainHash, Compressed, Handle, Kind, Omission, Origin, Stage, compress_balanced,
    compress_safely,
    jton::{self, Notation},
    kind,
};
use skinflint_decisions::{Literal, Rewrite};
use skinflint_protocol::{
    Block, BlockKind, Endpoint, RequestView, Role, Span, ToolCall, ToolResults,
};
use skinflint_tokens::{Counter, Encoding};

use super::{
    conversation::Candidate,
    repeats::{Verbatim, refer},
};
use crate::prose::Shortened;

/// New results of tools, and what is known where they come.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) view: Arc<RequestView>,
    pub(super) body: Bytes,
    /// With their numbers among all results.
    pub(super) new: Vec<(usize, Candidate)>,
    /// Where earlier results stand that are sent as they came.
    pub(super) verbatim: Vec<(usize, Span)>,
    /// What earlier blocks have told the model.
    pub(super) explained: Notation,
    /// Tokens that earlier rewrites have saved.
    pub(super) spared: u64,
    /// Whether parts may be left out: what is left out can be fetched.
    pub(super) may_omit: bool,
    /// Whether words of prose may be, too.
    pub(super) may_omit_words: bool,
    pub(super) counter: Counter,
    pub(super) encoding: Encoding,
}

/// What can be made of a block.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) key: ChainHash,
    /// The same content in fewer tokens.
    safe: Option<Rewrite>,
    /// Whether that has tables.
    has_tables: bool,
    /// Where it has, the same without them.
    plain: Option<Rewrite>,
    /// With parts left out.
    cut: Option<Cut>,
    /// Prose, of which words may be left out, and what is asked about it.
    pub(super) prose: Option<Prose>,
}

/// Prose that a model may shorten.
#[derive(Debug)]
pub(super) struct Prose {
    pub(super) text: Arc<str>,
    pub(super) question: String,
}

/// A text with parts left out.
#[derive(Debug)]
pub(super) struct Cut {
    rewrite: Rewrite,
    /// Whether it is words that are left out, by a model.
    is_of_words: bool,
    pub(super) handle: Handle,
    pub(super) whole: Arc<str>,
}

/// What may be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) omission: bool,
    pub(super) words: bool,
    pub(super) tables: bool,
}

/// Texts too short to have a passage that is worth a reference, in bytes.
const LONG: usize = 400;
/// Texts too short to gain anything by.
const SHORTEST: usize = 64;
/// Whole texts that are longer are not kept, and so nothing is left out of them.
const LONGEST_ORIGINAL: usize = 4 << 20;
/// Of what was said last, so much tells what is looked for, in bytes.
const QUESTION: usize = 4096;
/// Half a step of OpenAI's cache.
const OPENAI_LEAST_SAVED: u64 = 64;
/// Changes whenever the same text would be made into something else; recorded with each decision.
pub(super) const VERSION: u32 = 2;

impl Work {
    /// Rewrites what gets smaller by it. Takes its time: some 5 MB/s, most of which is counting tokens.
    pub(super) fn run(mut self) -> Vec<Made> {
        let results = ToolResults::of_view(&self.view, &self.body);
        let asked = if self.may_omit {
            last_words(&self.view, &self.body)
        } else {
            String::new()
        };
        let new = std::mem::take(&mut self.new);
        let long = new.iter().any(|(_, new)| new.literal.len() >= LONG);
        let mut earlier: Vec<_> = self
            .verbatim
            .iter()
            // Read only where there may be something to find in them.
            .filter(|_| long)
            .filter_map(|(index, literal)| Some(Verbatim::new(*index, text(&self.body, literal)?)))
            .collect();
        let candidates = new.iter().filter(|(_, new)| new.literal.len() >= SHORTEST);
        candidates
            .filter_map(|(index, candidate)| {
                let block = self.view.blocks.get(candidate.block)?;
                let call = results.call(block);
                // A lone surrogate is no text.
                let text = text(&self.body, &candidate.literal)?;
                let made = self.make(candidate, &text, call, &asked, &earlier);
                if made.is_none() && long {
                    earlier.push(Verbatim::new(*index, text));
                }
                made
            })
            .collect()
    }

    /// What can be made of a text; nothing where that saves nothing.
    fn make(
        &mut self,
        candidate: &Candidate,
        text: &str,
        call: Option<&ToolCall>,
        asked: &str,
        earlier: &[Verbatim],
    ) -> Option<Made> {
        let (counter, encoding) = (self.counter.clone(), self.encoding.clone());
        let count = |text: &str| {
            let count = counter.text(&encoding, text);
            usize::try_from(count.tokens).unwrap_or(usize::MAX)
        };
        let origin = call.map_or(Origin::Other, |call| {
            Origin::of_call(&call.name, &call.arguments)
        });
        let safe = compress_safely(text, origin, self.explained, &count);
        let safe = safe.or_else(|| {
            let may_refer = origin == Origin::Other;
            may_refer.then(|| refer(text, earlier, &count)).flatten()
        });
        let safe = safe.filter(|made| self.is_worth_it(made));
        let cut = (self.may_omit && text.len() <= LONGEST_ORIGINAL).then(|| {
            let arguments = call.map_or("", |call| &call.arguments);
            let question = format!("{asked}\n{arguments}");
            compress_balanced(text, origin, self.explained, &question, &count)
        });
        let cut = cut.flatten().filter(|cut| cut.omission.is_some());
        let is_prose = self.may_omit_words && origin == Origin::Other && cut.is_none();
        let prose = (is_prose && kind::detect(text) == Kind::Prose).then(|| Prose {
            text: text.into(),
            question: asked.to_owned(),
        });
        if safe.is_none() && cut.is_none() && prose.is_none() {
            return None;
        }
        self.explain(safe.as_ref(), cut.as_ref());
        let has_tables = safe.as_ref().is_some_and(|safe| {
            let tables = [Stage::Tables, Stage::UnionTables];
            safe.stages.iter().any(|stage| tables.contains(stage))
        });
        Some(Made {
            key: candidate.key,
            safe: safe.map(rewrite),
            has_tables,
            plain: has_tables.then(|| minified(text, &count)).flatten(),
            cut: cut.and_then(|cut| {
                Some(Cut {
                    handle: cut.omission?.handle,
                    whole: text.into(),
                    rewrite: rewrite(cut),
                    is_of_words: false,
                })
            }),
            prose,
        })
    }

    /// Whether what is saved up to here is worth a shorter prefix.
    fn is_worth_it(&mut self, made: &Compressed) -> bool {
        let saved = made.tokens_before.saturating_sub(made.tokens_after);
        let spared = self.spared.saturating_add(saved as u64);
        let is_worth_it = spared >= least_saved(self.view.endpoint);
        if is_worth_it {
            self.spared = spared;
        }
        is_worth_it
    }

    /// What the model knows from here on, whichever of the two it is sent.
    fn explain(&mut self, safe: Option<&Compressed>, cut: Option<&Compressed>) {
        let explains = |made: &Compressed| explained_by(&made.text);
        let told = match (safe.map(explains), cut.map(explains)) {
            (Some(safe), None) => safe,
            (Some(safe), Some(cut)) if safe == cut => safe,
            _ => return,
        };
        self.explained = self.explained.and(told);
    }
}

impl Made {
    /// What is served of it; nothing where it is sent as it came.
    pub(super) fn served(&self, served: Served) -> Option<&Rewrite> {
        match &self.cut {
            Some(cut) if served.allows(cut) => Some(&cut.rewrite),
            _ if self.has_tables && !served.tables => self.plain.as_ref(),
            _ => self.safe.as_ref(),
        }
    }

    pub(super) fn cut(&self) -> Option<&Cut> {
        self.cut.as_ref()
    }

    /// A model has left words out of it.
    pub(super) fn shorten(&mut self, whole: &Arc<str>, made: &Shortened) {
        let (before, after) = made.tokens;
        self.cut = Some(Cut {
            is_of_words: true,
            handle: made.omission.handle,
            whole: whole.clone(),
            rewrite: Rewrite {
                text: made.text.clone(),
                stages: vec![made.method.to_string()],
                normalised: Vec::new(),
                omitted: Some(omitted(&made.omission)),
                tokens_before: before as u64,
                tokens_after: after as u64,
                version: VERSION,
                literal: Literal::default(),
            },
        });
    }

    /// Nothing is left out of it after all.
    pub(super) fn leave_whole(&mut self) {
        self.cut = None;
    }

    pub(super) fn has_tables(&self) -> bool {
        self.has_tables
    }
}

impl Cut {
    pub(super) const fn is_of_words(&self) -> bool {
        self.is_of_words
    }
}

impl Served {
    const fn allows(self, cut: &Cut) -> bool {
        if cut.is_of_words {
            self.words
        } else {
            self.omission
        }
    }
}

fn omitted(omission: &Omission) -> String {
    format!("{} of {} {}", omission.omitted, omission.of, omission.unit)
}

/// What a text that is sent tells the model of how texts are read.
pub(super) fn explained_by(text: &str) -> Notation {
    Notation::split(text).map_or_else(Notation::default, |(notation, _)| notation)
}

/// How many tokens a rewrite has to save, together with those before it. OpenAI caches prefixes in steps of 128 tokens: a
/// conversation that is shorter by a few can have a whole step less in the cache, in every later turn, and cost more than
/// that saves.
fn least_saved(endpoint: Endpoint) -> u64 {
    match endpoint {
        Endpoint::ChatCompletions | Endpoint::Responses => OPENAI_LEAST_SAVED,
        Endpoint::Messages | Endpoint::CountTokens | Endpoint::Embeddings => 1,
    }
}

/// A JSON text without white space, where that is fewer tokens.
fn minified(text: &str, count: &dyn Fn(&str) -> usize) -> Option<Rewrite> {
    let minified = jton::minify(text).ok()?;
    let (before, after) = (count(text), count(&minified));
    (after < before).then(|| {
        rewrite(Compressed {
            text: minified,
            stages: vec![Stage::Minify],
            normalised: Vec::new(),
            omission: None,
            tokens_before: before,
            tokens_after: after,
        })
    })
}

fn text(body: &[u8], literal: &Span) -> Option<String> {
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
        omitted: made.omission.as_ref().map(omitted),
        tokens_before: made.tokens_before as u64,
        tokens_after: made.tokens_after as u64,
        text: made.text,
        version: VERSION,
        literal: Literal::default(),
    }
}
