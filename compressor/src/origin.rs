//! Where a text comes from, as far as it matters for what may be done to it: [`Origin`].

/// What the call of a tool says about its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The bytes of a file, or a difference of files, that the agent may be about to edit: its edits must
    /// match them, so nothing may be changed.
    Verbatim,
    /// Anything else.
    Other,
}

/// Words of a tool's name that say that it shows or changes files.
const EDITS: [&str; 8] = [
    "cat", "edit", "editor", "patch", "diff", "notebook", "write", "blob",
];
/// Words that do so beside one of [`FILES`], or as the whole name.
const READS: [&str; 7] = ["read", "view", "open", "get", "fetch", "load", "show"];
const FILES: [&str; 8] = [
    "file", "files", "content", "contents", "source", "code", "lines", "document",
];
/// Words of the name of a tool that runs commands.
pub(crate) const SHELLS: [&str; 9] = [
    "bash", "shell", "sh", "exec", "execute", "run", "command", "terminal", "cmd",
];
/// Commands that print files, or differences of files, as they are.
const PRINTERS: [&str; 20] = [
    "cat", "bat", "sed", "awk", "head", "tail", "less", "more", "nl", "tac", "xxd", "od",
    "hexdump", "diff", "patch", "cut", "jq", "yq", "tee", "type",
];
/// Commands of git that do.
const GIT_PRINTERS: [&str; 6] = ["diff", "show", "blame", "log", "cat-file", "stash"];

impl Origin {
    /// Of the result of a call of this tool with these arguments, a JSON object as text.
    ///
    /// Names are split at everything but letters and digits and where capitals begin. What looks as if it
    /// could show a file is [`Origin::Verbatim`]: a mistake there costs some tokens, the other one an edit.
    pub fn of_call(tool: &str, arguments: &str) -> Self {
        let words = words(tool);
        let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
        let is_read = words
            .last()
            .is_some_and(|last| ["read", "view", "open"].contains(&last.as_str()));
        if has(&EDITS) || is_read || (has(&READS) && has(&FILES)) {
            return Self::Verbatim;
        }
        if has(&SHELLS) && prints_files(arguments) {
            return Self::Verbatim;
        }
        Self::Other
    }
}

/// The words of a name, in lower case.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut goes_on = false;
    let mut was_lower = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() {
            goes_on = false;
            continue;
        }
        let begins = letter.is_uppercase() && was_lower;
        match words.last_mut() {
            Some(word) if goes_on && !begins => word.extend(letter.to_lowercase()),
            _ => words.push(letter.to_lowercase().collect()),
        }
        goes_on = true;
        was_lower = letter.is_lowercase();
    }
    words
}

/// Whether any word of a command, wherever it stands in the arguments, is one that prints files. Words end
/// at everything that cannot be in the name of a command, quotes and escapes of JSON included.
fn prints_files(arguments: &str) -> bool {
    let is_in_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let mut after_git = false;
    // What `\n` in a JSON string leaves of itself must not become part of the next word.
    let plain = arguments.replace("\\n", " ").replace("\\t", " ");
    plain
        .split(|letter: char| !is_in_name(letter))
        .filter(|word| !word.is_empty())
        .any(|word| {
            // Options of git, with their values, stand before its command.
            after_git |= word == "git";
            PRINTERS.contains(&word) || (after_git && GIT_PRINTERS.contains(&word))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tool: &str, command: &str) -> Origin {
        Origin::of_call(tool, &format!(r#"{{"command":"{command}"}}"#))
    }

    #[test]
    fn tools_that_show_files_are_left_alone() {
        for tool in [
            "Read",
            "NotebookRead",
            "read_file",
            "mcp__filesystem__read_text_file",
            "get_file_contents",
            "str_replace_editor",
            "view",
            "fs.open",
            "apply_patch",
            "fetchFile",
        ] {
            assert_eq!(of(tool, ""), Origin::Verbatim, "{tool}");
        }
        for tool in ["Grep", "get_user_details", "search", "read_inbox", "Glob"] {
            assert_eq!(of(tool, ""), Origin::Other, "{tool}");
        }
    }

    #[test]
    fn commands_that_print_files_are_left_alone() {
        for command in [
            "cat src/main.rs",
            "cd /work && sed -n 1,20p a.py",
            "git -C repo diff HEAD~1",
            "git -C repo show HEAD",
            "find . -name x | xargs head -3",
            "ls\\ncat a",
            "(cat a)",
        ] {
            assert_eq!(of("Bash", command), Origin::Verbatim, "{command}");
            assert_eq!(of("local_shell", command), Origin::Verbatim, "{command}");
        }
        for command in [
            "cargo test",
            "ls -la",
            "git status",
            "rg concat src",
            "pytest -q",
        ] {
            assert_eq!(of("Bash", command), Origin::Other, "{command}");
        }
        let codex = Origin::of_call("shell", r#"{"command":["bash","-lc","cat a.rs"]}"#);
        assert_eq!(codex, Origin::Verbatim);
        assert_eq!(of("get_weather", "cat"), Origin::Other);
    }
}
