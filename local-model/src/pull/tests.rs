use std::io::{Cursor, Write};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::catalog::{CatalogFile, Layout, Part, Purpose};
use crate::store::{StoreError, locate};

const PARTS: [&[u8]; 2] = [b"the first part, ", b"the second part"];
const CONFIG: &[u8] = b"{}";

const ONE: Package = Package {
    name: "tiny-part1",
    version: "1.0.0",
};
const TWO: Package = Package {
    name: "tiny-part2",
    version: "1.0.0",
};

const WEIGHTS: CatalogFile = CatalogFile {
    path: "tiny.gguf",
    bytes: 31,
    sha256: "18c0bfb65fc0efa90920a216612a188c19f140a71d501d8bbceaf14de42450f9",
    parts: &[
        Part {
            package: ONE,
            member: "tiny_part1/data/tiny.gguf.part00",
        },
        Part {
            package: TWO,
            member: "tiny_part2/data/tiny.gguf.part01",
        },
    ],
};

const ENTRY: CatalogEntry = CatalogEntry {
    name: "tiny",
    description: "",
    purpose: Purpose::Generate,
    layout: Layout::File,
    files: &[WEIGHTS],
    licence: "",
    licence_url: "",
    notice: "",
};

/// Two files, of which one is in a folder and both are in the first package.
const FOLDER: CatalogEntry = CatalogEntry {
    layout: Layout::Folder,
    files: &[
        CatalogFile {
            path: "1_Pooling/config.json",
            bytes: 2,
            sha256: "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            parts: &[Part {
                package: ONE,
                member: "tiny_part1/config.json",
            }],
        },
        WEIGHTS,
    ],
    ..ENTRY
};

