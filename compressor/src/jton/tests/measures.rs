//! Tokens that tables save, on data that lies outside of the project.

use serde_json::value::RawValue;
use skinflint_tokens::{Counter, Encoding};

use crate::jton::{HINT, HINT_UNION, Profile, decode_strict, encode_by_cost, minify};
use crate::{data, toon};

fn tokens(text: &str) -> usize {
    let count = Counter::new(0).text(&Encoding::O200k, text);
    usize::try_from(count.tokens).unwrap()
}

#[test]
fn hints_are_short() {
    for hint in [HINT, HINT_UNION] {
        println!("{} tokens: {hint}", tokens(hint));
        assert!(tokens(hint) <= 29, "{hint}: {} tokens", tokens(hint));
    }
}

#[test]
fn samples() {
    let Some(text) = data::read("json_samples/samples.json") else {
        return;
    };
    let samples: std::collections::BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(&text).unwrap();
    for (name, sample) in samples {
        let minified = minify(sample.get()).unwrap();
        let min = tokens(&minified);
        let percent = |text: &str| (tokens(text) as f64 / min as f64 - 1.0) * 100.0;
        let standard = encode_by_cost(&minified, Profile::Standard, &tokens).unwrap();
        let union = encode_by_cost(&minified, Profile::Union, &tokens).unwrap();
        let toon = toon::encode(&minified, toon::EncodeOptions::default()).unwrap();
        println!(
            "{name}: min {min} standard {:.2} union {:.2} toon {:.2}",
            percent(&standard),
            percent(&union),
            percent(&toon)
        );
        for text in [&standard, &union] {
            assert_eq!(decode_strict(text).unwrap(), minified);
        }
        println!(
            "   nl: {:.2} {:.2}",
            percent(&union.replace(';', ";\n")),
            percent(&union.replace(';', "\n"))
        );
        println!("   {}", &union.chars().take(200).collect::<String>());
    }
}
