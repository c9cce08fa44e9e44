//! What was fetched from Hugging Face, written down beside it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::name::is_safe_path;
use super::{StoreError, is_gguf};

/// The name of the file, in the folder of the revision.
pub(super) const FILE_NAME: &str = "skinflint.json";

/// The files of one revision of a repository. Written last and at one stroke: where it is, they are whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The hub that it came from.
    pub source: String,
    /// `org/name`.
    pub repository: String,
    /// The commit, in hex.
    pub revision: String,
    /// The branches and tags that it was asked for by, as far as none has moved on since.
    pub asked_as: Vec<String>,
    /// When it was fetched, in UTC by RFC 3339.
    pub fetched: String,
    /// The files.
    pub files: Vec<ManifestFile>,
}

/// A file of a [`Manifest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Where it lies, with `/` between folders.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, in lower-case hex.
    pub sha256: String,
}

impl Manifest {
    /// Reads the manifest in a revision's folder; `None` if there is none.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, StoreError> {
        let path = folder.join(FILE_NAME);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::Read { path, source }),
        };
        let damaged = |path: PathBuf, message: String| StoreError::Damaged { path, message };
        let manifest: Self = match serde_json::from_slice(&text) {
            Ok(manifest) => manifest,
            Err(error) => return Err(damaged(path, error.to_string())),
        };
        match manifest.files.iter().find(|file| !is_safe_path(&file.path)) {
            Some(file) => Err(damaged(
                path,
                format!("{:?} leads out of the folder", file.path),
            )),
            None => Ok(Some(manifest)),
        }
    }

    /// Writes it to its place at one stroke.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        let mut new = tempfile::Builder::new()
            .prefix(".manifest-")
            .tempfile_in(folder)?;
        serde_json::to_writer_pretty(&mut new, self)?;
        new.write_all(b"\n")?;
        new.as_file().sync_all()?;
        new.persist(folder.join(FILE_NAME))?;
        Ok(())
    }

    /// The GGUF files among its files.
    pub(super) fn ggufs(&self) -> impl Iterator<Item = &ManifestFile> {
        self.files.iter().filter(|file| is_gguf(&file.path))
    }

    /// Whether it is a model in the safetensors format.
    pub(super) fn has_safetensors(&self) -> bool {
        self.files
            .iter()
            .any(|file| file.path.ends_with(".safetensors"))
    }
}
