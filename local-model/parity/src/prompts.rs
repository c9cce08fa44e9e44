//! The texts that are compared: [`Prompt`].

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Where the texts of this crate are.
pub const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/prompts");

/// Stands alone on the line between a prompt and its continuation.
const CUT: &str = "\n---8<---\n";

/// A text to go on with, and one way to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The file's name without its ending.
    pub name: String,
    /// What the models read.
    pub text: String,
    /// What stands behind it when tokens are scored.
    pub continuation: String,
}

/// A text that cannot be used.
#[derive(Debug, Error)]
pub enum PromptError {
    /// A file or the folder cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Nothing divides the prompt from its continuation.
    #[error("{} has no line `---8<---`", path.display())]
    Undivided {
        /// The file.
        path: PathBuf,
    },
}

impl Prompt {
    /// All of it.
    pub fn whole(&self) -> String {
        format!("{}{}", self.text, self.continuation)
    }

    fn read(path: &Path) -> Result<Self, PromptError> {
        let content = fs::read_to_string(path).map_err(|source| PromptError::Read {
            path: path.to_path_buf(),
            source,
        })?;
        let (text, continuation) =
            content
                .split_once(CUT)
                .ok_or_else(|| PromptError::Undivided {
                    path: path.to_path_buf(),
                })?;
        let name = path.file_stem().unwrap_or_default();
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            text: text.to_owned(),
            // Editors end a file with a newline; it is not part of the text.
            continuation: continuation
                .strip_suffix('\n')
                .unwrap_or(continuation)
                .to_owned(),
        })
    }
}

/// Reads all prompts of a folder, in the order of their names.
pub fn read(folder: &Path) -> Result<Vec<Prompt>, PromptError> {
    let fault = |source| PromptError::Read {
        path: folder.to_path_buf(),
        source,
    };
    let mut paths = fs::read_dir(folder)
        .map_err(fault)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(fault)?;
    paths.sort();
    paths.iter().map(|path| Prompt::read(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_twenty_and_each_goes_on() {
        let prompts = read(Path::new(FOLDER)).unwrap();
        assert_eq!(prompts.len(), 20);
        for prompt in &prompts {
            assert!(
                !prompt.text.is_empty() && !prompt.continuation.is_empty(),
                "{}",
                prompt.name
            );
        }
        assert_eq!(
            prompts[0].whole(),
            "Hello, how are you today? I hope that you are well."
        );
    }
}
