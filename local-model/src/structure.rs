//! Answers of a given form: JSON, a regular expression, tool calls.
//!
//! Before each token, the grammar of the answer says which tokens can come next, and no others are
//! drawn. The grammars are llguidance's: an Earley parser over lexemes that are recognised by
//! derivatives of regular expressions, walked along a trie of the vocabulary
//! (<https://guidance-ai.github.io/llguidance/llg-go-brrr>).

mod grammar;
mod schema;
mod vocabulary;

use std::fmt;
use std::iter;
use std::sync::{Arc, OnceLock};
use std::thread;

use llguidance::api::{ParserLimits, TopLevelGrammar};
use llguidance::{Matcher, ParserFactory};
use skinflint_kernels::lower_priority;
use toktrie::SimpleVob;

use crate::error::{StructureError, StructureFault};
use crate::request::{Format, Tool, ToolChoice};
use crate::tokenizer::TokenId;
use crate::tool_syntax::ToolSyntax;
use grammar::{Form, Place};
use schema::{Size, short};
use vocabulary::Vocabulary;

/// Stack of the thread that compiles a grammar: the compiler recurses along chains of references,
/// which may be as long as a schema has objects.
const STACK_BYTES: usize = 128 << 20;

/// What a grammar may cost; one that costs more is refused, or, where only a token shows it, ends
/// its call.
fn limits() -> ParserLimits {
    ParserLimits {
        // At 50 per µs: 20 ms on the thread that places the call.
        initial_lexer_fuel: 1_000_000,
        // For one token, on the thread that computes: some 5 ms.
        step_lexer_fuel: 50_000,
        // The same, at 20 per µs 2.5 ms.
        step_max_items: 50_000,
        // One or two kilobytes each.
        max_lexer_states: 20_000,
        max_grammar_size: 200_000,
        // Errors would quote the grammar and the answer.
        verbose_errors: false,
        ..ParserLimits::default()
    }
}

type Tokens = Box<dyn Fn() -> Result<Vocabulary, String> + Send + Sync>;

/// Makes [`Structure`]s for one model.
pub(crate) struct StructureFactory {
    load: Tokens,
    vocabulary: OnceLock<Result<Arc<Vocabulary>, String>>,
}

impl StructureFactory {
    /// `tokens` gives the bytes of all tokens in the order of their ids, and whether each is
    /// special, that is: never text. `ends` are the tokens that end an answer. Neither is looked at
    /// before the first use, which takes about a second and 80 MB for a vocabulary of 262,144.
    pub(crate) fn new<T, I>(tokens: T, ends: impl Into<Arc<[TokenId]>>) -> Self
    where
        T: Fn() -> I + Send + Sync + 'static,
        I: IntoIterator<Item = (Vec<u8>, bool)>,
    {
        let ends = ends.into();
        Self {
            load: Box::new(move || Vocabulary::new(tokens().into_iter(), Arc::clone(&ends))),
            vocabulary: OnceLock::new(),
        }
    }

    /// The structure of an answer in `format` or with calls of `tools`; `None` where the answer is
    /// free. With `one_call` there is at most one. Takes some milliseconds, and some hundreds with the largest schemas that are let
    /// through: not for the thread that computes.
    pub(crate) fn build(
        &self,
        format: &Format,
        tools: &[Tool],
        choice: &ToolChoice,
        syntax: ToolSyntax,
        one_call: bool,
    ) -> Result<Option<Structure>, StructureError> {
        let Some(mut form) = Form::new(format, tools, choice, syntax)? else {
            return Ok(None);
        };
        if one_call {
            form.allow_one_call();
        }
        form.check()?;
        let vocabulary = self
            .vocabulary
            .get_or_init(|| (self.load)().map(Arc::new))
            .as_ref()
            .map_err(|reason| StructureError::Vocabulary {
                reason: reason.clone(),
            })?;
        let built = thread::scope(|scope| {
            let compiling = thread::Builder::new()
                .name("grammar".to_owned())
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, || {
                    lower_priority();
                    compile(&form, vocabulary)
                })
                .map_err(|error| error.to_string())?;
            compiling
                .join()
                .map_err(|_| "the compiler panicked".to_owned())
        });
        built
            .unwrap_or_else(|reason| Err(StructureError::Other { reason }))
            .map(Some)
    }
}

impl fmt::Debug for StructureFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StructureFactory")
            .field("is_loaded", &self.vocabulary.get().is_some())
            .finish_non_exhaustive()
    }
}

fn compile(form: &Form<'_>, vocabulary: &Arc<Vocabulary>) -> Result<Structure, StructureError> {
    let first = matcher(&vocabulary.parsers, form.grammar()).and_then(|mut matcher| {
        let mask = matcher.compute_mask().map_err(|error| error.to_string())?;
        Ok((matcher, mask))
    });
    match first {
        Ok((matcher, mut mask)) => {
            vocabulary.add_twins(&mut mask);
            Ok(Structure {
                matcher,
                vocabulary: Arc::clone(vocabulary),
                allowed: mask,
                is_fresh: true,
                is_complete: false,
            })
        }
        Err(reason) => Err(explain(form, vocabulary, &reason)),
    }
}

