//! Why there is no model to load.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A model that is not there, or not what it should be.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A model that has not been fetched.
    #[error("model `{name}` is not in {}; fetch it with `skinflint models pull {name}`", dir.display())]
    NotPulled {
        /// The model's name.
        name: String,
        /// The folder that was looked in.
        dir: PathBuf,
    },
    /// Neither a name in the catalogue, nor one of Hugging Face, nor anything in the file system.
    #[error(
        "`{name}` is neither a model of the catalogue, nor a name of Hugging Face such as `org/name`, nor a file or folder"
    )]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The repository has been fetched, but not this revision of it.
    #[error("of `{repository}` there is no revision `{revision}` here, only {}; fetch it with `skinflint models pull {repository}@{revision}`", there.join(", "))]
    NoSuchRevision {
        /// `org/name`.
        repository: String,
        /// What was asked for.
        revision: String,
        /// What there is.
        there: Vec<String>,
    },
    /// There are several models of this name.
    #[error("`{name}` is several models; name one of {}", choices.join(", "))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// What can be asked for.
        choices: Vec<String>,
    },
    /// Fetching was broken off.
    #[error("`{name}` is here in part only; `skinflint models pull {name}` fetches the rest")]
    Partly {
        /// The model's name.
        name: String,
    },
    /// A file of the model is not there.
    #[error("{} is missing; `skinflint models pull {name}` fetches it", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The model's name.
        name: String,
    },
    /// A file is shorter or longer than it should be.
    #[error("{} has {actual} bytes, expected {expected}; `skinflint models pull {name}` fetches it again", path.display())]
    WrongSize {
        /// The file.
        path: PathBuf,
        /// The model's name.
        name: String,
        /// Bytes that it should have.
        expected: u64,
        /// Bytes that it has.
        actual: u64,
    },
    /// A file of the right size is damaged.
    #[error("{} is damaged: it has SHA-256 {actual}, expected {expected}; remove it with `skinflint models rm {name}` and fetch it again", path.display())]
    WrongChecksum {
        /// The file.
        path: PathBuf,
        /// The model's name.
        name: String,
        /// The checksum that it should have.
        expected: String,
        /// The checksum that it has.
        actual: String,
    },
    /// A folder lacks a file without which it is no model.
    #[error("the folder {} is no model: it has no {missing}", path.display())]
    NoModel {
        /// The folder.
        path: PathBuf,
        /// What it lacks.
        missing: String,
    },
    /// A safetensors file ends before its last tensor does, or goes on after it.
    #[error("{} has {actual} bytes, but its header announces {expected}: copy or fetch it again", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes that the header announces.
        expected: u64,
        /// Bytes that the file has.
        actual: u64,
    },
    /// A JSON file, or the JSON at the beginning of a safetensors file, is not what it should be.
    #[error("{} is damaged: {message}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// There is nothing that the file could be compared with.
    #[error("no checksum is known for {}: it was not fetched by `skinflint models pull`", path.display())]
    NoChecksum {
        /// The file or folder.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}
