//! Files of which it is known what they have to be.

use std::io;
use std::path::{Path, PathBuf};

use super::{HubName, StoreError, hub, is_path};
use crate::catalog::CatalogEntry;
use crate::checksum::Checksum;

/// A file with the size and the checksum that it has to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownFile {
    /// The model that it belongs to, as commands take it.
    pub model: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256, in lower-case hex.
    pub sha256: String,
}

/// The files of a model, there or not: of the catalogue, or of Hugging Face if it has been fetched.
pub fn known_files(name: &str, dir: &Path) -> Result<Vec<KnownFile>, StoreError> {
    if let Some(entry) = CatalogEntry::named(name) {
        // A model that is not there at all is not damaged.
        if let Err(error @ StoreError::NotPulled { .. }) = entry.locate_in(dir) {
            return Err(error);
        }
        return Ok(of_catalogue(entry, dir));
    }
    if is_path(name) {
        let path = PathBuf::from(name);
        return Err(StoreError::NoChecksum { path });
    }
    match HubName::parse(name) {
        Ok(name) => hub::known_files(&name, dir),
        Err(_) => Err(StoreError::Unknown {
            name: name.to_owned(),
        }),
    }
}

/// The files of a model of the catalogue.
pub(super) fn of_catalogue(entry: &CatalogEntry, dir: &Path) -> Vec<KnownFile> {
    let known = |file| KnownFile {
        model: entry.name.to_owned(),
        path: entry.file_in(dir, file),
        bytes: file.bytes,
        sha256: file.sha256.to_owned(),
    };
    entry.files.iter().map(known).collect()
}

impl KnownFile {
    /// Whether the file is there and has its size.
    pub fn check_size(&self) -> Result<(), StoreError> {
        let (path, name) = (self.path.clone(), self.model.clone());
        match self.path.metadata() {
            Ok(metadata) if metadata.len() == self.bytes => Ok(()),
            Ok(metadata) => Err(StoreError::WrongSize {
                path,
                name,
                expected: self.bytes,
                actual: metadata.len(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(StoreError::Missing { path, name })
            }
            Err(source) => Err(StoreError::Read { path, source }),
        }
    }

    /// Reads the file and compares size and checksum; `progress` is told how many bytes more have been read. Takes about a second per
    /// gigabyte where the processor has SHA instructions.
    pub fn verify(&self, progress: &mut dyn FnMut(u64)) -> Result<(), StoreError> {
        self.check_size()?;
        let path = self.path.clone();
        let actual = match Checksum::of_file(&path, progress) {
            Ok(actual) => actual,
            Err(source) => return Err(StoreError::Read { path, source }),
        };
        if actual == self.sha256 {
            return Ok(());
        }
        Err(StoreError::WrongChecksum {
            path,
            name: self.model.clone(),
            expected: self.sha256.clone(),
            actual,
        })
    }
}
