//! The models folder: what lies where, and whether it is whole.
//!
//! Models of the catalogue lie at its top: a file, or a folder of the model's name. Those of
//! Hugging Face lie in `hub/ORG--NAME/COMMIT/`, beside a [`Manifest`] that is written when all
//! files are there. What is still being fetched ends in `.part`, or lies in `.pull-NAME`.

use std::io;
use std::path::{Path, PathBuf};

use crate::catalog::{CatalogEntry, Layout};

mod error;
mod folder;
mod hub;
mod inventory;
mod known;
mod manifest;
mod name;
mod remove;
mod room;

pub use error::StoreError;
pub use inventory::{Listed, State, inventory};
pub use known::{KnownFile, known_files};
pub use manifest::{Manifest, ManifestFile};
pub use name::{HubName, HubNameError};
pub use remove::{RemoveError, Removed, remove};
pub use room::{NoRoom, ensure_room};

pub(crate) use folder::{INDEX, NEEDED};
pub(crate) use hub::{PART, repository_folder};
pub(crate) use inventory::size_of;
pub(crate) use name::is_safe_path;

/// The weights of a model, checked by size alone, which is quick ([`KnownFile::verify`] hashes):
///
/// - of the catalogue, by name, if it has been fetched into the models folder `dir`;
/// - of Hugging Face, as `org/name`, `org/name@revision` or `org/name:file.gguf`, likewise;
/// - else what lies at that path, as [`locate_path`].
///
/// Gives a GGUF file, or a folder with safetensors.
pub fn locate(name_or_path: &str, dir: &Path) -> Result<PathBuf, StoreError> {
    if let Some(entry) = CatalogEntry::named(name_or_path) {
        return entry.locate_in(dir);
    }
    if is_path(name_or_path) {
        return locate_path(Path::new(name_or_path));
    }
    let Ok(name) = HubName::parse(name_or_path) else {
        return locate_path(Path::new(name_or_path));
    };
    match hub::locate(&name, dir) {
        // A folder of that name below the current one, which nobody has called `./…`.
        Err(StoreError::NotPulled { .. }) if Path::new(name_or_path).is_dir() => {
            locate_path(Path::new(name_or_path))
        }
        located => located,
    }
}

/// The weights at a path: a file, or a folder with everything that a safetensors model needs.
pub fn locate_path(path: &Path) -> Result<PathBuf, StoreError> {
    match path.metadata() {
        Ok(metadata) if metadata.is_dir() => folder::check(path)?,
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StoreError::Unknown {
                name: path.display().to_string(),
            });
        }
        Err(source) => {
            return Err(StoreError::Read {
                path: path.to_path_buf(),
                source,
            });
        }
    }
    Ok(path.to_path_buf())
}

/// Whether a text is written as a path and is not the name of a model: it begins with `/`, `./` or
/// `../`, or names a GGUF file.
pub fn is_path(text: &str) -> bool {
    let begins = ["/", "./", "../"]
        .iter()
        .any(|start| text.starts_with(start));
    // `org/name:file.gguf` names a file of a repository.
    begins || matches!(text, "." | "..") || (is_gguf(text) && !text.contains(':'))
}

/// Whether a file is a GGUF file by its name.
pub(crate) fn is_gguf(path: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("gguf"))
}

impl CatalogEntry {
    pub(crate) fn locate_in(&self, dir: &Path) -> Result<PathBuf, StoreError> {
        let path = self.path_in(dir);
        let absent = match self.layout {
            Layout::File => path.symlink_metadata(),
            Layout::Folder => path.read_dir().map_or_else(Err, |_| path.metadata()),
        };
        if absent.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Err(StoreError::NotPulled {
                name: self.name.to_owned(),
                dir: dir.to_path_buf(),
            });
        }
        for file in known::of_catalogue(self, dir) {
            file.check_size()?;
        }
        Ok(path)
    }
}

#[cfg(test)]
mod tests;
