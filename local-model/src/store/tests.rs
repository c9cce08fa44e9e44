use std::fs;

use super::*;
use crate::checksum::Checksum;

/// A models folder with revisions of Hugging Face in it.
struct Models(tempfile::TempDir);

impl Models {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn dir(&self) -> &Path {
        self.0.path()
    }

    fn text(&self) -> String {
        self.dir().display().to_string()
    }

    /// A file with its own path as content.
    fn write(&self, path: &str) -> PathBuf {
        let at = self.dir().join(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(&at, path).unwrap();
        at
    }

    /// A whole revision of `a/b`.
    fn revision(&self, commit: &str, asked_as: &[&str], paths: &[&str]) -> PathBuf {
        let folder = format!("hub/a--b/{commit}");
        let files = paths.iter().map(|path| {
            let at = self.write(&format!("{folder}/{path}"));
            ManifestFile {
                path: (*path).to_owned(),
                size: at.metadata().unwrap().len(),
                sha256: Checksum::of_file(&at, &mut |_| ()).unwrap(),
            }
        });
        let manifest = Manifest {
            source: "https://hub.example".to_owned(),
            repository: "a/b".to_owned(),
            revision: commit.to_owned(),
            asked_as: asked_as.iter().map(|name| (*name).to_owned()).collect(),
            fetched: "2026-11-28T00:00:00Z".to_owned(),
            files: files.collect(),
        };
        let folder = self.dir().join(folder);
        manifest.write(&folder).unwrap();
        assert_eq!(Manifest::read(&folder).unwrap(), Some(manifest));
        folder
    }

    fn locate(&self, name: &str) -> Result<PathBuf, String> {
        let located = locate(name, self.dir());
        located.map_err(|error| error.to_string().replace(&self.text(), "MODELS"))
    }

    /// Name and state of everything but the catalogue.
    fn listed(&self) -> Vec<(String, State)> {
        let listed = inventory(self.dir()).unwrap().into_iter();
        listed
            .skip(crate::CATALOG.len())
            .map(|listed| (listed.name.replace(&self.text(), "MODELS"), listed.state))
            .collect()
    }

    /// The paths that went.
    fn remove(&self, name: &str) -> Result<Vec<String>, String> {
        let show = |text: String| text.replace(&self.text(), "MODELS");
        let removed = remove(name, self.dir()).map_err(|error| show(error.to_string()))?;
        let paths = removed.iter().map(|removed| removed.path.display());
        Ok(paths.map(|path| show(path.to_string())).collect())
    }
}

const ONE: &str = "1111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222";
const WHOLE: [&str; 3] = ["config.json", "tokenizer.json", "model.safetensors"];

#[test]
fn a_repository_is_found_by_branch_tag_and_commit() {
    let models = Models::new();
    assert_eq!(
        models.locate("a/b").unwrap_err(),
        "model `a/b` is not in MODELS; fetch it with `skinflint models pull a/b`"
    );
    let one = models.revision(ONE, &["v1"], &WHOLE);
    assert_eq!(
        models.locate("a/b").unwrap_err(),
        "of `a/b` there is no revision `main` here, only `a/b@v1`; fetch it with `skinflint models pull a/b@main`"
    );
    let two = models.revision(TWO, &["main", "v2"], &WHOLE);
    for (name, folder) in [
        ("a/b", &two),
        ("a/b@v2", &two),
        ("a/b@2222222", &two),
        ("a/b@v1", &one),
        (&format!("a/b@{ONE}"), &one),
    ] {
        assert_eq!(models.locate(name).as_ref(), Ok(folder), "{name}");
    }
    // Fewer digits than git takes could be a tag.
    assert!(models.locate("a/b@222222").is_err());
}

#[test]
fn gguf_files_are_found_by_name_or_alone() {
    let models = Models::new();
    let folder = models.revision(ONE, &["main"], &["q4.gguf"]);
    assert_eq!(models.locate("a/b").unwrap(), folder.join("q4.gguf"));
    assert_eq!(
        models.locate("a/b:q4.gguf").unwrap(),
        folder.join("q4.gguf")
    );
    let folder = models.revision(ONE, &["main"], &["q4.gguf", "big/q8.gguf"]);
    assert_eq!(
        models.locate("a/b").unwrap_err(),
        "`a/b` is several models; name one of `a/b:q4.gguf`, `a/b:big/q8.gguf`"
    );
    let q8 = folder.join("big/q8.gguf");
    assert_eq!(models.locate("a/b:big/q8.gguf").unwrap(), q8);
    let missing = models.locate("a/b:q2.gguf").unwrap_err();
    assert!(
        missing.contains("`skinflint models pull a/b:q2.gguf`"),
        "{missing}"
    );
}

#[test]
fn a_file_that_is_missing_cut_short_or_changed_is_named() {
    let models = Models::new();
    let folder = models.revision(ONE, &["main"], &WHOLE);
    let weights = folder.join("model.safetensors");
    let right = fs::read(&weights).unwrap();
    fs::write(&weights, &right[1..]).unwrap();
    let path = format!("MODELS/hub/a--b/{ONE}/model.safetensors");
    assert_eq!(
        models.locate("a/b").unwrap_err(),
        format!(
            "{path} has {} bytes, expected {}; `skinflint models pull a/b` fetches it again",
            right.len() - 1,
            right.len()
        )
    );
    assert_eq!(models.listed(), [("a/b".to_owned(), State::Damaged)]);
    fs::remove_file(&weights).unwrap();
    assert_eq!(
        models.locate("a/b").unwrap_err(),
        format!("{path} is missing; `skinflint models pull a/b` fetches it")
    );
    // The right size is all that loading looks at.
    fs::write(&weights, vec![b'x'; right.len()]).unwrap();
    assert_eq!(models.locate("a/b").unwrap(), folder);
    let verified = known_files("a/b", models.dir()).unwrap().into_iter();
    let faults: Vec<_> = verified
        .filter_map(|file| file.verify(&mut |_| ()).err())
        .collect();
    assert!(
        matches!(&faults[..], [StoreError::WrongChecksum { path, .. }] if *path == weights),
        "{faults:?}"
    );
    fs::write(folder.join("skinflint.json"), "{").unwrap();
    let damaged = models.locate("a/b").unwrap_err();
    assert!(damaged.contains("skinflint.json is damaged"), "{damaged}");
    assert_eq!(models.listed(), [("a/b".to_owned(), State::Damaged)]);
    models.remove("a/b").unwrap();
    assert_eq!(models.listed(), []);
}

#[test]
fn a_manifest_that_leads_out_of_its_folder_is_refused() {
    let models = Models::new();
    let folder = models.revision(ONE, &["main"], &["q4.gguf"]);
    let path = folder.join("skinflint.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("q4.gguf", "../../../x.gguf")).unwrap();
    let refused = models.locate("a/b").unwrap_err();
    assert!(refused.ends_with("leads out of the folder"), "{refused}");
}

#[test]
fn everything_in_the_folder_is_listed_and_can_be_removed_by_what_it_is_called() {
    let models = Models::new();
    models.revision(ONE, &["main"], &["q4.gguf", "q8.gguf"]);
    models.write(&format!("hub/a--b/{ONE}/q2.gguf.part"));
    models.write(&format!("hub/a--b/{TWO}/model.safetensors.part"));
    models.write("own.gguf");
    models.write("other.part");
    models.write(".pull-gone/x.whl");
    models.write("notes.txt");
    let unfinished = format!("a/b@{ONE}:q2.gguf");
    let partly = format!("a/b@{TWO}");
    let names = |listed: Vec<(String, State)>| -> Vec<String> {
        listed.into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(
        models.listed(),
        [
            ("a/b:q4.gguf".to_owned(), State::Here),
            ("a/b:q8.gguf".to_owned(), State::Here),
            (unfinished.clone(), State::Partly),
            (partly.clone(), State::Partly),
            ("MODELS/.pull-gone".to_owned(), State::Partly),
            ("MODELS/other.part".to_owned(), State::Partly),
            ("MODELS/own.gguf".to_owned(), State::Here),
        ]
    );
    for (name, path) in [
        ("a/b:q8.gguf", format!("hub/a--b/{ONE}/q8.gguf")),
        (&unfinished, format!("hub/a--b/{ONE}/q2.gguf.part")),
        (&partly, format!("hub/a--b/{TWO}")),
        ("MODELS/other.part", "other.part".to_owned()),
        ("MODELS/.pull-gone", ".pull-gone".to_owned()),
    ] {
        let removed = models.remove(&name.replace("MODELS", &models.text()));
        assert_eq!(removed.unwrap(), [format!("MODELS/{path}")], "{name}");
    }
    assert_eq!(names(models.listed()), ["a/b:q4.gguf", "MODELS/own.gguf"]);
    models.remove("a/b:q4.gguf").unwrap();
    assert!(!models.dir().join("hub/a--b").exists());
    assert_eq!(
        models.remove("a/b").unwrap_err(),
        "there is nothing of `a/b` in MODELS"
    );
}

#[test]
fn nothing_outside_the_folder_is_removed() {
    let models = Models::new();
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("precious.gguf");
    fs::write(&file, "precious").unwrap();
    let link = models.dir().join("link.gguf");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let folder_link = models.dir().join("linked");
    std::os::unix::fs::symlink(outside.path(), &folder_link).unwrap();
    for path in [
        file.clone(),
        models.dir().to_path_buf(),
        models.dir().join(".."),
        models.dir().join("hub/../.."),
        folder_link.join("precious.gguf"),
    ] {
        let error = models.remove(&path.display().to_string()).unwrap_err();
        assert!(
            error.contains("is not in the models folder") || error.contains("there is nothing of"),
            "{error}"
        );
        assert!(file.exists());
    }
    // A link goes, and not what it leads to.
    models.remove(&link.display().to_string()).unwrap();
    models.remove(&folder_link.display().to_string()).unwrap();
    assert!(file.exists() && !link.exists() && !folder_link.exists());
}

/// A safetensors file with one tensor of four bytes.
fn safetensors() -> Vec<u8> {
    let header =
        r#"{"__metadata__":{"format":"pt"},"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.extend_from_slice(&[0; 4]);
    file
}

#[test]
fn a_folder_of_ones_own_is_checked_to_the_last_byte() {
    let models = Models::new();
    let folder = models.dir().join("own");
    let path = folder.display().to_string();
    assert!(
        models
            .locate(&path)
            .unwrap_err()
            .starts_with("`MODELS/own` is neither")
    );
    models.write("own/config.json");
    assert_eq!(
        models.locate(&path).unwrap_err(),
        "the folder MODELS/own is no model: it has no tokenizer.json"
    );
    models.write("own/tokenizer.json");
    assert_eq!(
        models.locate(&path).unwrap_err(),
        "the folder MODELS/own is no model: it has no file that ends in .safetensors"
    );
    let weights = folder.join("model.safetensors");
    let whole = safetensors();
    fs::write(&weights, &whole).unwrap();
    assert_eq!(models.locate(&path).unwrap(), folder);
    for length in 0..whole.len() {
        fs::write(&weights, &whole[..length]).unwrap();
        let told = models.locate(&path).unwrap_err();
        assert!(told.starts_with("MODELS/own/model.safetensors"), "{told}");
    }
    fs::write(&weights, [&whole[..], b"x"].concat()).unwrap();
    assert!(
        models
            .locate(&path)
            .unwrap_err()
            .contains("its header announces")
    );
    fs::write(&weights, [0xff; 16]).unwrap();
    assert!(models.locate(&path).unwrap_err().contains("is damaged"));

    let index = r#"{"weight_map":{"x":"model-1.safetensors","y":"model-2.safetensors"}}"#;
    fs::write(folder.join("model.safetensors.index.json"), index).unwrap();
    fs::write(folder.join("model-1.safetensors"), &whole).unwrap();
    assert_eq!(
        models.locate(&path).unwrap_err(),
        "the folder MODELS/own is no model: it has no model-2.safetensors"
    );
}

#[test]
fn paths_and_names_are_told_apart() {
    for path in [
        "/x", "./x", "../x", ".", "..", "x.gguf", "a/b.GGUF", "./a/b:c",
    ] {
        assert!(is_path(path), "{path}");
    }
    for name in ["gemma-3-270m", "a/b", "a/b@v1", "a/b:q4.gguf", ".hidden"] {
        assert!(!is_path(name), "{name}");
    }
    let models = Models::new();
    let file = models.write("own.gguf");
    assert_eq!(models.locate(&file.display().to_string()).unwrap(), file);
    for name in ["no-such-model", "./no/such/path", "a b/c"] {
        let unknown = models.locate(name).unwrap_err();
        assert!(
            unknown.contains("is neither a model of the catalogue"),
            "{unknown}"
        );
    }
    assert!(matches!(
        known_files(&file.display().to_string(), models.dir()),
        Err(StoreError::NoChecksum { .. })
    ));
}
