//! What compression saves, what it keeps and how fast it is, and what the error guard lets through: on recorded
//! conversations, sample documents, made texts and simulated judgements. See [`run`].

mod compress;
mod fuzz;
mod generated;
mod guard;
mod jton;
mod recall;
mod speed;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use skinflint_tokens::{Counter, Encoding};
use thiserror::Error;

use crate::figure::{Figure, Goal};

/// What is evaluated with what.
#[derive(Debug)]
pub struct Options {
    /// The gateway's binary.
    pub gateway: PathBuf,
    /// The folder of the data.
    pub data: PathBuf,
}

/// An evaluation that could not be made.
#[derive(Debug, Error)]
pub enum EvalError {
    /// A file cannot be read, or the gateway cannot be started.
    #[error("{what}")]
    Io {
        /// Which one.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The gateway does not do what it is asked for.
    #[error("`skinflint {command}` fails: {told}")]
    Gateway {
        /// With these arguments.
        command: String,
        /// Its last words.
        told: String,
    },
    /// Something is not in the form that is expected.
    #[error("{what}")]
    Form {
        /// What.
        what: String,
        /// Where.
        #[source]
        source: serde_json::Error,
    },
    /// The report cannot be written.
    #[error("cannot write the report")]
    Report(#[source] io::Error),
}

type Part = fn(&Options) -> Result<Vec<Figure>, EvalError>;

/// Writes a figure a line.
pub fn run(options: &Options) -> Result<(), EvalError> {
    let parts: [Part; 6] = [
        jton::evaluate,
        recall::evaluate,
        compress::evaluate,
        |_| Ok(guard::evaluate()),
        |_| Ok(speed::evaluate()),
        |_| Ok(fuzz::evaluate()),
    ];
    for part in parts {
        for figure in part(options)? {
            writeln!(io::stdout(), "{figure}").map_err(EvalError::Report)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, EvalError> {
    std::fs::read_to_string(path).map_err(|source| EvalError::Io {
        what: format!("cannot read {}", path.display()),
        source,
    })
}

fn parse<'t, T: serde::Deserialize<'t>>(what: &str, text: &'t str) -> Result<T, EvalError> {
    serde_json::from_str(text).map_err(|source| EvalError::Form {
        what: format!("{what} is not in the form that is expected"),
        source,
    })
}

fn at_least(name: &str, value: f64, unit: &'static str, bound: f64) -> Figure {
    Figure::new(name, value, unit, Some(Goal::AtLeast(bound)))
}

fn at_most(name: &str, value: f64, unit: &'static str, bound: f64) -> Figure {
    Figure::new(name, value, unit, Some(Goal::AtMost(bound)))
}

fn exactly(name: &str, value: f64, unit: &'static str, bound: f64) -> Figure {
    Figure::new(name, value, unit, Some(Goal::Exactly(bound)))
}

/// Tokens by OpenAI's o200k.
fn tokens(text: &str) -> usize {
    let count = Counter::new(0).text(&Encoding::O200k, text);
    usize::try_from(count.tokens).unwrap_or(usize::MAX)
}

fn share(part: usize, whole: usize) -> f64 {
    let number = |count| u32::try_from(count).map_or(f64::NAN, f64::from);
    number(part) / number(whole)
}
