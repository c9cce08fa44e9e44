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
    /// A name of the catalogue, or the path of a GGUF file.
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
    /// A model of the catalogue, in the model folder.
    Catalogue(String),
    /// A GGUF file.
    File(PathBuf),
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
        if model.is_empty() {
            return Err(Invalid::new(
                "model",
                "expected a model's name or the path of a GGUF file",
            ));
        }
        let is_path = model.contains('/')
            || Path::new(&model)
                .extension()
                .is_some_and(|end| end.eq_ignore_ascii_case("gguf"));
        let (stem, weights) = if is_path {
            let path = base.join(&model);
            let stem = path
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned());
            (stem.unwrap_or_default(), Weights::File(path))
        } else {
            (model.clone(), Weights::Catalogue(model))
        };
        Ok(Self::On(LocalModel {
            name: raw.name.unwrap_or(stem),
            weights,
            threads: raw.threads,
            context: raw.context,
            queue: raw.queue.unwrap_or(DEFAULT_QUEUE),
        }))
    }
}
