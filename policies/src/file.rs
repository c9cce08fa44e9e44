//! From TOML text to a typed value, with errors that name file, line and field.

use std::{
    fmt, io,
    ops::Range,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

/// Why a configuration or policy file was refused.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file could not be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not TOML, has an unknown field, or a field of the wrong type or value.
    #[error("{}:{line}: {}{message}", path.display(), Field(field))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Line of the field, from 1.
        line: usize,
        /// Path of the field, such as `upstream[1].base_url`; empty if the text is not TOML.
        field: String,
        /// What is wrong and what was expected.
        message: String,
    },
    /// The last tenant file is gone, and without any the gateway would let callers in that have no key.
    #[error("{}: no tenant file is left; if callers are to need no key, restart the gateway", folder.display())]
    NoTenants {
        /// Where they were.
        folder: PathBuf,
    },
}

/// A value of the right type that makes no sense: which field, and what was expected.
#[derive(Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Path of the field, such as `upstream[1].base_url`.
    pub field: String,
    /// What is wrong and what was expected.
    pub message: String,
}

/// The text of one file, kept so that an error found later can still name its line.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    path: &'a Path,
    text: String,
}

struct Field<'a>(&'a str);

// === impl Invalid ===

impl Invalid {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }

    /// Puts the field under a parent: `base_url` becomes `upstream[1].base_url`.
    pub(crate) fn under(mut self, parent: impl fmt::Display) -> Self {
        self.field = if self.field.is_empty() {
            parent.to_string()
        } else {
            format!("{parent}.{}", self.field)
        };
        self
    }
}

// === impl Source ===

impl<'a> Source<'a> {
    pub(crate) fn read(path: &'a Path) -> Result<Self, FileError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self { path, text }),
            Err(source) => Err(FileError::Unreadable {
                path: path.to_owned(),
                source,
            }),
        }
    }

    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, FileError> {
        let deserializer =
            toml::Deserializer::parse(&self.text).map_err(|error| self.not_toml(&error, ""))?;
        serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let path = error.path().to_string();
            let field = if path == "." { "" } else { path.as_str() };
            self.not_toml(error.inner(), field)
        })
    }

    /// Gives a validation error the line on which its field stands.
    pub(crate) fn locate(&self, invalid: Invalid) -> FileError {
        let start = DeTable::parse(&self.text)
            .ok()
            .and_then(|document| span_of(document.get_ref(), &invalid.field))
            .map_or(0, |span| span.start);
        FileError::Wrong {
            path: self.path.to_owned(),
            line: self.line_of(start),
            field: invalid.field,
            message: invalid.message,
        }
    }

    fn not_toml(&self, error: &toml::de::Error, field: &str) -> FileError {
        FileError::Wrong {
            path: self.path.to_owned(),
            line: self.line_of(error.span().map_or(0, |span| span.start)),
            field: field.to_owned(),
            message: error.message().trim_end().replace('\n', ", "),
        }
    }

    fn line_of(&self, offset: usize) -> usize {
        let upto = &self.text.as_bytes()[..offset.min(self.text.len())];
        String::from_utf8_lossy(upto).matches('\n').count() + 1
    }
}

/// The error of a field that turned out to be wrong after its file was read.
pub(crate) fn fault(path: &Path, invalid: Invalid) -> FileError {
    match Source::read(path) {
        Ok(source) => source.locate(invalid),
        Err(unreadable) => unreadable,
    }
}

/// The bytes of the deepest part of `field` that the document has, so that a missing field points at its parent.
fn span_of(root: &DeTable<'_>, field: &str) -> Option<Range<usize>> {
    let mut steps = field.split(['.', '[']).filter(|step| !step.is_empty());
    let (key, first) = root.get_key_value(steps.next()?)?;
    let mut found = key.span();
    let mut value = first;
    for step in steps {
        let next = match value.get_ref() {
            DeValue::Table(table) => table
                .get_key_value(step)
                .map(|(key, value)| (key.span(), value)),
            DeValue::Array(items) => step
                .strip_suffix(']')
                .and_then(|index| index.parse::<usize>().ok())
                .and_then(|index| items.get(index))
                .map(|item| (item.span(), item)),
            _ => None,
        };
        let Some((span, inner)) = next else { break };
        (found, value) = (span, inner);
    }
    Some(found)
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            Ok(())
        } else {
            write!(f, "`{}`: ", self.0)
        }
    }
}

#[cfg(test)]
mod tests;
