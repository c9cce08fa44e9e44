//! The model that runs in this process.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::file::Invalid;

/// Whether a model runs in this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Local {
    /// None does.
    Off,
    /// This one does.
    On(LocalModel),
}

/// What to load and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalModel {
    /// What clients ask for it by.
    pub name: String,
    /// Where they are.
    pub weights: Weights,
    /// Threads that compute; as many as there are cores if not given.
    pub threads: Option<NonZeroUsize>,
    /// Tokens of context; what the model was trained for if not given.
    pub context: Option<NonZeroU32>,
    /// Calls that may wait for their turn.
    pub queue: usize,
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
    enabled: Option<bool>,
    model: Option<String>,
    name: Option<String>,
    threads: Option<NonZeroUsize>,
    context: Option<NonZeroU32>,
    queue: Option<usize>,
}

/// Small enough for any laptop; fetched by `skinflint models pull`.
const DEFAULT_MODEL: &str = "gemma-3-270m";
/// At about five seconds a call, the last of these waits over a minute; more waiting helps nobody.
const DEFAULT_QUEUE: usize = 16;

// === impl Local ===

impl Local {
    pub(super) fn validate(raw: Raw, base: &Path) -> Result<Self, Invalid> {
        if raw.enabled == Some(false) {
            return Ok(Self::Off);
        }
        let model = raw.model.unwrap_or_else(|| DEFAULT_MODEL.to_owned());
        let weights =
            Weights::parse(&model, base).map_err(|message| Invalid::new("model", message))?;
        let own_name = match &weights {
            Weights::Named(name) => name.clone(),
            Weights::Path(path) => stem(path),
        };
        Ok(Self::On(LocalModel {
            name: raw.name.unwrap_or(own_name),
            weights,
            threads: raw.threads,
            context: raw.context,
            queue: raw.queue.unwrap_or(DEFAULT_QUEUE),
        }))
    }
}

// === impl Weights ===

impl Weights {
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
