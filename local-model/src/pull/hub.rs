//! Fetching a model of Hugging Face: which files, where they go, and whether they are right.
//!
//! This does everything but the fetching, which takes an HTTP client:
//!
//! 1. ask the hub for [`HubName::listing_path`] and read the answer with [`HubListing::parse`];
//! 2. [`HubListing::choose`] the files and [`HubPull::begin`];
//! 3. fetch each of [`HubPull::missing`] into its [`Wanted::part`], and [`HubPull::keep`] it;
//! 4. [`HubPull::finish`].

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::{PullError, lock, make_folder};
use crate::checksum::Checksum;
use crate::store::{
    HubName, Manifest, ManifestFile, PART, ensure_room, repository_folder, size_of,
};

mod listing;

pub use listing::{HubFile, HubListing, ListingError};

/// A model of Hugging Face on its way into the models folder. No other process fetches into its folder meanwhile.
#[derive(Debug)]
pub struct HubPull {
    name: HubName,
    /// The hub's address.
    source: String,
    commit: String,
    /// The folder of the repository.
    repository: PathBuf,
    /// The folder of the revision.
    folder: PathBuf,
    wanted: Vec<Wanted>,
    _lock: File,
}

/// A file that is to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What it is.
    pub file: HubFile,
    /// Where it will lie.
    pub path: PathBuf,
    /// Where what has been fetched of it lies.
    pub part: PathBuf,
}

impl HubName {
    /// Where a hub describes the repository at the revision: components of the path below its address, not yet
    /// percent-encoded. The query `blobs=true` makes it name sizes and checksums.
    pub fn listing_path(&self) -> Vec<String> {
        let mut path = vec!["api".to_owned(), "models".to_owned()];
        path.extend(self.repository().split('/').map(str::to_owned));
        path.push("revision".to_owned());
        path.push(self.revision().to_owned());
        path
    }

    /// Where a hub has a file of the repository at a commit, likewise.
    pub fn file_path(&self, commit: &str, file: &str) -> Vec<String> {
        let mut path: Vec<_> = self.repository().split('/').map(str::to_owned).collect();
        path.extend(["resolve".to_owned(), commit.to_owned()]);
        path.extend(file.split('/').map(str::to_owned));
        path
    }
}

impl HubPull {
    /// Makes the folder, and finds out what of `files` is missing and whether there is room for it. `source` is
    /// the hub's address.
    pub fn begin(
        name: &HubName,
        source: &str,
        listing: &HubListing,
        files: Vec<HubFile>,
        dir: &Path,
    ) -> Result<Self, PullError> {
        let repository = repository_folder(name.repository(), dir);
        let folder = repository.join(&listing.commit);
        make_folder(&folder)?;
        let lock = lock(&folder)?;
        let wanted = files.into_iter().map(|file| {
            let path = folder.join(&file.path);
            let part = folder.join(format!("{}{PART}", file.path));
            Wanted { file, path, part }
        });
        let pull = Self {
            name: name.clone(),
            source: source.to_owned(),
            commit: listing.commit.clone(),
            wanted: wanted.collect(),
            repository,
            folder,
            _lock: lock,
        };
        for folder in pull.missing().filter_map(|wanted| wanted.path.parent()) {
            make_folder(folder)?;
        }
        let rest = |wanted: &Wanted| wanted.file.size.saturating_sub(size_of(&wanted.part));
        ensure_room(&pull.folder, pull.missing().map(rest).sum())?;
        Ok(pull)
    }

    /// All files, there or not.
    pub fn wanted(&self) -> &[Wanted] {
        &self.wanted
    }

    /// The files that are not there with their size.
    pub fn missing(&self) -> impl Iterator<Item = &Wanted> {
        self.wanted.iter().filter(|wanted| {
            let metadata = wanted.path.metadata();
            !metadata.is_ok_and(|metadata| metadata.len() == wanted.file.size)
        })
    }

    /// Moves a fetched file from [`Wanted::part`] to its place, if it has the size, and the checksum where the hub has
    /// stated one. What is wrong is removed.
    pub fn keep(&self, wanted: &Wanted) -> Result<(), PullError> {
        let (path, part) = (&wanted.path, &wanted.part);
        let bytes = size_of(part);
        let sha256 = Checksum::of_file(part, &mut |_| ()).map_err(PullError::write(part))?;
        let expected = wanted.file.sha256.as_ref().unwrap_or(&sha256);
        if bytes != wanted.file.size || sha256 != *expected {
            let mismatch = PullError::Mismatch {
                file: path.display().to_string(),
                bytes,
                expected_bytes: wanted.file.size,
                expected_sha256: expected.clone(),
                sha256,
            };
            fs::remove_file(part).map_err(PullError::write(part))?;
            return Err(mismatch);
        }
        File::open(part)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(part, path))
            .map_err(PullError::write(path))
    }

    /// Writes the manifest, when all files are in their place, and gives what [`locate`](crate::locate) will. `fetched`
    /// is the time in UTC by RFC 3339.
    pub fn finish(self, fetched: String) -> Result<PathBuf, PullError> {
        let before = Manifest::read(&self.folder)?;
        let mut manifest = before.unwrap_or_else(|| Manifest {
            source: String::new(),
            repository: self.name.repository().to_owned(),
            revision: self.commit.clone(),
            asked_as: Vec::new(),
            fetched: String::new(),
            files: Vec::new(),
        });
        for wanted in &self.wanted {
            let path = &wanted.path;
            let sha256 = match &wanted.file.sha256 {
                Some(sha256) => sha256.clone(),
                None => Checksum::of_file(path, &mut |_| ()).map_err(PullError::write(path))?,
            };
            let file = ManifestFile {
                path: wanted.file.path.clone(),
                size: wanted.file.size,
                sha256,
            };
            manifest.files.retain(|known| known.path != file.path);
            manifest.files.push(file);
        }
        let asked = self.name.revision();
        if !self.commit.starts_with(asked) && !manifest.asked_as.iter().any(|name| name == asked) {
            manifest.asked_as.push(asked.to_owned());
        }
        (manifest.source, manifest.fetched) = (self.source.clone(), fetched);
        manifest
            .write(&self.folder)
            .map_err(PullError::write(&self.folder))?;
        self.move_name(asked)?;
        let named = &self.wanted;
        Ok(match (self.name.file(), &named[..]) {
            (Some(_), [only]) => only.path.clone(),
            _ => self.folder.clone(),
        })
    }

    /// Takes the name of a branch from the other revisions: it stands for the commit that was fetched last, as in git.
    fn move_name(&self, asked: &str) -> Result<(), PullError> {
        let error = PullError::write(&self.repository);
        for entry in fs::read_dir(&self.repository).map_err(&error)? {
            let folder = entry.map_err(&error)?.path();
            if folder == self.folder || !folder.is_dir() {
                continue;
            }
            if let Some(mut manifest) = Manifest::read(&folder)? {
                let names = manifest.asked_as.len();
                manifest.asked_as.retain(|name| name != asked);
                if manifest.asked_as.len() < names {
                    manifest.write(&folder).map_err(PullError::write(&folder))?;
                }
            }
        }
        Ok(())
    }
}

impl Drop for HubPull {
    /// Leaves no folder behind in which there is nothing.
    fn drop(&mut self) {
        let below = self.wanted.iter().filter_map(|wanted| wanted.path.parent());
        for folder in below.chain([&*self.folder, &*self.repository]) {
            // Fails where there is something, which stays.
            let _ = fs::remove_dir(folder);
        }
    }
}

#[cfg(test)]
mod tests;
