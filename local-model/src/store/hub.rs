//! Models of Hugging Face in the models folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::known::KnownFile;
use super::{HubName, Manifest, StoreError, is_gguf};

/// The folder of all of them.
pub(crate) const HUB: &str = "hub";
/// The end of the name of a file that is still being fetched.
pub(crate) const PART: &str = ".part";

/// The fewest digits that stand for a commit, as in git.
const SHORT_COMMIT: usize = 7;

/// A revision that is whole.
#[derive(Debug)]
pub(super) struct Revision {
    pub(super) folder: PathBuf,
    pub(super) manifest: Manifest,
}

/// The folder of a repository.
pub(crate) fn repository_folder(repository: &str, dir: &Path) -> PathBuf {
    dir.join(HUB).join(repository.replace('/', "--"))
}

/// The repository of such a folder's name.
pub(super) fn repository_of(folder: &Path) -> Option<String> {
    let name = folder.file_name()?.to_str()?;
    let (organisation, name) = name.split_once("--")?;
    Some(format!("{organisation}/{name}"))
}

/// The entries of a folder, by name; none if there is no such folder.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let list = || -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
        entries.collect()
    };
    match list() {
        Ok(mut paths) => {
            paths.sort();
            Ok(paths)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(StoreError::Read {
            path: folder.to_path_buf(),
            source,
        }),
    }
}

/// The whole revisions of a repository, by commit.
pub(super) fn revisions(repository: &str, dir: &Path) -> Result<Vec<Revision>, StoreError> {
    let mut found = Vec::new();
    for folder in entries(&repository_folder(repository, dir))? {
        if folder.is_dir()
            && let Some(manifest) = Manifest::read(&folder)?
        {
            found.push(Revision { folder, manifest });
        }
    }
    Ok(found)
}

/// The weights that a name stands for.
pub(super) fn locate(name: &HubName, dir: &Path) -> Result<PathBuf, StoreError> {
    let revision = find(name, dir)?;
    let (path, files) = revision.choose(name)?;
    for file in files {
        file.check_size()?;
    }
    Ok(path)
}

/// The files that a name stands for: all of the revision unless it names one.
pub(super) fn known_files(name: &HubName, dir: &Path) -> Result<Vec<KnownFile>, StoreError> {
    let revision = find(name, dir)?;
    let wanted = |path: &str| name.file().is_none_or(|file| file == path);
    let files: Vec<KnownFile> = revision.known_files(|path| wanted(path)).collect();
    if files.is_empty() {
        return Err(not_pulled(name, dir));
    }
    Ok(files)
}

/// The revision that a name stands for: that of `main`, or of the branch, tag or commit that it says.
pub(super) fn find(name: &HubName, dir: &Path) -> Result<Revision, StoreError> {
    let mut revisions = revisions(name.repository(), dir)?;
    if let Some(at) = revisions.iter().position(|revision| revision.is(name)) {
        return Ok(revisions.swap_remove(at));
    }
    if !revisions.is_empty() {
        let there = revisions
            .iter()
            .map(|revision| format!("`{}`", revision.name(None)));
        return Err(StoreError::NoSuchRevision {
            repository: name.repository().to_owned(),
            revision: name.revision().to_owned(),
            there: there.collect(),
        });
    }
    if repository_folder(name.repository(), dir).is_dir() {
        return Err(StoreError::Partly {
            name: name.to_string(),
        });
    }
    Err(not_pulled(name, dir))
}

fn not_pulled(name: &HubName, dir: &Path) -> StoreError {
    StoreError::NotPulled {
        name: name.to_string(),
        dir: dir.to_path_buf(),
    }
}

impl Revision {
    fn is(&self, name: &HubName) -> bool {
        let asked = name.revision();
        let by_commit = asked.len() >= SHORT_COMMIT && self.manifest.revision.starts_with(asked);
        by_commit || self.manifest.asked_as.iter().any(|known| known == asked)
    }

    /// What commands take for it, or for a file of it.
    pub(super) fn name(&self, file: Option<&str>) -> HubName {
        let manifest = &self.manifest;
        let asked = &manifest.asked_as;
        let revision = asked
            .iter()
            .find(|name| *name == "main")
            .or(asked.first())
            .unwrap_or(&manifest.revision);
        HubName::new(&manifest.repository, revision, file)
    }

    pub(super) fn known_files(
        &self,
        wanted: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = KnownFile> {
        let files = self.manifest.files.iter();
        let model = move |path: &str| {
            let own = is_gguf(path).then_some(path);
            self.name(own).to_string()
        };
        files
            .filter(move |file| wanted(&file.path))
            .map(move |file| KnownFile {
                model: model(&file.path),
                path: self.folder.join(&file.path),
                bytes: file.size,
                sha256: file.sha256.clone(),
            })
    }

    /// What is loaded for a name, and the files of which it consists.
    fn choose(&self, name: &HubName) -> Result<(PathBuf, Vec<KnownFile>), StoreError> {
        let one = |path: &str| {
            let files = self.known_files(|known| known == path);
            (self.folder.join(path), files.collect())
        };
        if let Some(file) = name.file() {
            if self.manifest.files.iter().any(|known| known.path == file) {
                return Ok(one(file));
            }
            return Err(StoreError::NotPulled {
                name: name.to_string(),
                dir: self.folder.clone(),
            });
        }
        if self.manifest.has_safetensors() {
            let files = self.known_files(|path| !is_gguf(path));
            return Ok((self.folder.clone(), files.collect()));
        }
        let ggufs: Vec<&str> = self.manifest.ggufs().map(|file| &*file.path).collect();
        match ggufs[..] {
            [only] => Ok(one(only)),
            [] => Err(StoreError::NoModel {
                path: self.folder.clone(),
                missing: "GGUF file and no safetensors".to_owned(),
            }),
            _ => Err(StoreError::Ambiguous {
                name: name.to_string(),
                choices: ggufs
                    .iter()
                    .map(|file| format!("`{}`", self.name(Some(file))))
                    .collect(),
            }),
        }
    }
}
