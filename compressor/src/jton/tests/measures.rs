//! Tokens that tables save, on data that lies outside of the project.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use skinflint_tokens::{Counter, Encoding};

use crate::jton::{Notation, Profile, decode_strict, encode, encode_by_cost, minify};
use crate::{data, toon};

/// By the beginning of a sample's name: the least savings, in percent of the minified tokens, by the
/// standard profile and by the union profile.
const LEAST_SAVINGS: [(&str, f64, f64); 7] = [
    ("GitHub API events", 0.0, 6.0),
    ("employees", 37.0, 37.0),
    ("log records", 21.0, 21.0),
    ("messy text", 18.0, 18.0),
    ("tweets", 14.0, 14.0),
    ("events", 0.0, 22.0),
    ("sparse users", 0.0, 31.0),
];

fn tokens(text: &str) -> usize {
    let count = Counter::new(0).text(&Encoding::O200k, text);
    usize::try_from(count.tokens).unwrap()
}

/// What a text saves, in percent.
fn saved(text: &str, minified: &str) -> f64 {
    let count = |text| f64::from(u32::try_from(tokens(text)).unwrap());
    100.0 - 100.0 * count(text) / count(minified)
}

#[test]
fn hints_are_short() {
    for (groups, optional, most) in [(false, false, 12), (true, true, 32)] {
        let notation = Notation {
            tables: true,
            groups,
            optional,
        };
        let hint = notation.hint(Notation::default());
        println!("{} tokens: {hint}", tokens(&hint));
        assert!(!hint.contains('\n') && tokens(&hint) <= most, "{hint}");
    }
}

#[test]
fn samples_save_what_they_should() {
    let Some(text) = data::read("json_samples/samples.json") else {
        return;
    };
    let samples: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&text).unwrap();
    for (name, sample) in &samples {
        let minified = minify(sample.get()).unwrap();
        let by_cost = |profile| encode_by_cost(sample.get(), profile, &tokens).unwrap();
        let (standard, union) = (by_cost(Profile::Standard), by_cost(Profile::Union));
        for text in [&standard, &union] {
            assert_eq!(decode_strict(text).unwrap(), minified, "{name}");
            assert!(saved(text, &minified) >= 0.0, "{name}");
        }
        let by_toon = toon::encode(sample.get(), toon::EncodeOptions::default()).unwrap();
        let [standard, union, by_toon] =
            [&standard, &union, &by_toon].map(|text| saved(text, &minified));
        println!(
            "{name}: {} tokens minified; saved {standard:.1}%, in the union profile {union:.1}%, TOON {by_toon:.1}%",
            tokens(&minified)
        );
        assert!(union >= standard && standard >= by_toon, "{name}");
        for (start, least_standard, least_union) in LEAST_SAVINGS {
            if name.starts_with(start) {
                assert!(standard >= least_standard && union >= least_union, "{name}");
            }
        }
    }
    for (start, ..) in LEAST_SAVINGS {
        assert!(
            samples.keys().any(|name| name.starts_with(start)),
            "{start}"
        );
    }
}

#[test]
fn bytes_are_a_fair_guess_at_tokens() {
    let Some(text) = data::read("json_samples/samples.json") else {
        return;
    };
    let samples: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&text).unwrap();
    for (name, sample) in &samples {
        let minified = minify(sample.get()).unwrap();
        for profile in [Profile::Standard, Profile::Union] {
            let by_bytes = saved(&encode(sample.get(), profile).unwrap(), &minified);
            let by_cost = saved(
                &encode_by_cost(sample.get(), profile, &tokens).unwrap(),
                &minified,
            );
            println!("{name}: {by_bytes:.2}% by bytes, {by_cost:.2}% by tokens");
            assert!(by_bytes > by_cost - 0.5, "{name}");
        }
    }
}
