//! One place to ask: [`ProseCompressor`].

use std::fmt;
use std::sync::Arc;

use skinflint_compressor::lingua::LinguaOptions;
use skinflint_compressor::lingua::tags::{Section, parse};
use skinflint_local_model::{Engine, TokenClassifier};
use skinflint_tokens::{Counter, Encoding};
use tokio::sync::Semaphore;

use crate::causal::Causal;
use crate::classes::Classes;
use crate::{KeptContext, ProseError, ProseResult};

/// What stands between contexts.
pub(crate) const SEPARATOR: &str = "\n\n";

/// Texts that are scored window by window at the same time: each keeps memory of the engine's while it waits.
const TURNS: usize = 2;

/// Leaves words out of texts, by models that it shares with others. Clones are cheap.
#[derive(Debug, Clone)]
pub struct ProseCompressor {
    pub(crate) engine: Option<Engine>,
    classifier: Option<TokenClassifier>,
    count: Count,
    turns: Arc<Semaphore>,
}

/// Counts o200k's tokens.
#[derive(Clone)]
pub(crate) struct Count(Arc<Counter>);

/// How words are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// By surprisal (Jiang et al., EMNLP 2023).
    Llmlingua,
    /// By what the question makes likelier (Jiang et al., ACL 2024).
    LongLlmlingua,
    /// By a classifier (Pan et al., Findings of ACL 2024).
    Llmlingua2,
}

/// What is to be compressed, and how.
#[derive(Debug, Clone, Copy)]
pub struct ProseRequest<'r> {
    /// Texts that are compressed.
    pub contexts: &'r [String],
    /// Stands before them; may be empty.
    pub instruction: &'r str,
    /// Stands behind them; may be empty but for [`Method::LongLlmlingua`].
    pub question: &'r str,
    /// How much, and what of it.
    pub options: &'r LinguaOptions,
    /// How.
    pub method: Method,
}

/// A context and its parts, each with its own rate.
pub(crate) struct Parts<'r> {
    pub(crate) index: usize,
    pub(crate) text: &'r str,
    pub(crate) sections: Vec<Section>,
}

impl ProseCompressor {
    /// With these models. A method whose model is not there is an error when it is asked for.
    pub fn new(engine: Option<Engine>, classifier: Option<TokenClassifier>) -> Self {
        Self {
            engine,
            classifier,
            count: Count::new(),
            turns: Arc::new(Semaphore::new(TURNS)),
        }
    }

    /// Whether the model for this method is there.
    pub fn can(&self, method: Method) -> bool {
        match method {
            Method::Llmlingua | Method::LongLlmlingua => self.engine.is_some(),
            Method::Llmlingua2 => self.classifier.is_some(),
        }
    }

    /// Compresses contexts. Tokenizes on the calling thread, a millisecond or so for each kilobyte: long texts are
    /// better placed from a blocking task. Dropping the future gives up what a model has not begun.
    pub async fn compress(&self, request: ProseRequest<'_>) -> Result<ProseResult, ProseError> {
        let options = checked(&request)?;
        let contexts = match request.method {
            Method::Llmlingua | Method::LongLlmlingua => {
                let causal = self.causal(&request, &options)?;
                // Never closed; where it were, nothing would be lost but the limit.
                let _turn = self.turns.acquire().await;
                causal.compress(&request).await?
            }
            Method::Llmlingua2 => {
                let classes = self.classes(&request, &options)?;
                classes.compress(request.contexts).await?
            }
        };
        Ok(self.result(&request, contexts))
    }

    /// Compresses contexts whose tags say what may be compressed, and to which rate: see
    /// [`parse`]. The tags are left out. No context is left out as a whole.
    pub async fn compress_structured(
        &self,
        request: ProseRequest<'_>,
    ) -> Result<ProseResult, ProseError> {
        let options = checked(&request)?;
        let mut contexts = Vec::with_capacity(request.contexts.len());
        for (index, text) in request.contexts.iter().enumerate() {
            let sections = parse(text).map_err(|source| ProseError::Tag {
                context: index,
                source,
            })?;
            contexts.push(Parts {
                index,
                text,
                sections,
            });
        }
        let contexts = match request.method {
            Method::Llmlingua | Method::LongLlmlingua => {
                let causal = self.causal(&request, &options)?;
                let _turn = self.turns.acquire().await;
                causal.compress_parts(&request, &contexts).await?
            }
            Method::Llmlingua2 => {
                let classes = self.classes(&request, &options)?;
                classes.compress_parts(&contexts).await?
            }
        };
        Ok(self.result(&request, contexts))
    }

    fn causal<'a>(
        &'a self,
        request: &ProseRequest<'_>,
        options: &'a LinguaOptions,
    ) -> Result<Causal<'a>, ProseError> {
        let engine = self.engine.as_ref().ok_or(ProseError::NoModel {
            method: request.method,
            needs: "a model that scores",
        })?;
        Ok(Causal::new(engine, options, None))
    }

    fn classes<'a>(
        &'a self,
        request: &ProseRequest<'_>,
        options: &'a LinguaOptions,
    ) -> Result<Classes<'a>, ProseError> {
        let classifier = self.classifier.as_ref().ok_or(ProseError::NoModel {
            method: request.method,
            needs: "a model that classifies tokens",
        })?;
        Classes::new(classifier, options, &self.count)
    }

    fn result(&self, request: &ProseRequest<'_>, contexts: Vec<KeptContext>) -> ProseResult {
        let whole = request.contexts.iter().map(String::as_str);
        let kept = contexts.iter().map(|context| context.text.as_str());
        let origin = joined(request, whole);
        let text = joined(request, kept);
        ProseResult {
            origin_tokens: self.count.of(&origin),
            compressed_tokens: self.count.of(&text),
            text,
            contexts,
        }
    }
}

/// The options as the method wants them.
fn checked(request: &ProseRequest<'_>) -> Result<LinguaOptions, ProseError> {
    let options = request.options.clone().validated()?;
    if request.method == Method::LongLlmlingua && request.question.trim().is_empty() {
        return Err(ProseError::NoQuestion(request.method));
    }
    Ok(options)
}

fn joined<'t>(request: &ProseRequest<'t>, contexts: impl Iterator<Item = &'t str>) -> String {
    let parts = std::iter::once(request.instruction)
        .chain(contexts)
        .chain([request.question]);
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    parts.join(SEPARATOR)
}

impl Count {
    pub(crate) fn of(&self, text: &str) -> usize {
        let count = self.0.text(&Encoding::O200k, text);
        usize::try_from(count.tokens).unwrap_or(usize::MAX)
    }

    pub(crate) fn new() -> Self {
        Self(Arc::new(Counter::new(0)))
    }
}

impl fmt::Debug for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Count")
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Llmlingua => "llmlingua",
            Self::LongLlmlingua => "longllmlingua",
            Self::Llmlingua2 => "llmlingua2",
        })
    }
}
