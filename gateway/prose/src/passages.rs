//! Questions with passages that answer them, to train on and to measure with; and how figures are written.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use skinflint_local_model::{
    CATALOG, DEFAULT_CACHE_LIMIT_BYTES, DEFAULT_MAX_SEQUENCES, EncodeFault, Engine, EngineOptions,
    LoadError, Precision, StoreError, Team, locate,
};
use thiserror::Error;

use crate::ProseError;

/// The file of the passages, below the data folder.
const FILE: &str = "lost_in_the_middle/nq_open_oracle_200.jsonl";
/// Of 256 questions so many are held out: about two in five.
const HELD_OUT: u8 = 102;

/// A measurement that could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EvalError {
    /// A file cannot be read or written.
    #[error("cannot read or write {}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The data is not in the form that is expected.
    #[error("line {line} of {FILE} is not in the form that is expected")]
    Passage {
        /// Which line, counted from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// There is nothing to measure with.
    #[error("no passage of {FILE} can be used")]
    NoPassages,
    /// A model is not there.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A model cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A checkpoint's tensors cannot be read or written.
    #[error("the tensors of a checkpoint cannot be read or written")]
    Tensors(#[from] safetensors::SafeTensorError),
    /// A configuration is not in the form that is expected.
    #[error("{} is not a JSON object", path.display())]
    Config {
        /// Which one.
        path: PathBuf,
    },
    /// A text was not compressed.
    #[error(transparent)]
    Prose(#[from] ProseError),
    /// An encoder failed.
    #[error(transparent)]
    Encode(#[from] EncodeFault),
    /// The threads cannot be started, or the result cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl EvalError {
    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }
}

/// A question, a passage and what in it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Passage {
    pub(crate) question: String,
    pub(crate) answers: Vec<String>,
    pub(crate) text: String,
}

#[derive(Deserialize)]
struct Row {
    question: String,
    answers: Vec<String>,
    ctxs: Vec<Ctx>,
}

#[derive(Deserialize)]
struct Ctx {
    text: String,
}

impl Passage {
    /// All passages that have one of their answers.
    pub(crate) fn load(data: &Path) -> Result<Vec<Self>, EvalError> {
        let path = data.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|error| EvalError::file(&path, error))?;
        let mut passages = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let row: Row = serde_json::from_str(line).map_err(|source| EvalError::Passage {
                line: index + 1,
                source,
            })?;
            let texts: Vec<String> = row.ctxs.into_iter().map(|context| context.text).collect();
            let passage = Self {
                question: row.question,
                answers: row.answers,
                text: texts.join("\n\n"),
            };
            if passage.is_answered_by(&passage.text) {
                passages.push(passage);
            }
        }
        if passages.is_empty() {
            return Err(EvalError::NoPassages);
        }
        Ok(passages)
    }

    /// Whether it is measured with and not trained on: told by the question's hash.
    pub(crate) fn is_held_out(&self) -> bool {
        blake3::hash(self.question.as_bytes()).as_bytes()[0] < HELD_OUT
    }

    /// Whether one of the answers is in a text, whatever its case and white space.
    pub(crate) fn is_answered_by(&self, text: &str) -> bool {
        let text = plain(text);
        self.answers
            .iter()
            .any(|answer| text.contains(&plain(answer)))
    }
}

/// In lower case, with one space where there is white space.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

/// The folder of the data: `SKINFLINT_EVAL_DATA`, or beside the project.
pub fn data_folder() -> PathBuf {
    std::env::var_os("SKINFLINT_EVAL_DATA").map_or_else(|| "../shared/data".into(), PathBuf::from)
}

/// Where `skinflint models pull` puts what it fetches.
pub fn models_folder() -> PathBuf {
    let folder = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    folder("XDG_DATA_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".local/share")))
        .unwrap_or_default()
        .join("skinflint/models")
}

/// The threads that all models of a measurement share.
pub(crate) fn team() -> Result<Arc<Team>, EvalError> {
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    Ok(Arc::new(Team::new(threads)?))
}

/// The default model, which scores.
pub(crate) fn engine(models: &Path, team: &Arc<Team>) -> Result<Engine, EvalError> {
    let name = CATALOG[0].name;
    let options = EngineOptions {
        team: Arc::clone(team),
        precision: Precision::Bits8,
        max_sequences: DEFAULT_MAX_SEQUENCES,
        max_queue: 16,
        cache_limit_bytes: DEFAULT_CACHE_LIMIT_BYTES,
        context_limit: None,
        name: name.to_owned(),
    };
    Ok(Engine::load(&locate(name, models)?, options)?)
}

/// Writes what was measured, without a goal.
pub(crate) fn info(name: &str, value: f64, unit: &str) -> io::Result<()> {
    writeln!(io::stdout(), "info {name} {value:.3} {unit}")
}

/// Writes what was measured and should not be below `bound`.
pub(crate) fn figure(name: &str, value: f64, unit: &str, bound: f64) -> io::Result<()> {
    let verdict = if value >= bound { "ok" } else { "short" };
    writeln!(
        io::stdout(),
        "figure {name} {value:.3} {unit} goal >= {bound:.3} {verdict}"
    )
}
