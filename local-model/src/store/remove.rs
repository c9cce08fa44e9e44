//! Taking models out of the models folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::hub::{self, PART, repository_folder};
use super::inventory::size_of;
use super::{HubName, StoreError, is_path};
use crate::catalog::CatalogEntry;
use crate::pull::work_folder;

/// Something that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// What it was: a file, or a folder with everything in it.
    pub path: PathBuf,
    /// Bytes that it had.
    pub bytes: u64,
}

/// Why nothing more was removed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RemoveError {
    /// There is nothing of that name or at that path.
    #[error("there is nothing of `{name}` in {}", dir.display())]
    NotThere {
        /// What was to be removed.
        name: String,
        /// The folder that was looked in.
        dir: PathBuf,
    },
    /// The path is not below the models folder.
    #[error("{} is not in the models folder {}: remove it by hand", path.display(), dir.display())]
    Outside {
        /// What was to be removed.
        path: PathBuf,
        /// The models folder.
        dir: PathBuf,
    },
    /// The name stands for no single thing, or what is there cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is there and cannot be removed.
    #[error("cannot remove {}", path.display())]
    Remove {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Removes what `name_or_path` stands for from the models folder `dir`, and says what that was:
///
/// - a model of the catalogue, with what an unfinished download of it left;
/// - `org/name`: all revisions of a repository; `org/name@revision`: one; `org/name:file.gguf`: one file;
/// - a path within the folder, such as that of a left-over.
pub fn remove(name_or_path: &str, dir: &Path) -> Result<Vec<Removed>, RemoveError> {
    let mut removed = Vec::new();
    if let Some(entry) = CatalogEntry::named(name_or_path) {
        take(&entry.path_in(dir), &mut removed)?;
        take(&work_folder(entry, dir), &mut removed)?;
    } else if is_path(name_or_path) {
        take(&within(Path::new(name_or_path), dir)?, &mut removed)?;
    } else if let Ok(name) = HubName::parse(name_or_path) {
        of_hub(&name, dir, &mut removed)?;
    } else {
        take(&within(Path::new(name_or_path), dir)?, &mut removed)?;
    }
    if removed.is_empty() {
        return Err(RemoveError::NotThere {
            name: name_or_path.to_owned(),
            dir: dir.to_path_buf(),
        });
    }
    Ok(removed)
}

fn of_hub(name: &HubName, dir: &Path, removed: &mut Vec<Removed>) -> Result<(), RemoveError> {
    let repository = repository_folder(name.repository(), dir);
    if !name.names_revision() && name.file().is_none() {
        return take(&repository, removed);
    }
    // One that is not whole has no manifest to be found by, only its commit.
    let by_commit = repository.join(name.revision());
    let revision = match hub::find(name, dir) {
        Ok(revision) => Some(revision),
        Err(
            StoreError::NotPulled { .. }
            | StoreError::Partly { .. }
            | StoreError::NoSuchRevision { .. },
        ) => None,
        Err(error) => return Err(error.into()),
    };
    let folder = revision
        .as_ref()
        .map_or(&by_commit, |revision| &revision.folder)
        .clone();
    let Some(file) = name.file() else {
        take(&folder, removed)?;
        return drop_if_empty(&repository);
    };
    if let Some(mut revision) = revision {
        let files = &mut revision.manifest.files;
        files.retain(|known| known.path != file);
        if files.is_empty() {
            take(&folder, removed)?;
            return drop_if_empty(&repository);
        }
        // Before the file goes, so that what stays is whole by its manifest at every moment.
        revision
            .manifest
            .write(&folder)
            .map_err(|source| RemoveError::Remove {
                path: folder.join(file),
                source,
            })?;
    }
    take(&folder.join(file), removed)?;
    take(&folder.join(format!("{file}{PART}")), removed)
}

/// The path, if it lies below the models folder: where it is, not where a link there leads.
fn within(path: &Path, dir: &Path) -> Result<PathBuf, RemoveError> {
    let outside = || RemoveError::Outside {
        path: path.to_path_buf(),
        dir: dir.to_path_buf(),
    };
    let not_there = |_| RemoveError::NotThere {
        name: path.display().to_string(),
        dir: dir.to_path_buf(),
    };
    let name = path.file_name().ok_or_else(outside)?;
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Err(outside()),
    };
    let parent = parent.canonicalize().map_err(not_there)?;
    let dir = dir.canonicalize().map_err(not_there)?;
    if parent.starts_with(dir) {
        Ok(parent.join(name))
    } else {
        Err(outside())
    }
}

/// Removes a file, a link or a folder, if it is there.
fn take(path: &Path, removed: &mut Vec<Removed>) -> Result<(), RemoveError> {
    let error = |source| RemoveError::Remove {
        path: path.to_path_buf(),
        source,
    };
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(error(source)),
    };
    let bytes = size_of(path);
    if metadata.is_dir() {
        fs::remove_dir_all(path).map_err(error)?;
    } else {
        fs::remove_file(path).map_err(error)?;
    }
    removed.push(Removed {
        path: path.to_path_buf(),
        bytes,
    });
    Ok(())
}

/// Removes the folder of a repository that has no revision any more.
fn drop_if_empty(folder: &Path) -> Result<(), RemoveError> {
    match fs::remove_dir(folder) {
        Err(source)
            if !matches!(
                source.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty
            ) =>
        {
            Err(RemoveError::Remove {
                path: folder.to_path_buf(),
                source,
            })
        }
        _ => Ok(()),
    }
}
