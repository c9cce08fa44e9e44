//! `skinflint models`

mod bar;
mod hub;
mod list;
mod pull;
mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use indicatif::BinaryBytes;
use skinflint_local_model::{CATALOG, remove};

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
    /// Fetch the weights of models: of the catalogue, or from Hugging Face
    ///
    /// `org/name` fetches the safetensors of a repository of Hugging Face with everything that belongs to them, `org/name:file.gguf` one GGUF file;
    /// `@revision` after the name takes another branch, tag or commit than `main`. The environment variables `HF_TOKEN` (for gated and private
    /// repositories) and `HF_ENDPOINT` (for another hub) are heeded. A download that was broken off goes on where it was.
    Pull {
        /// The models
        #[arg(value_name = "NAME", default_value = CATALOG[0].name)]
        names: Vec<String>,
        /// Fetch the whole catalogue
        #[arg(long, conflicts_with = "names")]
        all: bool,
    },
    /// List the catalogue, what of it is here, and what else is
    List {
        /// Print JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Remove models, or what is left of a download that was broken off
    Rm {
        /// Models, or paths in the folder of the weights
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
    /// Compare the weights that are here with their checksums
    Verify {
        /// The models
        #[arg(value_name = "NAME", default_value = CATALOG[0].name)]
        names: Vec<String>,
        /// Every model that is here
        #[arg(long, conflicts_with = "names")]
        all: bool,
    },
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let folder = arguments.models.clone().unwrap_or_else(models_folder);
    match &arguments.verb {
        Verb::Pull { all: true, .. } => pull::run(CATALOG.iter().map(|entry| entry.name), &folder),
        Verb::Pull { names, .. } => pull::run(names.iter().map(String::as_str), &folder),
        Verb::List { json } => list::run(*json, &folder),
        Verb::Rm { names } => {
            for name in names {
                for removed in remove(name, &folder)? {
                    let path = removed.path.display();
                    out::line(format_args!(
                        "removed {path} ({})",
                        BinaryBytes(removed.bytes)
                    ));
                }
            }
            Ok(())
        }
        Verb::Verify { all: true, .. } => verify::all(&folder),
        Verb::Verify { names, .. } => verify::named(names, &folder),
    }
}
