use std::fs;

use serde_json::json;

use super::*;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn name(text: &str) -> HubName {
    HubName::parse(text).unwrap()
}

/// A hub's answer about a repository with these files, of one byte each.
fn listing(of: &HubName, paths: &[&str]) -> HubListing {
    let sibling = |path: &&str| json!({ "rfilename": path, "size": 1, "blobId": "ignored" });
    let siblings: Vec<_> = paths.iter().map(sibling).collect();
    let answer = json!({ "id": of.repository(), "sha": COMMIT, "siblings": siblings });
    HubListing::parse(of, answer.to_string().as_bytes()).unwrap()
}

fn chosen(of: &str, paths: &[&str]) -> Result<Vec<String>, String> {
    let of = name(of);
    let files = listing(&of, paths).choose(&of);
    let files = files.map_err(|error| error.to_string())?;
    Ok(files.into_iter().map(|file| file.path).collect())
}

#[test]
fn of_safetensors_everything_that_belongs_to_them_is_taken_and_nothing_else() {
    let taken = chosen(
        "a/b",
        &[
            ".gitattributes",
            "README.md",
            "model.safetensors",
            "consolidated.safetensors",
            "pytorch_model.bin",
            "onnx/model.onnx",
            "onnx/model.safetensors",
            "tokenizer.json",
            "config.json",
            "1_Pooling/config.json",
            "modules.json",
        ],
    );
    assert_eq!(
        taken.unwrap(),
        [
            "config.json",
            "tokenizer.json",
            "modules.json",
            "1_Pooling/config.json",
            "model.safetensors"
        ]
    );
    let sharded = [
        "config.json",
        "tokenizer.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
        "model.Q4.gguf",
    ];
    assert_eq!(
        chosen("a/b", &sharded).unwrap()[2..],
        [
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json"
        ]
    );
}

#[test]
fn a_gguf_file_is_taken_by_name() {
    let files = ["q4.gguf", "big/q8.gguf", "config.json"];
    assert_eq!(chosen("a/b:big/q8.gguf", &files).unwrap(), ["big/q8.gguf"]);
    for (of, error) in [
        (
            "a/b",
            "`a/b` has GGUF files; name one of them: `a/b:q4.gguf`, `a/b:big/q8.gguf`",
        ),
        (
            "a/b@v1:q8.gguf",
            "`a/b` has no file `q8.gguf`; it has `q4.gguf`, `big/q8.gguf`",
        ),
        (
            "a/b:config.json",
            "`config.json` is no GGUF file; of safetensors a whole repository is fetched, by `a/b` alone",
        ),
    ] {
        assert_eq!(chosen(of, &files).unwrap_err(), error);
    }
}

#[test]
fn a_repository_that_cannot_be_loaded_is_refused_before_anything_is_fetched() {
    assert_eq!(
        chosen("a/b", &["config.json", "pytorch_model.bin"]).unwrap_err(),
        "`a/b` has neither safetensors nor a GGUF file"
    );
    assert_eq!(
        chosen("a/b", &["config.json", "model.safetensors"]).unwrap_err(),
        "`a/b` has no tokenizer.json, without which its weights cannot be loaded"
    );
}

#[test]
fn a_listing_is_not_trusted() {
    let of = name("a/b");
    let parse = |answer: serde_json::Value| {
        let listing = HubListing::parse(&of, answer.to_string().as_bytes());
        listing.map_err(|error| error.to_string())
    };
    let file = |path: &str| json!({ "rfilename": path, "size": 1 });
    let hostile = [
        "../x.gguf",
        "/etc/x.gguf",
        "a/../x.gguf",
        "a\\x.gguf",
        "x\u{1b}.gguf",
        "",
    ];
    let siblings: Vec<_> = hostile.iter().map(|path| file(path)).collect();
    let sound = parse(json!({ "sha": COMMIT, "siblings": siblings })).unwrap();
    assert_eq!(sound.files, []);
    for (answer, error) in [
        (json!({ "error": "nothing" }), "missing field `sha`"),
        (json!({ "sha": "../../..", "siblings": [] }), "is no commit"),
        (
            json!({ "sha": COMMIT, "siblings": [{ "rfilename": "x.gguf" }] }),
            "it states no size of \"x.gguf\"",
        ),
        (
            json!({ "sha": COMMIT, "siblings": [{ "rfilename": "x", "size": 1, "lfs": { "sha256": "0" } }] }),
            "is no checksum of \"x\"",
        ),
    ] {
        let told = parse(answer).unwrap_err();
        assert!(told.contains(error), "{told}");
    }
}

#[test]
fn addresses_are_those_of_the_hub() {
    let of = name("a/b@refs/pr/1");
    assert_eq!(
        of.listing_path(),
        ["api", "models", "a", "b", "revision", "refs/pr/1"]
    );
    assert_eq!(
        of.file_path(COMMIT, "1_Pooling/config.json"),
        ["a", "b", "resolve", COMMIT, "1_Pooling", "config.json"]
    );
}

#[test]
fn two_do_not_fetch_the_same_revision() {
    let dir = tempfile::tempdir().unwrap();
    let of = name("a/b:q4.gguf");
    let listing = listing(&of, &["q4.gguf"]);
    let begin = || {
        let files = listing.choose(&of).unwrap();
        HubPull::begin(&of, "https://hub.example", &listing, files, dir.path())
    };
    let first = begin().unwrap();
    assert!(matches!(begin().unwrap_err(), PullError::Busy { .. }));
    drop(first);
    drop(begin().unwrap());
    // Nothing was fetched.
    assert_eq!(fs::read_dir(dir.path().join("hub")).unwrap().count(), 0);
}

#[test]
fn more_than_the_disk_has_is_refused_before_anything_is_fetched() {
    let dir = tempfile::tempdir().unwrap();
    let of = name("a/b:q4.gguf");
    let mut listing = listing(&of, &["q4.gguf"]);
    listing.files[0].size = u64::MAX / 2;
    let files = listing.choose(&of).unwrap();
    let error = HubPull::begin(&of, "", &listing, files, dir.path()).unwrap_err();
    assert!(matches!(error, PullError::NoRoom(_)), "{error}");
}

#[test]
fn a_size_that_the_hub_did_not_state_is_thrown_away() {
    let dir = tempfile::tempdir().unwrap();
    let of = name("a/b:q4.gguf");
    let listing = listing(&of, &["q4.gguf"]);
    let files = listing.choose(&of).unwrap();
    let pull = HubPull::begin(&of, "", &listing, files, dir.path()).unwrap();
    let wanted = pull.missing().next().unwrap().clone();
    fs::write(&wanted.part, "xx").unwrap();
    let error = pull.keep(&wanted).unwrap_err();
    assert!(
        matches!(error, PullError::Mismatch { bytes: 2, .. }),
        "{error}"
    );
    assert!(!wanted.part.exists() && !wanted.path.exists());
    fs::write(&wanted.part, "x").unwrap();
    pull.keep(&wanted).unwrap();
    assert_eq!(pull.missing().count(), 0);
}
