//! The fixtures of the specification, and laws.

use proptest::prelude::*;
use serde_json::Value as Tree;

use super::{DecodeOptions, Delimiter, EncodeOptions, ToonErrorKind, decode, encode};
use crate::data;

const FIXTURES: [&str; 23] = [
    "decode/arrays-nested",
    "decode/arrays-primitive",
    "decode/arrays-tabular",
    "decode/blank-lines",
    "decode/comments",
    "decode/delimiters",
    "decode/indentation-errors",
    "decode/numbers",
    "decode/objects-keyed",
    "decode/objects",
    "decode/primitives",
    "decode/root-form",
    "decode/validation-errors",
    "decode/whitespace",
    "encode/arrays-nested",
    "encode/arrays-objects",
    "encode/arrays-primitive",
    "encode/arrays-tabular",
    "encode/delimiters",
    "encode/objects-keyed",
    "encode/objects",
    "encode/primitives",
    "encode/whitespace",
];

#[derive(serde::Deserialize)]
struct Fixture {
    tests: Vec<Case>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    name: String,
    input: Box<serde_json::value::RawValue>,
    #[serde(default)]
    expected: Tree,
    #[serde(default)]
    should_error: bool,
    #[serde(default)]
    options: Options,
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Options {
    strict: Option<bool>,
    indent_size: Option<usize>,
    delimiter: Option<String>,
}

impl Case {
    /// What is wrong, if something is.
    fn fault(&self, is_encode: bool) -> Option<String> {
        let indent = self.options.indent_size.unwrap_or(2);
        let found = if is_encode {
            let delimiter = match self.options.delimiter.as_deref() {
                Some("\t") => Delimiter::Tab,
                Some("|") => Delimiter::Pipe,
                _ => Delimiter::Comma,
            };
            encode(self.input.get(), EncodeOptions { indent, delimiter }).map(Tree::String)
        } else {
            let text: String = serde_json::from_str(self.input.get()).unwrap();
            let strict = self.options.strict.unwrap_or(true);
            decode(&text, DecodeOptions { indent, strict })
                .map(|json| serde_json::from_str(&json).unwrap())
        };
        match found {
            Ok(found) if !self.should_error && same(&found, &self.expected) => None,
            Err(_) if self.should_error => None,
            found => Some(format!(
                "{}: {} gave {found:?}, not {}",
                self.name, self.input, self.expected
            )),
        }
    }
}

/// Equal but for how whole numbers are spelled.
fn same(a: &Tree, b: &Tree) -> bool {
    match (a, b) {
        (Tree::Number(a), Tree::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Tree::Array(a), Tree::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Tree::Object(a), Tree::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

#[test]
fn every_fixture_of_the_specification_passes() {
    let mut cases = 0;
    let mut faults = Vec::new();
    for name in FIXTURES {
        let Some(text) = data::read(&format!("toon/tests/fixtures/{name}.json")) else {
            return;
        };
        let fixture: Fixture = serde_json::from_str(&text).unwrap();
        for case in fixture.tests {
            cases += 1;
            faults.extend(case.fault(name.starts_with("encode")));
        }
    }
    assert!(
        faults.is_empty(),
        "{} of {cases}:\n{}",
        faults.len(),
        faults.join("\n")
    );
    assert!(cases >= 516, "{cases} cases");
}
