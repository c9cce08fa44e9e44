use super::*;

fn read(tool: &str, arguments: &str) -> Option<(String, String)> {
    match Access::of_call(tool, arguments) {
        Some(Access::Read(read)) => Some((read.path, read.range)),
        _ => None,
    }
}

fn changes(tool: &str, arguments: &str) -> Vec<String> {
    match Access::of_call(tool, arguments) {
        Some(Access::Change(paths)) => paths,
        _ => Vec::new(),
    }
}

fn shell(command: &str) -> Option<(String, String)> {
    read("Bash", &format!(r#"{{"command":"{command}"}}"#))
}

fn whole(path: &str) -> (String, String) {
    part(path, "")
}

fn part(path: &str, range: &str) -> (String, String) {
    (path.to_owned(), range.to_owned())
}

#[test]
fn reads_are_told_by_names_and_paths() {
    for (tool, arguments) in [
        ("Read", r#"{"file_path":"/w/a.rs"}"#),
        ("read_file", r#"{"path":"/w//./a.rs","explanation":"x"}"#),
        ("NotebookRead", r#"{"notebook_path":"/w/a.rs"}"#),
        ("mcp__files__read_text_file", r#"{"filename":"/w/a.rs"}"#),
        ("fs.open", r#"{"file":"/w/a.rs","limit":null}"#),
        (
            "str_replace_editor",
            r#"{"command":"view","path":"/w/a.rs"}"#,
        ),
    ] {
        assert_eq!(read(tool, arguments), Some(whole("/w/a.rs")), "{tool}");
    }
    for (tool, arguments) in [
        ("Grep", r#"{"path":"/w/a.rs"}"#),
        ("read_inbox", r#"{"user":"a"}"#),
        ("Read", r#"{"file_path":""}"#),
        ("Read", r#"{"file_path":3}"#),
        ("Read", "no JSON"),
        ("Read", "[]"),
        ("", ""),
    ] {
        assert_eq!(Access::of_call(tool, arguments), None, "{tool}");
    }
}

#[test]
fn parts_of_files_are_told_apart() {
    let first = r#"{"offset":10,"file_path":"a","limit":5}"#;
    let second = r#"{"file_path":"./a","limit":5,"offset":10}"#;
    assert_eq!(read("Read", first), Some(part("a", "limit=5 offset=10")));
    assert_eq!(read("Read", first), read("Read", second));
    let view = r#"{"command":"view","path":"a","view_range":[1,9]}"#;
    assert_eq!(
        read("str_replace_based_edit_tool", view),
        Some(part("a", "view_range=[1,9]"))
    );
}

#[test]
fn the_place_is_part_of_the_file() {
    let call = r#"{"owner":"o","repo":"r","path":"README.md","ref":"main"}"#;
    let Some(Access::Read(read)) = Access::of_call("get_file_contents", call) else {
        panic!("not a read");
    };
    assert_eq!(read.path, "o/r:/README.md");
    assert_eq!(read.file(), "README.md");
    assert_eq!(read.range, "ref=\"main\"");
    let Some(Access::Read(read)) = Access::of_call("Read", r#"{"path":"C:/a.rs"}"#) else {
        panic!("not a read");
    };
    assert_eq!(read.file(), "C:/a.rs");
}

#[test]
fn changes_are_told_by_names_and_patches() {
    for (tool, arguments) in [
        ("Edit", r#"{"file_path":"a.rs","old_string":"x"}"#),
        ("MultiEdit", r#"{"file_path":"a.rs"}"#),
        (
            "Write",
            r#"{"file_path":"a.rs","content":"*** Update File: b.rs\n+++ b/c"}"#,
        ),
        ("NotebookEdit", r#"{"notebook_path":"a.rs"}"#),
        (
            "str_replace_based_edit_tool",
            r#"{"command":"insert","path":"a.rs"}"#,
        ),
        (
            "apply_patch",
            "*** Begin Patch\n*** Update File: a.rs\n@@\n-a\n+b\n*** End Patch",
        ),
        (
            "shell",
            r#"{"command":["apply_patch","*** Begin Patch\n*** Update File: a.rs\n"]}"#,
        ),
        ("Bash", r#"{"command":"sed -i s/a/b/ a.rs"}"#),
    ] {
        assert_eq!(changes(tool, arguments), ["a.rs"], "{tool}");
    }
    let patch = r#"{"patch":"--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n--- a/y\n+++ b/z"}"#;
    assert_eq!(changes("patch", patch), ["x.c", "y", "z"]);
    let printed = r#"{"command":"cat <<E > notes\n*** Update File: a.rs\nE"}"#;
    assert!(changes("Bash", printed).is_empty());
}

#[test]
fn plain_commands_show_files() {
    assert_eq!(shell("cat src/main.rs"), Some(whole("src/main.rs")));
    assert_eq!(shell("cat -n 'a b.rs'"), Some(whole("a b.rs")));
    assert_eq!(shell("sed -n '1,20p' a.py"), Some(part("a.py", "1,20p")));
    assert_eq!(shell("sed -n '5,$p' a.py"), Some(part("a.py", "5,$p")));
    assert_eq!(shell("cd /w && head -20 a"), Some(part("/w/a", "head -20")));
    assert_eq!(shell("tail -n 5 ./a"), Some(part("a", "tail -n 5")));
    let codex = r#"{"command":["bash","-lc","cat a.rs"],"workdir":"/w"}"#;
    assert_eq!(read("shell", codex), Some(whole("/w/a.rs")));
    assert_eq!(
        read("exec", r#"{"cmd":["cat","/w/a.rs"]}"#),
        Some(whole("/w/a.rs"))
    );
    for command in [
        "cat a b",
        "cat a | wc",
        "cat a; cat b",
        "cat *.rs",
        "cat $F",
        "cat \\\"$F\\\"",
        "cat a > b",
        "cat a&",
        "cat 'a",
        "cat ~/a",
        "cat -A",
        "cd /w && cat ''",
        "sed -n /x/p a",
        "sed s/a/b/ a",
        "cargo test",
        "cat",
        "",
    ] {
        assert_eq!(shell(command), None, "{command}");
    }
}

#[test]
fn a_relative_path_of_a_shell_may_be_of_any_directory() {
    let is_located = |call: &str| match Access::of_call("Bash", call) {
        Some(Access::Read(read)) => read.is_located,
        _ => panic!("not a read"),
    };
    assert!(!is_located(r#"{"command":"cat a"}"#));
    assert!(!is_located(r#"{"command":"cd b && cat a"}"#));
    assert!(is_located(r#"{"command":"cat /a"}"#));
    assert!(is_located(r#"{"command":"cat a","workdir":"/w"}"#));
}

#[test]
fn paths_lose_what_makes_no_difference() {
    for (path, plain) in [
        ("./a", "a"),
        ("a//b/", "a/b"),
        ("/a/./b", "/a/b"),
        ("/", "/"),
        (".", ""),
        ("../a", "../a"),
        ("", ""),
    ] {
        assert_eq!(normal(path), plain);
    }
}
