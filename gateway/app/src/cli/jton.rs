//! `skinflint jton`

use std::io::{self, Read};

use clap::{Args, Subcommand, ValueEnum};
use skinflint_compressor::jton::{self, Profile};
use skinflint_tokens::{Counter, Encoding};

use super::{Outcome, out};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// JSON to the smallest of minified JSON and tables
    Encode {
        /// Which lists become tables
        #[arg(long, value_enum, default_value = "standard")]
        profile: ProfileName,
        /// Say on standard error how many tokens of o200k the text has minified and encoded
        #[arg(long)]
        count: bool,
    },
    /// JTON, by whoever wrote it, to minified JSON
    Decode {
        /// Refuse tables whose count is wrong and rows that are short
        #[arg(long)]
        strict: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ProfileName {
    /// Lists of objects with the same keys: JTON 1.0
    Standard,
    /// Also of objects some of which lack keys: a profile of Skinflint's own
    Union,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let mut text = String::new();
    io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| format!("standard input: {error}"))?;
    match arguments.verb {
        Verb::Encode { profile, count } => encode(&text, profile, count),
        Verb::Decode { strict } => {
            let decode = if strict {
                jton::decode_strict
            } else {
                jton::decode
            };
            out::line(decode(&text)?);
            Ok(())
        }
    }
}

fn encode(text: &str, profile: ProfileName, count: bool) -> Outcome {
    let profile = match profile {
        ProfileName::Standard => Profile::Standard,
        ProfileName::Union => Profile::Union,
    };
    let counter = Counter::new(0);
    let tokens = |text: &str| {
        let count = counter.text(&Encoding::O200k, text);
        usize::try_from(count.tokens).unwrap_or(usize::MAX)
    };
    let encoded = jton::encode_by_cost(text, profile, &tokens)?;
    if count {
        let (before, after) = (tokens(&jton::minify(text)?), tokens(&encoded));
        out::note(format_args!("{before} tokens minified, {after} encoded"));
    }
    out::line(encoded);
    Ok(())
}
