//! Ways of cutting text into tokens.

use std::fmt::Debug;
use std::sync::Arc;

use tiktoken_rs::tokenizer::{Tokenizer, get_tokenizer};

use crate::count::Count;
use crate::vocabulary::{CL100K, O200K};

/// A tokenizer from elsewhere, such as the one in a local model's file.
pub trait TextTokenizer: Debug + Send + Sync {
    /// The number of tokens of a text, all of which is ordinary text: no special tokens are read in it.
    fn count(&self, text: &str) -> u64;

    /// What counts are remembered under: the same for tokenizers that always agree, and for no others.
    fn id(&self) -> &str;
}

/// A way of counting the tokens of a model's input.
#[derive(Debug, Clone)]
pub enum Encoding {
    /// OpenAI's vocabulary since GPT-4o.
    O200k,
    /// OpenAI's vocabulary of GPT-4, GPT-3.5 and the embedding models.
    Cl100k,
    /// Anthropic's models, whose vocabulary is not public: an upper bound.
    Claude,
    /// Any model whose vocabulary is not public or not known here: an upper bound.
    Bounded,
    /// A tokenizer of one's own.
    Own(Arc<dyn TextTokenizer>),
}

impl Encoding {
    /// The encoding of a provider's model.
    ///
    /// The model's name decides, without a vendor before a slash (`openai/gpt-4o`) and a variant
    /// after a colon (`gpt-4o:free`); fine-tuned models (`ft:gpt-4o:…`) count like their base. Whatever
    /// has `claude` in its name, or comes from a provider called `anthropic`, is a Claude. OpenAI's
    /// models are found in tiktoken's own map. What that map does not know is [`Encoding::Bounded`],
    /// and so are gpt-oss, whose hosts frame it each in their way, and the vocabularies before 2022.
    pub fn of(provider: Option<&str>, model: &str) -> Self {
        let name = model
            .rsplit_once('/')
            .map_or(model, |(_, name)| name)
            .to_ascii_lowercase();
        if provider == Some("anthropic") || name.contains("claude") {
            return Self::Claude;
        }
        let base = match name.split_once(':') {
            Some((base, _)) if base != "ft" => base,
            _ => &name,
        };
        match get_tokenizer(base) {
            Some(Tokenizer::O200kBase) => Self::O200k,
            Some(Tokenizer::Cl100kBase) => Self::Cl100k,
            _ => Self::Bounded,
        }
    }

    /// What the encoding is called in logs and in the memory of counts.
    pub fn id(&self) -> &str {
        match self {
            Self::O200k => "o200k",
            Self::Cl100k => "cl100k",
            Self::Claude => "claude",
            Self::Bounded => "bounded",
            Self::Own(tokenizer) => tokenizer.id(),
        }
    }

    /// Whether counting can begin at once. If not, the first count loads a vocabulary, which takes a
    /// few tenths of a second of one core.
    pub fn is_ready(&self) -> bool {
        match self {
            Self::O200k => O200K.is_ready(),
            Self::Cl100k => CL100K.is_ready(),
            Self::Claude | Self::Bounded => O200K.has_weights(),
            Self::Own(_) => true,
        }
    }

    /// Loads the vocabulary unless that is done. Blocks; it stays loaded until the process ends.
    pub fn load(&self) {
        match self {
            Self::O200k => O200K.load(),
            Self::Cl100k => CL100K.load(),
            Self::Claude | Self::Bounded => O200K.load_weights(),
            Self::Own(_) => {}
        }
    }

    /// Whether OpenAI's documented framing goes with the vocabulary.
    pub(crate) fn is_openai(&self) -> bool {
        matches!(self, Self::O200k | Self::Cl100k)
    }

    /// The tokens of a text by itself.
    pub(crate) fn count(&self, text: &str) -> Count {
        match self {
            Self::O200k => O200K.count(text),
            Self::Cl100k => CL100K.count(text),
            Self::Claude | Self::Bounded => O200K.bound(text),
            Self::Own(tokenizer) => Count::exact(tokenizer.count(text)),
        }
    }
}

#[cfg(test)]
mod tests;
