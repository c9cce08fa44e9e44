//! Prose is made shorter by local models: see [`Prose`].

use std::sync::Arc;

use moka::sync::Cache;
use skinflint_compressor::{Handle, Omission, Unit, lingua::LinguaOptions};
use skinflint_policies::{Prose as Policy, ProseMethod};
use skinflint_prose::{Method, ProseCompressor, ProseError, ProseRequest, ProseResult};
use tokio::time::timeout;

use crate::{
    drain::Drain,
    error::LocalError,
    local::{ClassifierLease, EngineLease, LocalModels},
};

/// Leaves words out of prose; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Prose {
    local: LocalModels,
    /// What was made of texts, by text and rules: a text that comes again, in another conversation, is not read again.
    made: Cache<Key, Option<Arc<Shortened>>>,
    tasks: Drain,
}

type Key = [u8; 32];

/// A text with words left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shortened {
    /// What is left, under a line that says so.
    pub text: String,
    /// What was left out.
    pub omission: Omission,
    /// How.
    pub method: Method,
    /// Tokens that the text had, and has.
    pub tokens: (usize, usize),
}

/// What is compressed with, and what keeps it loaded.
pub(crate) struct Ready {
    compressor: ProseCompressor,
    _leases: (Option<EngineLease>, Option<ClassifierLease>),
}

