//! What is in the models folder.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::hub::{self, HUB, PART, Revision};
use super::{HubName, StoreError, folder, is_gguf};
use crate::catalog::{CATALOG, CatalogEntry, Purpose};
use crate::pull::work_folder;

/// A model that could be here, or something that lies in the models folder.
#[derive(Debug)]
pub struct Listed {
    /// What commands take for it: a name, or a path.
    pub name: String,
    /// What it is for, as far as it says.
    pub purpose: Option<Purpose>,
    /// Bytes of the whole model; of what is here, if it is not known how large the whole is.
    pub bytes: u64,
    /// Whether it is here.
    pub state: State,
    /// Where it lies, or would.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Option<StoreError>,
}

/// Whether a model is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Whole, by the sizes of its files.
    Here,
    /// Some of it; fetching it again goes on from there.
    Partly,
    /// Not at all.
    Absent,
    /// A file is missing or has another size.
    Damaged,
}

/// Models of the catalogue, then those of Hugging Face, then other models and left-overs in the models folder `dir`.
pub fn inventory(dir: &Path) -> Result<Vec<Listed>, StoreError> {
    let mut listed: Vec<Listed> = CATALOG
        .iter()
        .map(|entry| of_catalogue(entry, dir))
        .collect();
    for folder in hub::entries(&dir.join(HUB))? {
        if let Some(repository) = hub::repository_of(&folder) {
            of_repository(&repository, &folder, dir, &mut listed)?;
        }
    }
    for path in hub::entries(dir)? {
        listed.extend(other(path, dir));
    }
    Ok(listed)
}

fn of_catalogue(entry: &CatalogEntry, dir: &Path) -> Listed {
    let fault = match entry.locate_in(dir) {
        Ok(_) | Err(StoreError::NotPulled { .. }) => None,
        Err(fault) => Some(fault),
    };
    let path = entry.path_in(dir);
    let state = match fault {
        Some(_) => State::Damaged,
        None if path.exists() => State::Here,
        None if work_folder(entry, dir).exists() => State::Partly,
        None => State::Absent,
    };
    Listed {
        name: entry.name.to_owned(),
        purpose: Some(entry.purpose),
        bytes: entry.bytes(),
        state,
        path,
        fault,
    }
}

fn of_repository(
    repository: &str,
    folder: &Path,
    dir: &Path,
    listed: &mut Vec<Listed>,
) -> Result<(), StoreError> {
    let revisions = match hub::revisions(repository, dir) {
        Ok(revisions) => revisions,
        Err(fault) => {
            listed.push(Listed {
                name: repository.to_owned(),
                purpose: None,
                bytes: size_of(folder),
                state: State::Damaged,
                path: folder.to_path_buf(),
                fault: Some(fault),
            });
            return Ok(());
        }
    };
    for revision in &revisions {
        of_revision(revision, listed);
    }
    let whole = |folder: &PathBuf| revisions.iter().any(|revision| revision.folder == *folder);
    for folder in hub::entries(folder)? {
        let left_over = if whole(&folder) {
            part_files(&folder)
        } else {
            vec![folder.clone()]
        };
        for path in left_over {
            let commit = folder.file_name().unwrap_or_default().to_string_lossy();
            let file = path.strip_prefix(&folder).ok();
            let file = file.map(|file| file.to_string_lossy().trim_end_matches(PART).to_owned());
            let file = file.filter(|file| !file.is_empty());
            listed.push(Listed {
                name: HubName::new(repository, &commit, file.as_deref()).to_string(),
                purpose: None,
                bytes: size_of(&path),
                state: State::Partly,
                path,
                fault: None,
            });
        }
    }
    Ok(())
}

/// A row for a model in the safetensors format, and one for each GGUF file.
fn of_revision(revision: &Revision, listed: &mut Vec<Listed>) {
    let manifest = &revision.manifest;
    let mut row = |file: Option<&str>, purpose, path: PathBuf| {
        let files = revision.known_files(|path| match file {
            Some(file) => path == file,
            None => !is_gguf(path),
        });
        let files: Vec<_> = files.collect();
        let fault = files.iter().find_map(|file| file.check_size().err());
        listed.push(Listed {
            name: revision.name(file).to_string(),
            purpose,
            bytes: files.iter().map(|file| file.bytes).sum(),
            state: if fault.is_some() {
                State::Damaged
            } else {
                State::Here
            },
            path,
            fault,
        });
    };
    if manifest.has_safetensors() {
        let folder = &revision.folder;
        row(None, purpose_of(folder), folder.clone());
    }
    for file in manifest.ggufs() {
        row(
            Some(&file.path),
            Some(Purpose::Generate),
            revision.folder.join(&file.path),
        );
    }
}

/// A model that somebody put at the top of the folder, or what a broken download left.
fn other(path: PathBuf, dir: &Path) -> Option<Listed> {
    let name = path.file_name()?.to_str()?;
    let of_catalogue =
        |entry: &CatalogEntry| entry.path_in(dir) == path || work_folder(entry, dir) == path;
    if name == HUB || CATALOG.iter().any(of_catalogue) {
        return None;
    }
    let is_folder = path.is_dir();
    let left_over = name.ends_with(PART) || name.starts_with(".pull-");
    let gguf = !is_folder && is_gguf(name);
    let (state, fault) = if left_over {
        (State::Partly, None)
    } else if gguf {
        (State::Here, None)
    } else if is_folder && !name.starts_with('.') {
        let fault = folder::check(&path).err();
        (
            fault.as_ref().map_or(State::Here, |_| State::Damaged),
            fault,
        )
    } else {
        return None;
    };
    let purpose = match (state, gguf) {
        (State::Partly, _) => None,
        (_, true) => Some(Purpose::Generate),
        (_, false) => purpose_of(&path),
    };
    Some(Listed {
        name: path.display().to_string(),
        purpose,
        bytes: size_of(&path),
        state,
        path,
        fault,
    })
}

/// The unfinished files below a folder.
fn part_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in hub::entries(folder).unwrap_or_default() {
        if path.is_dir() {
            found.extend(part_files(&path));
        } else if path.to_string_lossy().ends_with(PART) {
            found.push(path);
        }
    }
    found
}

/// Bytes of a file, or of all files below a folder; links are not followed.
pub(crate) fn size_of(path: &Path) -> u64 {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => {
            let entries = hub::entries(path).unwrap_or_default();
            entries.iter().map(|path| size_of(path)).sum()
        }
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    }
}

/// What a model in the safetensors format is for, by what its `config.json` calls its class.
fn purpose_of(folder: &Path) -> Option<Purpose> {
    #[derive(Deserialize)]
    struct Configured {
        #[serde(default)]
        architectures: Vec<String>,
    }
    let text = fs::read(folder.join("config.json")).ok()?;
    let configured: Configured = serde_json::from_slice(&text).ok()?;
    let class = configured.architectures.first()?;
    if class.ends_with("ForCausalLM") || class.ends_with("ForConditionalGeneration") {
        Some(Purpose::Generate)
    } else if class.ends_with("ForTokenClassification") {
        Some(Purpose::Classify)
    } else if class.ends_with("Model") {
        Some(Purpose::Embed)
    } else {
        None
    }
}
