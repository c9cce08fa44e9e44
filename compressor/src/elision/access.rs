//! Which files a call of a tool reads or changes.

use skinflint_protocol::json::{Document, JsonLimits, Value};

use super::shell;
use crate::origin::{SHELLS, words};

/// What a call does to files, as far as its name and arguments tell for sure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Access {
    /// It shows one.
    Read(Read),
    /// It changes these.
    Change(Vec<String>),
}

/// A look at a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Read {
    /// Names the file among all that tools can reach: two reads with the same one may be of the same file.
    pub(super) path: String,
    /// Which part of it; empty if the call names none.
    pub(super) range: String,
    /// What showed it.
    pub(super) tool: String,
    /// Whether the same path names the same file wherever it is used; not where a shell may have changed its directory.
    pub(super) is_located: bool,
}

/// Words of the name of a tool that changes files.
const CHANGES: [&str; 13] = [
    "edit",
    "editor",
    "multiedit",
    "write",
    "patch",
    "replace",
    "update",
    "create",
    "insert",
    "append",
    "delete",
    "remove",
    "rename",
];
/// Words of the name of a tool that shows a file, if its arguments name one.
const READS: [&str; 4] = ["read", "view", "open", "cat"];
/// Words that do so beside `contents` or `file`.
const GETS: [&str; 4] = ["get", "fetch", "load", "show"];
const FILES: [&str; 4] = ["file", "contents", "content", "blob"];
/// Arguments that are the path of a file.
const PATHS: [&str; 11] = [
    "path",
    "file_path",
    "filename",
    "file",
    "filePath",
    "filepath",
    "file_name",
    "notebook_path",
    "absolute_path",
    "relative_path",
    "target_file",
];
/// Arguments that say where the path is.
const PLACES: [&str; 6] = [
    "owner",
    "repo",
    "repository",
    "project",
    "project_id",
    "host",
];
/// Arguments that change nothing in what a read shows.
const REMARKS: [&str; 4] = ["command", "description", "explanation", "reason"];
/// Before the paths in a patch; what `diff` writes in their first part is no part of the path.
const PATCHED: [&str; 6] = [
    "*** Update File: ",
    "*** Add File: ",
    "*** Delete File: ",
    "*** Move to: ",
    "+++ b/",
    "--- a/",
];
/// Between the place and the path, where there is a place.
const BORDER: &str = ":/";

impl Access {
    /// Of a call of this tool with these arguments: a JSON object as text, or the patch itself.
    pub(super) fn of_call(tool: &str, arguments: &str) -> Option<Self> {
        let words = words(tool);
        let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
        let document = Document::parse(arguments.as_bytes(), JsonLimits::default()).ok();
        let object = document.as_ref().map(Document::root);
        if let Some(path) = object.and_then(path) {
            let object = object?;
            // Some editors have one tool for everything, and a command that says what.
            let views = text_of(object, "command").is_some_and(|name| READS.contains(&&*name));
            if has(&CHANGES) && !views {
                return Some(Self::Change(vec![path]));
            }
            let reads = views || has(&READS) || (has(&GETS) && has(&FILES));
            return reads.then(|| {
                Self::Read(Read {
                    path,
                    range: range(object),
                    tool: tool.to_owned(),
                    is_located: true,
                })
            });
        }
        // Shells also print patches and write them into files.
        let patches = ["apply", "patch"]
            .iter()
            .any(|word| arguments.contains(word));
        if has(&CHANGES) || (has(&SHELLS) && patches) {
            let paths = patched(object, arguments);
            if !paths.is_empty() {
                return Some(Self::Change(paths));
            }
        }
        if has(&SHELLS) {
            let object = object?;
            let directory = text_of(object, "workdir").or_else(|| text_of(object, "cwd"));
            return shell::access(tool, &command(object)?, directory.as_deref());
        }
        None
    }
}

impl Read {
    /// The path of the file, without the place where it is.
    pub(super) fn file(&self) -> &str {
        let path = self.path.split_once(BORDER).map(|(_, path)| path);
        path.unwrap_or(&self.path)
    }
}

/// A path without what makes no difference.
pub(super) fn normal(path: &str) -> String {
    let mut normal = String::new();
    if path.starts_with('/') {
        normal.push('/');
    }
    let parts = path.split('/');
    for part in parts.filter(|part| !part.is_empty() && *part != ".") {
        if !normal.is_empty() && normal != "/" {
            normal.push('/');
        }
        normal.push_str(part);
    }
    normal
}

fn text_of(object: Value<'_>, key: &str) -> Option<String> {
    let text = object.non_null(key)?.as_str()?;
    (!text.is_empty()).then(|| text.into_owned())
}

/// The file that the arguments name, with the place where it is.
fn path(object: Value<'_>) -> Option<String> {
    let path = PATHS.iter().find_map(|key| text_of(object, key))?;
    let path = normal(&path);
    let places: Vec<String> = PLACES
        .iter()
        .filter_map(|key| text_of(object, key))
        .collect();
    if path.is_empty() {
        return None;
    }
    // A border in every path but the plainest, so that no path has one that is none.
    if places.is_empty() && !path.contains(BORDER) {
        return Some(path);
    }
    Some(format!("{}{BORDER}{path}", places.join("/")))
}

/// All arguments of a read that say more than where the file is, as text; nobody has to know what they mean.
fn range(object: Value<'_>) -> String {
    let mut parts: Vec<String> = object
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, value)| {
            let is_known = [&PATHS[..], &PLACES, &REMARKS]
                .iter()
                .any(|keys| keys.contains(&&**key));
            !is_known && !value.is_null()
        })
        .map(|(key, value)| format!("{key}={}", value.raw()))
        .collect();
    parts.sort();
    parts.join(" ")
}

/// The command that a shell is to run; some take it in words.
fn command(object: Value<'_>) -> Option<String> {
    let value = ["command", "cmd", "script"]
        .iter()
        .find_map(|key| object.non_null(key))?;
    if let Some(text) = value.as_str() {
        return Some(text.into_owned());
    }
    let words: Option<Vec<String>> = value
        .as_array()?
        .map(|word| Some(word.as_str()?.into_owned()))
        .collect();
    let words = words?;
    match words.as_slice() {
        [_, option, script] if option.starts_with('-') && option.ends_with('c') => {
            Some(script.clone())
        }
        _ => Some(words.join(" ")),
    }
}

/// The files that patches in the arguments are of.
fn patched(object: Option<Value<'_>>, arguments: &str) -> Vec<String> {
    let mut texts = Vec::new();
    match object {
        // Some tools take the patch as it is.
        None => texts.push(arguments.to_owned()),
        Some(object) => {
            for (_, value) in object.as_object().into_iter().flatten() {
                texts.extend(value.as_str().map(std::borrow::Cow::into_owned));
                let words = value.as_array().into_iter().flatten();
                texts.extend(words.filter_map(|word| Some(word.as_str()?.into_owned())));
            }
        }
    }
    let mut paths = Vec::new();
    for line in texts.iter().flat_map(|text| text.lines()) {
        let path = PATCHED.iter().find_map(|start| line.strip_prefix(start));
        paths.extend(
            path.map(|path| normal(path.trim()))
                .filter(|path| !path.is_empty() && !paths.contains(path)),
        );
    }
    paths
}

#[cfg(test)]
mod tests;
