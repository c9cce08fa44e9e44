//! Tokens of sample documents as tables, beside minified JSON and TOON.

use std::collections::BTreeMap;

use super::{EvalError, Options, at_least, at_most, parse, read, share, tokens};
use crate::figure::Figure;
use serde_json::value::RawValue;
use skinflint_compressor::{
    jton::{self, Profile},
    toon::{self, EncodeOptions},
};

/// What each sample is called here, by how its name begins, and the share that is to be saved on it at least.
const GOALS: [(&str, &str, f64); 8] = [
    ("employees", "jton_employees", 0.37),
    ("log", "jton_logs", 0.21),
    ("messy", "jton_messy", 0.18),
    ("tweets", "jton_tweets", 0.14),
    ("events", "jton_events_union", 0.22),
    ("sparse", "jton_sparse_union", 0.31),
    ("GitHub", "jton_github_union", 0.0),
    ("config", "jton_config_union", 0.0),
];

pub(super) fn evaluate(options: &Options) -> Result<Vec<Figure>, EvalError> {
    let text = read(&options.data.join("json_samples/samples.json"))?;
    let samples: BTreeMap<String, &RawValue> = parse("the file of samples", &text)?;
    let (mut figures, mut not_restored, mut above_toon) = (Vec::new(), 0.0, 0.0);
    for (name, sample) in samples {
        let Some((_, figure, goal)) = GOALS.iter().find(|(begins, ..)| name.starts_with(begins))
        else {
            continue;
        };
        let Ok(minified) = jton::minify(sample.get()) else {
            not_restored += 1.0;
            continue;
        };
        let encode =
            |profile| jton::encode_by_cost(&minified, profile, &tokens).unwrap_or_default();
        let (standard, union) = (encode(Profile::Standard), encode(Profile::Union));
        for table in [&standard, &union] {
            if jton::decode(table).as_ref() != Ok(&minified) {
                not_restored += 1.0;
            }
        }
        let best = if figure.ends_with("union") {
            &union
        } else {
            &standard
        };
        let saved = 1.0 - share(tokens(best), tokens(&minified));
        figures.push(at_least(figure, saved, "share", *goal));
        let toon = toon::encode(&minified, EncodeOptions::default()).unwrap_or_default();
        if tokens(best) > tokens(&toon) {
            above_toon += 1.0;
        }
    }
    figures.push(at_most("jton_not_restored", not_restored, "samples", 0.0));
    figures.push(at_most("jton_above_toon", above_toon, "samples", 0.0));
    Ok(figures)
}