fn wheel(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Stands in for pip: puts the wheel of a package into a folder.
#[expect(clippy::unnecessary_wraps, reason = "has the signature of pip's")]
fn fetch(package: &Package, folder: &Path) -> Result<(), PullError> {
    let bytes = if *package == ONE {
        let config = ("tiny_part1/config.json", CONFIG);
        wheel(&[(WEIGHTS.parts[0].member, PARTS[0]), config])
    } else {
        wheel(&[(WEIGHTS.parts[1].member, PARTS[1])])
    };
    fs::write(folder.join("tiny-1.0.0-py3-none-any.whl"), bytes).unwrap();
    Ok(())
}

fn refuse(package: &Package, _: &Path) -> Result<(), PullError> {
    panic!("{} is not needed", package.name);
}

fn broken_off(package: &Package) -> PullError {
    PullError::Pip {
        package: package.name,
        message: "no route to host".to_owned(),
    }
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
    assert_eq!(path, dir.join("tiny.gguf"));
    assert_eq!(fs::read(&path).unwrap(), PARTS.concat());
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    let fetching = |number, package: Package| Progress::Fetching {
        number,
        count: 2,
        package: package.name,
    };
    let joined = |bytes| Progress::Joined { bytes, of: 31 };
    assert_eq!(
        steps,
        [
            fetching(1, ONE),
            joined(16),
            fetching(2, TWO),
            joined(31),
            Progress::Verified
        ]
    );
    let mut steps = Vec::new();
    let again = pull_with(&ENTRY, &dir, &mut |step| steps.push(step), &mut { refuse });
    assert_eq!(
        (again.unwrap(), steps),
        (path, vec![Progress::AlreadyThere])
    );
}

#[test]
fn a_folder_is_filled_from_one_wheel_and_mended_by_what_it_lacks() {
    let dir = tempfile::tempdir().unwrap();
    let mut fetched = Vec::new();
    let mut noting = |package: &Package, folder: &Path| {
        fetched.push(package.name);
        fetch(package, folder)
    };
    let folder = pull_with(&FOLDER, dir.path(), &mut |_| (), &mut noting).unwrap();
    assert_eq!(folder, dir.path().join("tiny"));
    assert_eq!(fetched, ["tiny-part1", "tiny-part2"]);
    let config = folder.join("1_Pooling/config.json");
    assert_eq!(fs::read(&config).unwrap(), CONFIG);
    assert_eq!(fs::read(folder.join("tiny.gguf")).unwrap(), PARTS.concat());

    fs::remove_file(&config).unwrap();
    let fault = FOLDER.locate_in(dir.path()).unwrap_err();
    assert!(matches!(&fault, StoreError::Missing { path, .. } if *path == config));
    let mut only_one = |package: &Package, folder: &Path| {
        assert_eq!(*package, ONE);
        fetch(package, folder)
    };
    pull_with(&FOLDER, dir.path(), &mut |_| (), &mut only_one).unwrap();
    assert_eq!(FOLDER.locate_in(dir.path()).unwrap(), folder);
}

#[test]
fn a_download_that_was_broken_off_goes_on_with_the_wheel_that_it_was_at() {
    let dir = tempfile::tempdir().unwrap();
    let mut broken = |package: &Package, folder: &Path| {
        if *package == TWO {
            // Half a wheel, as of a process that was killed.
            fs::write(folder.join("half.whl"), "PK").unwrap();
            return Err(broken_off(package));
        }
        fetch(package, folder)
    };
    let error = pull_with(&ENTRY, dir.path(), &mut |_| (), &mut broken).unwrap_err();
    assert_eq!(
        error.to_string(),
        "pip could not fetch tiny-part2: no route to host"
    );
    let not_yet = ENTRY.locate_in(dir.path()).unwrap_err();
    assert!(matches!(not_yet, StoreError::NotPulled { .. }));
    let mut rest = |package: &Package, folder: &Path| {
        assert_eq!(*package, TWO);
        fetch(package, folder)
    };
    let path = pull_with(&ENTRY, dir.path(), &mut |_| (), &mut rest).unwrap();
    assert_eq!(fs::read(path).unwrap(), PARTS.concat());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_download_that_brought_nothing_leaves_nothing() {
    let told = fault(&ENTRY, |package, _| Err(broken_off(package)));
    assert_eq!(told, "pip could not fetch tiny-part1: no route to host");
}

#[test]
fn two_do_not_fetch_the_same_model() {
    let dir = tempfile::tempdir().unwrap();
    let mut meanwhile = |package: &Package, folder: &Path| {
        let other = pull_with(&ENTRY, dir.path(), &mut |_| (), &mut { refuse });
        assert!(matches!(other.unwrap_err(), PullError::Busy { .. }));
        fetch(package, folder)
    };
    pull_with(&ENTRY, dir.path(), &mut |_| (), &mut meanwhile).unwrap();
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
fn parts_that_make_another_file_are_refused() {
    const ENTRY: CatalogEntry = CatalogEntry {
        files: &[CatalogFile {
            sha256: "00",
            ..WEIGHTS
        }],
        ..super::tests::ENTRY
    };
    assert_eq!(
        fault(&ENTRY, fetch),
        format!(
            "tiny.gguf was fetched with 31 bytes and SHA-256 {}, expected 31 bytes with 00: it is thrown away",
            WEIGHTS.sha256
        )
    );
}

#[test]
fn wheels_without_their_part_are_named() {
    let missing = "the package tiny-part1 has no tiny_part1/data/tiny.gguf.part00";
    assert_eq!(fault(&ENTRY, |_, _| Ok(())), missing);
    let other = |_: &Package, folder: &Path| {
        fs::write(folder.join("a.whl"), wheel(&[("other", b"")])).unwrap();
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
fn a_model_of_the_catalogue_that_is_not_here_says_how_it_is_fetched() {
    let dir = tempfile::tempdir().unwrap();
    for entry in crate::CATALOG {
        let not_pulled = locate(entry.name, dir.path()).unwrap_err();
        assert_eq!(
            not_pulled.to_string(),
            format!(
                "model `{name}` is not in {}; fetch it with `skinflint models pull {name}`",
                dir.path().display(),
                name = entry.name,
            )
        );
    }
}
