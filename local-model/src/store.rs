//! The folder of fetched models.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::catalog::CatalogEntry;
use crate::checksum::Checksum;

/// A model that is not there, or not what it should be.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A model of the catalogue that has not been fetched.
    #[error("model {name:?} is not in {}; fetch it with `skinflint models pull {name}`", dir.display())]
    NotPulled {
        /// The model's name.
        name: String,
        /// The folder that was looked in.
        dir: PathBuf,
    },
    /// Neither a name in the catalogue nor a file.
    #[error("{name:?} is neither a known model nor a file")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The file has another size than the catalogue says.
    #[error("{} has {actual} bytes, expected {expected}: remove it and fetch it again", path.display())]
    WrongSize {
        /// The file.
        path: PathBuf,
        /// Bytes that it should have.
        expected: u64,
        /// Bytes that it has.
        actual: u64,
    },
    /// The file has another checksum than the catalogue says.
    #[error("{} has SHA-256 {actual}, expected {expected}: remove it and fetch it again", path.display())]
    WrongChecksum {
        /// The file.
        path: PathBuf,
        /// The checksum that it should have.
        expected: &'static str,
        /// The checksum that it has.
        actual: String,
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

/// The file of a model: of the catalogue, by name, if it has been fetched into `dir` (checked by
/// size alone, which is quick: [`verify`] hashes); else `name_or_path` is a path.
pub fn locate(name_or_path: &str, dir: &Path) -> Result<PathBuf, StoreError> {
    if let Some(entry) = CatalogEntry::named(name_or_path) {
        return entry.locate_in(dir);
    }
    let path = PathBuf::from(name_or_path);
    if path.is_file() {
        return Ok(path);
    }
    Err(StoreError::Unknown {
        name: name_or_path.to_owned(),
    })
}

/// As [`locate`] for a model of the catalogue, but reads the file and compares its checksum. Takes
/// about a second per gigabyte where the processor has SHA instructions.
pub fn verify(entry: &CatalogEntry, dir: &Path) -> Result<PathBuf, StoreError> {
    let path = entry.locate_in(dir)?;
    let actual = Checksum::of_file(&path).map_err(|source| StoreError::Read {
        path: path.clone(),
        source,
    })?;
    if actual != entry.sha256 {
        return Err(StoreError::WrongChecksum {
            path,
            expected: entry.sha256,
            actual,
        });
    }
    Ok(path)
}

impl CatalogEntry {
    /// Where this model lies in `dir`, fetched or not.
    pub fn path_in(&self, dir: &Path) -> PathBuf {
        dir.join(self.file_name)
    }

    pub(crate) fn locate_in(&self, dir: &Path) -> Result<PathBuf, StoreError> {
        let path = self.path_in(dir);
        match path.metadata() {
            Ok(metadata) if metadata.len() == self.bytes => Ok(path),
            Ok(metadata) => Err(StoreError::WrongSize {
                path,
                expected: self.bytes,
                actual: metadata.len(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StoreError::NotPulled {
                name: self.name.to_owned(),
                dir: dir.to_path_buf(),
            }),
            Err(source) => Err(StoreError::Read { path, source }),
        }
    }
}
