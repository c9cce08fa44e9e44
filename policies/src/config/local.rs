//! The models that run in this process.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

use crate::{
    file::Invalid,
    pattern::ModelPattern,
    units::{ByteSize, Span},
};

/// Whether models run in this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Local {
    /// None does.
    Off,
    /// These do.
    On(Box<LocalSettings>),
}

/// What to load and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalSettings {
    /// The model that is loaded at the start, and that answers where none is named.
    pub main: LocalModel,
    /// Others that generate; each is loaded when it is first called.
    pub others: Vec<LocalModel>,
    /// What makes embeddings.
    pub embedder: LocalEmbedder,
    /// What classifies tokens, for leaving words out of prose.
    pub classifier: LocalClassifier,
    /// Threads that compute, for all models together; as many as there are cores if not given.
    pub threads: Option<NonZeroUsize>,
    /// Calls of one model that run together; the engine's default if not given.
    pub sequences: Option<NonZeroUsize>,
    /// To how many bits activations are rounded; the engine's default if not given.
    pub activations: Option<ActivationBits>,
    /// The most that keys and values of one model's running calls may take; the engine's default if not given.
    pub cache: Option<ByteSize>,
    /// The most that all loaded models may take, caches included.
    pub memory: Option<ByteSize>,
    /// How long a model stays loaded that nobody uses.
    pub idle: Option<Duration>,
}

/// To how many bits activations are rounded before they are multiplied with quantized weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActivationBits {
    /// As most engines do.
    Eight,
    /// As good as not rounded, for up to twice the time that a prompt takes.
    Fifteen,
}

/// A model that generates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalModel {
    /// What clients ask for it by.
    pub name: String,
    /// Where they are.
    pub weights: Weights,
    /// Tokens of context; what the model was trained for if not given.
    pub context: Option<NonZeroU32>,
    /// Calls that may wait for their turn.
    pub queue: usize,
}

/// Whether embeddings are made in this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalEmbedder {
    /// None are.
    Off,
    /// By [`DEFAULT_EMBEDDER`] if it has been pulled.
    IfPulled,
    /// By this model.
    On {
        /// What clients ask for it by.
        name: String,
        /// Where they are.
        weights: Weights,
    },
}

/// What tells which words of prose matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalClassifier {
    /// Nothing does.
    Off,
    /// The head that `make train-head` has trained, if it is in the models folder.
    IfTrained,
    /// The folder of a checkpoint for the classification of tokens, such as `LLMLingua-2`'s.
    On {
        /// What it is called.
        name: String,
        /// Where it is.
        path: PathBuf,
    },
}

/// Where the weights are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weights {
    /// In the models folder: a name of the catalogue, or one of Hugging Face such as `org/name`.
    Named(String),
    /// At a path: a GGUF file, or a folder with safetensors.
    Path(PathBuf),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) enabled: Option<bool>,
    pub(super) model: Option<String>,
    pub(super) name: Option<String>,
    pub(super) threads: Option<NonZeroUsize>,
    pub(super) context: Option<NonZeroU32>,
    pub(super) queue: Option<usize>,
    pub(super) sequences: Option<NonZeroUsize>,
    pub(super) activation_bits: Option<u8>,
    pub(super) cache: Option<ByteSize>,
    pub(super) memory: Option<ByteSize>,
    pub(super) idle: Option<Span>,
    pub(super) embedder: Option<RawEmbedder>,
    pub(super) classifier: Option<RawEmbedder>,
    #[serde(default)]
    pub(super) models: Vec<RawModel>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawModel {
    model: String,
    name: Option<String>,
    context: Option<NonZeroU32>,
    queue: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "expected the name or path of a model, or `false`"
)]
pub(super) enum RawEmbedder {
    Switch(bool),
    Model(String),
}

/// Small enough for any laptop; fetched by `skinflint models pull`.
const DEFAULT_MODEL: &str = "gemma-3-270m";
/// The embedder where none is named: sentences in English, 91 MB.
pub const DEFAULT_EMBEDDER: &str = "all-minilm-l6-v2";
/// The folder of the trained head, in the models folder.
pub const TRAINED_CLASSIFIER: &str = "keep-head";
/// At about five seconds a call, the last of these waits over a minute; more waiting helps nobody.
const DEFAULT_QUEUE: usize = 16;

