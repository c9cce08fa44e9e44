//! `skinflint models verify`

use std::{collections::BTreeSet, path::Path};

use skinflint_local_model::{KnownFile, State, StoreError, inventory, known_files};

use super::{
    super::{Outcome, out},
    bar::Bar,
};

/// What came of the files so far.
#[derive(Debug, Default)]
struct Verdict {
    right: usize,
    wrong: usize,
}

/// The named models.
pub(super) fn named(names: &[String], folder: &Path) -> Outcome {
    let mut files = Vec::new();
    for name in names {
        files.extend(known_files(name, folder)?);
    }
    let mut verdict = Verdict::default();
    verdict.files(&files);
    verdict.outcome()
}

/// Every model that is here.
pub(super) fn all(folder: &Path) -> Outcome {
    let mut verdict = Verdict::default();
    let mut files: Vec<KnownFile> = Vec::new();
    let mut seen = BTreeSet::new();
    for listed in inventory(folder)? {
        if !matches!(listed.state, State::Here | State::Damaged) {
            continue;
        }
        match known_files(&listed.name, folder) {
            // A row of a repository can have files of another row.
            Ok(known) => files.extend(
                known
                    .into_iter()
                    .filter(|file| seen.insert(file.path.clone())),
            ),
            Err(error @ StoreError::NoChecksum { .. }) => match listed.fault {
                Some(fault) => verdict.wrong(&fault),
                None => out::note(error),
            },
            Err(error) => verdict.wrong(&error),
        }
    }
    verdict.files(&files);
    verdict.outcome()
}

// === impl Verdict ===

impl Verdict {
    fn files(&mut self, files: &[KnownFile]) {
        let mut bar = Bar::new("reading", files.iter().map(|file| file.bytes).sum());
        let mut before = 0;
        for file in files {
            let verified = file.verify(&mut |bytes| bar.add(bytes));
            before += file.bytes;
            // Also past a file that was not read to its end.
            bar.at(before);
            bar.aside(|| match verified {
                Ok(()) => {
                    self.right += 1;
                    out::line(format_args!("{}: ok", file.path.display()));
                }
                Err(error) => self.wrong(&error),
            });
        }
    }

    fn wrong(&mut self, error: &StoreError) {
        self.wrong += 1;
        out::note(error);
    }

    fn outcome(&self) -> Outcome {
        match self.wrong {
            0 => Ok(()),
            wrong => Err(format!("damaged files: {wrong} of {}", self.right + wrong).into()),
        }
    }
}