fn matcher(parsers: &ParserFactory, grammar: TopLevelGrammar) -> Result<Matcher, String> {
    let parser = parsers
        .create_parser(grammar)
        .map_err(|error| error.to_string())?;
    let matcher = Matcher::new(Ok(parser));
    match matcher.get_error() {
        Some(error) => Err(error),
        None => Ok(matcher),
    }
}

impl Form<'_> {
    /// Refuses what the compiler would choke on, or would take although nothing fits it.
    fn check(&self) -> Result<(), StructureError> {
        let mut size = Size::default();
        for (place, schema) in self.schemas() {
            size.add(&schema)
                .map_err(|reason| fault_at(place, String::new(), reason))?;
            if place != Place::Format && !schema::is_of_objects(&schema) {
                let reason = "a tool's arguments are an object".to_owned();
                return Err(fault_at(place, "/type".to_owned(), reason));
            }
            if let Some(path) = schema::endless_reference(&schema) {
                let reason = "the reference leads back to itself".to_owned();
                return Err(fault_at(place, path.to_owned(), reason));
            }
        }
        match self.regex() {
            Some(regex) => size
                .add(&regex.into())
                .map_err(|reason| StructureError::Regex { reason }),
            None => Ok(()),
        }
    }
}

/// Finds out which part of a form is at fault, by compiling each by itself.
fn explain(form: &Form<'_>, vocabulary: &Vocabulary, reason: &str) -> StructureError {
    for (place, schema) in form.schemas() {
        if let Some((path, reason)) = schema::fault(&schema) {
            return fault_at(place, path, reason);
        }
        let grammar = TopLevelGrammar::from_json_schema(schema::with_options(schema));
        if let Err(reason) = starts(&vocabulary.parsers, grammar) {
            return fault_at(place, String::new(), reason);
        }
    }
    if let Some(regex) = form.regex()
        && let Err(reason) = starts(&vocabulary.parsers, grammar::of_regex(regex))
    {
        return StructureError::Regex { reason };
    }
    StructureError::Other {
        reason: short(reason),
    }
}

/// Whether a grammar compiles and allows a first token.
fn starts(parsers: &ParserFactory, grammar: TopLevelGrammar) -> Result<(), String> {
    let first = matcher(parsers, grammar)
        .and_then(|mut matcher| matcher.compute_mask().map_err(|error| error.to_string()));
    first.map(drop).map_err(|reason| short(&reason))
}

fn fault_at(place: Place<'_>, path: String, reason: String) -> StructureError {
    match place {
        Place::Format => StructureError::Schema { path, reason },
        Place::Arguments(tool) => StructureError::Tool {
            name: tool.to_owned(),
            path,
            reason,
        },
    }
}

/// The form of one answer, and how far the answer has come.
pub(crate) struct Structure {
    matcher: Matcher,
    vocabulary: Arc<Vocabulary>,
    /// What may come next, where it is known; else what could come last time.
    allowed: SimpleVob,
    /// Whether `allowed` is of the token that comes next.
    is_fresh: bool,
    is_complete: bool,
}

impl Structure {
    /// Sets the logits of all tokens that cannot come next to negative infinity. The tokens that
    /// end the answer are among the others as soon as it may end.
    pub(crate) fn mask(&mut self, logits: &mut [f32]) -> Result<(), StructureFault> {
        if !self.is_fresh {
            self.allowed = self.matcher.compute_mask_or_eos().map_err(fault)?;
            self.vocabulary.add_twins(&mut self.allowed);
            self.is_fresh = true;
        }
        // A model's matrix may have more rows than its vocabulary has tokens.
        let words = self.allowed.as_slice().iter().copied();
        for (chunk, word) in logits.chunks_mut(32).zip(words.chain(iter::repeat(0))) {
            match word {
                u32::MAX => {}
                0 => chunk.fill(f32::NEG_INFINITY),
                _ => {
                    for (bit, logit) in chunk.iter_mut().enumerate() {
                        if word >> bit & 1 == 0 {
                            *logit = f32::NEG_INFINITY;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The token of the lowest id that may come next, by the last mask.
    pub(crate) fn first_allowed(&self) -> Option<TokenId> {
        let first = self.allowed.first_bit_set()?;
        TokenId::try_from(first).ok()
    }

    /// Takes the token that was drawn. Returns whether the answer can only end now; it is complete
    /// as well when an end token was drawn.
    pub(crate) fn commit(&mut self, token: TokenId) -> Result<bool, StructureFault> {
        self.is_fresh = false;
        if self.vocabulary.ends.contains(&token) {
            self.is_complete = true;
        }
        if !self.is_complete {
            let token = self.vocabulary.representative(token);
            self.matcher.consume_token(token).map_err(fault)?;
            self.is_complete = self.matcher.is_stopped();
        }
        Ok(self.is_complete)
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the form that `map_err` takes"
)]
fn fault(error: impl ToString) -> StructureFault {
    StructureFault {
        reason: short(&error.to_string()),
    }
}

impl fmt::Debug for Structure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Structure")
            .field("is_complete", &self.is_complete)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