// === impl Local ===

impl Local {
    pub(super) fn validate(raw: Raw, base: &Path) -> Result<Self, Invalid> {
        if raw.enabled == Some(false) {
            return Ok(Self::Off);
        }
        let positive = |field, size: Option<ByteSize>| match size {
            Some(ByteSize(0)) => Err(Invalid::new(field, "expected at least 1")),
            size => Ok(size),
        };
        let activations = match raw.activation_bits {
            None => None,
            Some(8) => Some(ActivationBits::Eight),
            Some(15) => Some(ActivationBits::Fifteen),
            Some(_) => return Err(Invalid::new("activation_bits", "expected 8 or 15")),
        };
        let idle = raw.idle.map(|Span(idle)| idle);
        if idle.is_some_and(|idle| idle.is_zero()) {
            return Err(Invalid::new("idle", "expected more than 0s"));
        }
        let main = LocalModel::validate(
            RawModel {
                model: raw.model.unwrap_or_else(|| DEFAULT_MODEL.to_owned()),
                name: raw.name,
                context: raw.context,
                queue: raw.queue,
            },
            base,
        )?;
        let classifier = LocalClassifier::validate(raw.classifier, base)?;
        let embedder = LocalEmbedder::validate(raw.embedder, base)?;
        if embedder.name() == Some(&main.name) {
            return Err(Invalid::new("embedder", taken(&main.name)));
        }
        let mut others: Vec<LocalModel> = Vec::with_capacity(raw.models.len());
        for (index, raw) in raw.models.into_iter().enumerate() {
            let other = LocalModel::validate(raw, base)
                .and_then(|other| {
                    let mut names = others.iter().chain([&main]).map(|model| &model.name);
                    if embedder.name() == Some(&other.name) || names.any(|name| *name == other.name)
                    {
                        return Err(Invalid::new("name", taken(&other.name)));
                    }
                    Ok(other)
                })
                .map_err(|invalid| invalid.under(format_args!("models[{index}]")))?;
            others.push(other);
        }
        Ok(Self::On(Box::new(LocalSettings {
            main,
            others,
            embedder,
            classifier,
            threads: raw.threads,
            sequences: raw.sequences,
            activations,
            cache: positive("cache", raw.cache)?,
            memory: positive("memory", raw.memory)?,
            idle,
        })))
    }
}

fn taken(name: &str) -> String {
    format!("another local model is named `{name}`")
}

// === impl LocalSettings ===

impl LocalSettings {
    /// The models that generate, the main one first.
    pub fn generators(&self) -> impl Iterator<Item = &LocalModel> {
        std::iter::once(&self.main).chain(&self.others)
    }

    /// The names that rows of the table may send calls to.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let generators = self.generators().map(|model| model.name.as_str());
        generators.chain(self.embedder.name())
    }
}

// === impl LocalModel ===

impl LocalModel {
    fn validate(raw: RawModel, base: &Path) -> Result<Self, Invalid> {
        let weights =
            Weights::parse(&raw.model, base).map_err(|message| Invalid::new("model", message))?;
        let name = raw.name.unwrap_or_else(|| weights.own_name());
        if !is_exact(&name) {
            return Err(Invalid::new("name", "expected a name without `*`"));
        }
        Ok(Self {
            name,
            weights,
            context: raw.context,
            queue: raw.queue.unwrap_or(DEFAULT_QUEUE),
        })
    }
}

/// Whether a row of the table can be made for it.
fn is_exact(name: &str) -> bool {
    ModelPattern::parse(name).is_some_and(|pattern| pattern.exact().is_some())
}

// === impl LocalEmbedder ===