/// Why prose is not compressed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProseFault {
    /// The model that the method needs is not to be had.
    #[error(transparent)]
    Model(#[from] LocalError),
    /// It cannot be done.
    #[error(transparent)]
    Compress(#[from] ProseError),
}

/// What was made of texts, in bytes.
const MADE_BYTES: u64 = 16 << 20;
/// Shorter texts have little to lose, in bytes.
const SHORTEST: usize = 1 << 10;
/// Longer ones take longer than anybody waits.
const LONGEST: usize = 256 << 10;
/// Of the line above what is left.
const LINE_TOKENS: usize = 50;
/// An entry's key and place in lists.
const ENTRY_BYTES: usize = 128;

// === impl Prose ===

impl Prose {
    /// With the local models of the configuration.
    pub(crate) fn new(local: LocalModels, tasks: Drain) -> Self {
        let weight = |_: &Key, made: &Option<Arc<Shortened>>| {
            let text = made.as_ref().map_or(0, |made| made.text.len());
            u32::try_from(ENTRY_BYTES + text).unwrap_or(u32::MAX)
        };
        Self {
            local,
            made: Cache::builder()
                .max_capacity(MADE_BYTES)
                .weigher(weight)
                .build(),
            tasks,
        }
    }

    /// What compresses by this method; waits while its model is loaded.
    pub(crate) async fn ready(&self, method: Method) -> Result<Ready, LocalError> {
        let leases = match method {
            Method::Llmlingua | Method::LongLlmlingua => {
                (Some(self.local.main_engine().await?), None)
            }
            Method::Llmlingua2 => (None, Some(self.local.classifier().await?)),
        };
        let engine = leases.0.as_ref().map(|engine| (**engine).clone());
        let classifier = leases.1.as_ref().map(|classifier| (**classifier).clone());
        Ok(Ready {
            compressor: ProseCompressor::new(engine, classifier),
            _leases: leases,
        })
    }

    /// A text of prose with words left out, as a policy says; `None` where that is not to be had in the time that it allows.
    /// What takes longer is finished all the same, for the next time that the text comes.
    pub(crate) async fn shorten(
        &self,
        text: &str,
        question: &str,
        policy: &Policy,
    ) -> Option<Arc<Shortened>> {
        if !(SHORTEST..=LONGEST).contains(&text.len()) {
            return None;
        }
        let method = method(policy.method);
        let key = key(text, question, policy);
        if let Some(made) = self.made.get(&key) {
            return made;
        }
        let (this, policy, text, question) = (
            self.clone(),
            policy.clone(),
            text.to_owned(),
            question.to_owned(),
        );
        let allowance = policy.allowance;
        let (done, made) = tokio::sync::oneshot::channel();
        self.tasks.spawn(async move {
            let made = this.make(&text, &question, &policy, method).await;
            let made = match made {
                Ok(made) => made.map(Arc::new),
                Err(error) => {
                    tracing::debug!(%error, "prose stays as it is");
                    return;
                }
            };
            this.made.insert(key, made.clone());
            // Nobody may wait any more.
            let _ = done.send(made);
        });
        timeout(allowance, made).await.ok()?.ok().flatten()
    }

    async fn make(
        &self,
        text: &str,
        question: &str,
        policy: &Policy,
        method: Method,
    ) -> Result<Option<Shortened>, ProseFault> {
        let ready = self.ready(method).await?;
        let contexts = [text.to_owned()];
        let options = options(policy);
        let request = ProseRequest {
            contexts: &contexts,
            instruction: "",
            question: if method == Method::LongLlmlingua {
                question
            } else {
                ""
            },
            options: &options,
            method,
        };
        let result = ready.compress(request, false).await?;
        Ok(shortened(text, &result, method))
    }
}

// === impl Ready ===

impl Ready {
    /// Compresses; with tags, as these say.
    pub(crate) async fn compress(
        &self,
        request: ProseRequest<'_>,
        structured: bool,
    ) -> Result<ProseResult, ProseError> {
        if structured {
            self.compressor.compress_structured(request).await
        } else {
            self.compressor.compress(request).await
        }
    }
}

/// The method of a policy.
fn method(method: ProseMethod) -> Method {
    match method {
        ProseMethod::Llmlingua => Method::Llmlingua,
        ProseMethod::Longllmlingua => Method::LongLlmlingua,
        ProseMethod::Llmlingua2 => Method::Llmlingua2,
    }
}

fn options(policy: &Policy) -> LinguaOptions {
    LinguaOptions {
        rate: f64::from(policy.rate.get()) / f64::from(skinflint_policies::Share::WHOLE.get()),
        target_token: policy
            .target_token
            .and_then(|tokens| usize::try_from(tokens).ok()),
        force_tokens: policy.force_tokens.clone(),
        force_reserve_digit: policy.force_reserve_digit,
        drop_consecutive: policy.drop_consecutive,
        ..LinguaOptions::default()
    }
}

/// What a text is made into depends on these.
fn key(text: &str, question: &str, policy: &Policy) -> Key {
    let Policy {
        method,
        rate,
        target_token,
        force_tokens,
        force_reserve_digit,
        drop_consecutive,
        allowance: _,
    } = policy;
    let rules = format!(
        "{method:?} {rate} {target_token:?} {force_tokens:?} {force_reserve_digit} {drop_consecutive}"
    );
    let mut hasher = blake3::Hasher::new();
    let asks = *method == ProseMethod::Longllmlingua;
    for part in [rules.as_str(), if asks { question } else { "" }, text] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

/// Nothing where no word is left out.
fn shortened(whole: &str, result: &ProseResult, method: Method) -> Option<Shortened> {
    let kept = result.contexts.first()?.text.as_str();
    // The line that says so has some fifty tokens; a little less is not worth the words.
    let tokens = (
        result.origin_tokens,
        result.compressed_tokens.saturating_add(LINE_TOKENS),
    );
    if tokens.1.saturating_mul(20) > tokens.0.saturating_mul(17) {
        return None;
    }
    let words = |text: &str| text.split_whitespace().count();
    let (of, left) = (words(whole), words(kept));
    let omission = Omission {
        handle: Handle::of(whole),
        omitted: of.checked_sub(left).filter(|omitted| *omitted > 0)?,
        of,
        unit: Unit::Words,
    };
    Some(Shortened {
        text: format!("{omission}\n{kept}"),
        omission,
        method,
        tokens,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_kept_by_text_and_rules() {
        let policy = Policy::default();
        let other = Policy {
            force_reserve_digit: true,
            ..Policy::default()
        };
        let asking = Policy {
            method: ProseMethod::Longllmlingua,
            ..Policy::default()
        };
        assert_eq!(key("a", "q", &policy), key("a", "r", &policy));
        assert_ne!(key("a", "q", &policy), key("b", "q", &policy));
        assert_ne!(key("a", "q", &policy), key("a", "q", &other));
        assert_ne!(key("a", "q", &asking), key("a", "r", &asking));
    }
}
