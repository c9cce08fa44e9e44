//! Names of models on Hugging Face.

use std::fmt;

use thiserror::Error;

/// A model on Hugging Face: `org/name`, `org/name@revision`, `org/name:file.gguf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubName {
    /// `org/name`.
    repository: String,
    revision: Option<String>,
    file: Option<String>,
}

/// A text that names no model on Hugging Face.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{text}` is no name of Hugging Face: {fault}; expected `org/name`, `org/name@revision` or `org/name:file.gguf`"
)]
pub struct HubNameError {
    text: String,
    fault: &'static str,
}

/// The longest organisation or model name, and the longest component of a path.
const MAX_PART: usize = 96;
/// The longest revision; git itself allows more.
const MAX_REVISION: usize = 200;
/// What a repository is read at when no revision is named.
const DEFAULT_REVISION: &str = "main";

impl HubName {
    /// Reads a name.
    pub fn parse(text: &str) -> Result<Self, HubNameError> {
        let error = |fault| {
            let text = text.to_owned();
            HubNameError { text, fault }
        };
        let (rest, file) = match text.split_once(':') {
            Some((rest, file)) => (rest, Some(file)),
            None => (text, None),
        };
        let (repository, revision) = match rest.split_once('@') {
            Some((repository, revision)) => (repository, Some(revision)),
            None => (rest, None),
        };
        let Some((organisation, name)) = repository.split_once('/') else {
            return Err(error("there is no `/` in it"));
        };
        if !is_name(organisation) || !is_name(name) {
            return Err(error(
                "organisation and name are of ASCII letters, digits, `-`, `_` and `.`",
            ));
        }
        if revision.is_some_and(|revision| !is_revision(revision)) {
            return Err(error("the revision is no branch, tag or commit"));
        }
        if file.is_some_and(|file| !is_safe_path(file)) {
            return Err(error("the file is no path within the repository"));
        }
        Ok(Self {
            repository: repository.to_owned(),
            revision: revision.map(str::to_owned),
            file: file.map(str::to_owned),
        })
    }

    /// `org/name`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The branch, tag or commit: `main` unless another was named.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or(DEFAULT_REVISION)
    }

    /// The file, if one was named.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// Whether a revision was named.
    pub(crate) fn names_revision(&self) -> bool {
        self.revision.is_some()
    }

    /// The name of a repository at a revision, or of a file in it; shorter where that is the default.
    pub(super) fn new(repository: &str, revision: &str, file: Option<&str>) -> Self {
        Self {
            repository: repository.to_owned(),
            revision: (revision != DEFAULT_REVISION).then(|| revision.to_owned()),
            file: file.map(str::to_owned),
        }
    }
}

impl fmt::Display for HubName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        if let Some(revision) = &self.revision {
            write!(f, "@{revision}")?;
        }
        if let Some(file) = &self.file {
            write!(f, ":{file}")?;
        }
        Ok(())
    }
}

/// By the rules of the hub, which make `--` free to stand for the `/` of a repository.
fn is_name(part: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=MAX_PART).contains(&part.len())
        && part.bytes().all(sound)
        && !part.starts_with(['-', '.'])
        && !part.ends_with(['-', '.'])
        && !part.contains("--")
        && !part.contains("..")
}

fn is_revision(revision: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./+".contains(&byte);
    revision.len() <= MAX_REVISION && revision.bytes().all(sound) && is_safe_path(revision)
}

/// Whether a path with `/` between its components stays within the folder that it is joined to. Names
/// of files come from a server.
pub(crate) fn is_safe_path(path: &str) -> bool {
    let sound = |component: &str| {
        !matches!(component, "" | "." | "..")
            && component.len() <= 255
            && !component.contains(|letter: char| letter == '\\' || letter.is_control())
    };
    path.split('/').all(sound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_back() {
        for (text, revision, file) in [
            ("Qwen/Qwen3-0.6B", "main", None),
            ("Qwen/Qwen3-0.6B@v1.0", "v1.0", None),
            ("a/b@refs/pr/3", "refs/pr/3", None),
            (
                "a/b:q4/model.Q4_K_M.gguf",
                "main",
                Some("q4/model.Q4_K_M.gguf"),
            ),
            ("a/b@c0ffee:x.gguf", "c0ffee", Some("x.gguf")),
        ] {
            let name = HubName::parse(text).unwrap();
            assert_eq!(name.to_string(), text);
            assert_eq!((name.revision(), name.file()), (revision, file));
            assert!(text.starts_with(name.repository()));
        }
    }

    #[test]
    fn what_names_no_repository_or_leads_out_of_it_is_refused() {
        for text in [
            "",
            "name",
            "/name",
            "a/",
            "a/b/c",
            "../b",
            "a/..",
            "a/.b",
            "-a/b",
            "a--b/c",
            "a/b--c",
            "a b/c",
            "a/b@",
            "a/b@../c",
            "a/b@/c",
            "a/b:",
            "a/b:../c.gguf",
            "a/b:/etc/passwd",
            "a/b:x\\y.gguf",
            "a/b:x//y.gguf",
            "a/b:./x.gguf",
            "a/b:x\ny.gguf",
            "ä/b",
        ] {
            let error = HubName::parse(text).unwrap_err().to_string();
            assert!(error.contains("expected `org/name`"), "{text}: {error}");
        }
    }
}