impl LocalEmbedder {
    fn validate(raw: Option<RawEmbedder>, base: &Path) -> Result<Self, Invalid> {
        let model = match raw {
            None => return Ok(Self::IfPulled),
            Some(RawEmbedder::Switch(false)) => return Ok(Self::Off),
            Some(RawEmbedder::Switch(true)) => DEFAULT_EMBEDDER.to_owned(),
            Some(RawEmbedder::Model(model)) if model == "off" => return Ok(Self::Off),
            Some(RawEmbedder::Model(model)) => model,
        };
        let weights =
            Weights::parse(&model, base).map_err(|message| Invalid::new("embedder", message))?;
        let name = weights.own_name();
        if !is_exact(&name) {
            return Err(Invalid::new("embedder", "expected a name without `*`"));
        }
        Ok(Self::On { name, weights })
    }

    /// What clients ask for it by, if it is there.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Off => None,
            Self::IfPulled => Some(DEFAULT_EMBEDDER),
            Self::On { name, .. } => Some(name),
        }
    }
}

// === impl LocalClassifier ===

impl LocalClassifier {
    fn validate(raw: Option<RawEmbedder>, base: &Path) -> Result<Self, Invalid> {
        let path = match raw {
            None | Some(RawEmbedder::Switch(true)) => return Ok(Self::IfTrained),
            Some(RawEmbedder::Switch(false)) => return Ok(Self::Off),
            Some(RawEmbedder::Model(path)) => base.join(path),
        };
        if !path.is_dir() {
            let message = format!("no folder `{}`", path.display());
            return Err(Invalid::new("classifier", message));
        }
        Ok(Self::On {
            name: stem(&path),
            path,
        })
    }

    /// What it is called, if it may be there.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Off => None,
            Self::IfTrained => Some(TRAINED_CLASSIFIER),
            Self::On { name, .. } => Some(name),
        }
    }
}

// === impl Weights ===

impl Weights {
    /// What clients ask for the model by if nothing else is said.
    fn own_name(&self) -> String {
        match self {
            Self::Named(name) => name.clone(),
            Self::Path(path) => stem(path),
        }
    }

    /// A path begins with `/`, `./` or `../`, ends in `.gguf`, or is a folder that is there; what has one `/` besides is a
    /// name of Hugging Face, with `@revision` and `:file` if need be; the rest is of the catalogue.
    fn parse(text: &str, base: &Path) -> Result<Self, String> {
        let begins = ["/", "./", "../"]
            .iter()
            .any(|start| text.starts_with(start));
        let gguf = Path::new(text)
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("gguf"));
        let folder = text.contains('/') && base.join(text).is_dir();
        if begins || folder || (gguf && !text.contains(':')) {
            return Ok(Self::Path(base.join(text)));
        }
        if text.contains(['/', '@', ':']) && !is_hub_name(text) {
            return Err(format!(
                "`{text}` is no name of Hugging Face, expected `org/name`, `org/name@revision` or `org/name:file.gguf`; a path begins with `./`, `../` or `/`"
            ));
        }
        if text.is_empty() || text.contains(char::is_whitespace) {
            return Err(
                "expected a name of `skinflint models list`, a name of Hugging Face such as `org/name`, or a path that begins with `./`, `../` or `/`".to_owned(),
            );
        }
        Ok(Self::Named(text.to_owned()))
    }
}

/// The shape alone: whether there is such a model shows when it is looked for in the models folder.
fn is_hub_name(text: &str) -> bool {
    let (rest, file) = match text.split_once(':') {
        Some((rest, file)) => (rest, Some(file)),
        None => (text, None),
    };
    let (repository, revision) = match rest.split_once('@') {
        Some((repository, revision)) => (repository, Some(revision)),
        None => (rest, None),
    };
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '-'])
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let within = |path: &str| path.split('/').all(|step| !matches!(step, "" | "." | ".."));
    repository
        .split_once('/')
        .is_some_and(|(organisation, name)| part(organisation) && part(name))
        && revision.is_none_or(within)
        && file.is_none_or(within)
}

fn stem(path: &Path) -> String {
    let name = if path.is_dir() {
        path.file_name()
    } else {
        path.file_stem()
    };
    name.map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
