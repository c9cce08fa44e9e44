//! What a hub says of a repository, and which of its files make the model.

use serde::Deserialize;
use thiserror::Error;

use crate::store::{HubName, INDEX, NEEDED, is_gguf, is_safe_path};

/// A repository at a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubListing {
    /// The commit, in hex.
    pub commit: String,
    /// All its files.
    pub files: Vec<HubFile>,
}

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubFile {
    /// Where it lies, with `/` between folders.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256 in lower-case hex; the hub states that of large files.
    pub sha256: Option<String>,
}

/// A repository of which nothing can be fetched.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ListingError {
    /// The answer is not the description of a repository.
    #[error("what the hub says of `{name}` cannot be read: {message}")]
    Answer {
        /// The model's name.
        name: String,
        /// What is wrong with it.
        message: String,
    },
    /// The named file is not there.
    #[error("`{repository}` has no file `{file}`{}", Among(.there))]
    NoSuchFile {
        /// `org/name`.
        repository: String,
        /// The file.
        file: String,
        /// The GGUF files that are there.
        there: Vec<String>,
    },
    /// The named file is of another kind.
    #[error(
        "`{file}` is no GGUF file; of safetensors a whole repository is fetched, by `{repository}` alone"
    )]
    NotGguf {
        /// `org/name`.
        repository: String,
        /// The file.
        file: String,
    },
    /// There are only GGUF files, and none is named.
    #[error("`{name}` has GGUF files; name one of them: {}", choices.join(", "))]
    NameOne {
        /// The model's name.
        name: String,
        /// What can be fetched.
        choices: Vec<String>,
    },
    /// There are no weights in a format that can be loaded.
    #[error("`{name}` has neither safetensors nor a GGUF file")]
    NoWeights {
        /// The model's name.
        name: String,
    },
    /// There are weights, but a file is lacking without which they cannot be used.
    #[error("`{name}` has no {missing}, without which its weights cannot be loaded")]
    Lacking {
        /// The model's name.
        name: String,
        /// The file.
        missing: &'static str,
    },
}

struct Among<'a>(&'a [String]);

/// What describes a model beside [`NEEDED`], where it is there: how it generates, its chat template, how token vectors
/// become one of a sentence.
const DESCRIPTIONS: [&str; 6] = [
    "generation_config.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "modules.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
];

/// The `ModelInfo` of the hub's API, as far as it is used.
#[derive(Deserialize)]
struct Answer {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: String,
}

impl HubListing {
    /// Reads the hub's answer. Files whose path would lead out of a folder are left out.
    pub fn parse(name: &HubName, answer: &[u8]) -> Result<Self, ListingError> {
        let error = |message: String| ListingError::Answer {
            name: name.to_string(),
            message,
        };
        let answer: Answer =
            serde_json::from_slice(answer).map_err(|fault| error(fault.to_string()))?;
        if answer.sha.len() != 40 || !is_hex(&answer.sha) {
            return Err(error(format!("{:?} is no commit", answer.sha)));
        }
        let mut files = Vec::new();
        for sibling in answer.siblings {
            let path = sibling.rfilename;
            if !is_safe_path(&path) {
                continue;
            }
            let Some(size) = sibling.size else {
                return Err(error(format!("it states no size of {path:?}")));
            };
            let sha256 = sibling.lfs.map(|lfs| lfs.sha256);
            if let Some(sha256) = &sha256
                && (sha256.len() != 64 || !is_hex(sha256))
            {
                return Err(error(format!("{sha256:?} is no checksum of {path:?}")));
            }
            files.push(HubFile { path, size, sha256 });
        }
        Ok(Self {
            commit: answer.sha,
            files,
        })
    }

    /// The files that make the model: the named GGUF file, or everything that belongs to safetensors.
    pub fn choose(&self, name: &HubName) -> Result<Vec<HubFile>, ListingError> {
        if let Some(path) = name.file() {
            return Ok(vec![self.gguf(name, path)?.clone()]);
        }
        let weights = self.weights();
        if weights.is_empty() {
            let choices: Vec<String> = self
                .ggufs()
                .map(|path| format!("`{name}:{path}`"))
                .collect();
            let name = name.to_string();
            return Err(if choices.is_empty() {
                ListingError::NoWeights { name }
            } else {
                ListingError::NameOne { name, choices }
            });
        }
        let mut files = Vec::new();
        for missing in NEEDED {
            let file = self.file(missing).ok_or_else(|| ListingError::Lacking {
                name: name.to_string(),
                missing,
            })?;
            files.push(file.clone());
        }
        files.extend(
            DESCRIPTIONS
                .iter()
                .filter_map(|path| self.file(path))
                .cloned(),
        );
        files.extend(weights.into_iter().cloned());
        Ok(files)
    }

    fn gguf(&self, name: &HubName, path: &str) -> Result<&HubFile, ListingError> {
        let (repository, file) = (name.repository().to_owned(), path.to_owned());
        match self.file(path) {
            Some(found) if is_gguf(path) => Ok(found),
            Some(_) => Err(ListingError::NotGguf { repository, file }),
            None => Err(ListingError::NoSuchFile {
                repository,
                file,
                there: self.ggufs().map(|path| format!("`{path}`")).collect(),
            }),
        }
    }

    fn file(&self, path: &str) -> Option<&HubFile> {
        self.files.iter().find(|file| file.path == path)
    }

    fn ggufs(&self) -> impl Iterator<Item = &str> {
        let paths = self.files.iter().map(|file| &*file.path);
        paths.filter(|path| is_gguf(path))
    }

    /// The safetensors at the top, and their index. Some repositories have the same weights twice: those of the names that
    /// `save_pretrained` gives go before others.
    fn weights(&self) -> Vec<&HubFile> {
        let all: Vec<&HubFile> = self
            .files
            .iter()
            .filter(|file| !file.path.contains('/') && file.path.ends_with(".safetensors"))
            .collect();
        let single = "model.safetensors";
        if let Some(file) = all.iter().find(|file| file.path == single) {
            return vec![file];
        }
        let sharded = |file: &&HubFile| file.path.starts_with("model-");
        let mut chosen: Vec<&HubFile> = all.iter().copied().filter(sharded).collect();
        if chosen.is_empty() {
            chosen = all;
        }
        if !chosen.is_empty() {
            chosen.extend(self.file(INDEX));
        }
        chosen
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

impl std::fmt::Display for Among<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, "; it has {}", self.0.join(", "))
    }
}
