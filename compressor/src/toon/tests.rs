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

fn options(indent: usize, delimiter: Delimiter) -> EncodeOptions {
    EncodeOptions { indent, delimiter }
}

#[track_caller]
fn fault(text: &str, strict: bool) -> String {
    decode(text, DecodeOptions { indent: 2, strict })
        .expect_err(text)
        .to_string()
}

#[test]
fn numbers_have_one_form() {
    for (json, toon) in [
        ("-0", "0"),
        ("-0.0e9", "0"),
        ("1.5000", "1.5"),
        ("1e6", "1000000"),
        ("-1.25E+1", "-12.5"),
        ("120e-2", "1.2"),
        ("0.00120", "0.0012"),
        ("1E-6", "0.000001"),
        ("100", "100"),
        (
            "123456789012345678901234567890.10",
            "123456789012345678901234567890.1",
        ),
        ("1e999999999999999999999", "\"1e999999999999999999999\""),
        ("1e-402", "\"1e-402\""),
    ] {
        assert_eq!(
            encode(json, EncodeOptions::default()).unwrap(),
            toon,
            "{json}"
        );
    }
    let long = format!("1{}", "0".repeat(1_000));
    assert_eq!(encode(&long, EncodeOptions::default()).unwrap(), long);
    let decoded = decode("a: 1e500", DecodeOptions::default()).unwrap();
    assert_eq!(decoded, r#"{"a":1e500}"#);
}

#[test]
fn what_toon_cannot_say_is_a_fault() {
    for (json, message) in [
        ("[\n 1,]", "line 2 column 4: expected a value"),
        (
            "{\"é\": \"\\ud800\"}",
            "line 1 column 8: expected a character, found half of a surrogate pair",
        ),
        (
            "\"\\\\ud800 \\uDC00\"",
            "line 1 column 10: expected a character, found half of a surrogate pair",
        ),
    ] {
        let error = encode(json, EncodeOptions::default()).expect_err(json);
        assert_eq!(error.to_string(), message, "{json}");
    }
    assert_eq!(
        encode("\"\\ud83d\\ude00\"", EncodeOptions::default()).unwrap(),
        "\u{1f600}"
    );
    for deep in ["[", "{\"a\":"] {
        let json = deep.repeat(100_000);
        encode(&json, EncodeOptions::default()).unwrap_err();
        let close = if deep == "[" { "]" } else { "}" };
        let json = |depth| format!("{}1{}", deep.repeat(depth), close.repeat(depth));
        let error = encode(&json(129), EncodeOptions::default()).unwrap_err();
        assert_eq!(error.kind, ToonErrorKind::TooDeep);
        let text = encode(&json(128), EncodeOptions::default()).unwrap();
        assert_eq!(decode(&text, DecodeOptions::default()).unwrap(), json(128));
    }
}

#[test]
fn faults_say_what_was_expected_and_where() {
    for (text, message) in [
        ("a: 1\nb", "line 2 column 1: expected `:`"),
        (
            "a:\n  é: \"\\x\"",
            "line 2 column 3: expected an escape that TOON knows",
        ),
        ("a[2]: 1", "line 1 column 1: expected 2 values, found 1"),
        (
            "a[1]{x,y}:\n  1",
            "line 2 column 3: expected 2 cells in the row, found 1",
        ),
        (
            "a:\n   b: 1",
            "line 2 column 4: expected an indentation of a multiple of 2 spaces",
        ),
        (
            "a: 1\n  b: 2",
            "line 2 column 3: expected a line that is not as deep",
        ),
        (
            "a: 1\na: 2",
            "line 2 column 1: expected a key that is new to its object",
        ),
        (
            "a[2]:\n  - 1\n\n  - 2",
            "line 4 column 3: expected no blank line in a list or table",
        ),
        ("a[1]:\n  1", "line 2 column 3: expected `- `"),
        ("[1]: 1\n2", "line 2 column 1: expected the end"),
        (
            "a[01]: 1",
            "line 1 column 1: expected a header: `key[N]:`, `key[N]{fields}:` or `key[N:]{fields}:`",
        ),
    ] {
        assert_eq!(fault(text, true), message, "{text}");
    }
    assert_eq!(
        fault("a: \"x", false),
        "line 1 column 1: expected the string to end with a quote and nothing behind it"
    );
}

#[test]
fn what_tables_become_is_bounded() {
    let rows = "\n  1".repeat(20_000);
    let text = format!("[20000]{{{}}}:{rows}", "n".repeat(20_000));
    let error = decode(&text, DecodeOptions::default()).unwrap_err();
    assert_eq!(error.kind, ToonErrorKind::TooLarge);
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::from),
        any::<i64>().prop_map(Tree::from),
        any::<u64>().prop_map(Tree::from),
        any::<i32>().prop_map(|eighths| Tree::from(f64::from(eighths) / 8.0)),
        any::<String>().prop_map(Tree::from),
        "[-#\\[\\]{}:,|\"\\\\ 0+a.\t\r\n]{0,4}".prop_map(Tree::from),
        "[+-]?0{0,2}[0-9]{0,2}(\\.[0-9])?(e[0-9])?".prop_map(Tree::from),
    ];
    let key = || prop_oneof![4 => "[a-c]", 1 => "[a\\[\\]:\"# -]{0,3}", 1 => any::<String>()];
    leaf.prop_recursive(4, 64, 5, move |inner| {
        let object = prop::collection::hash_map(key(), inner.clone(), 0..4);
        let object = object.prop_map(|members| Tree::Object(members.into_iter().collect()));
        let rows = (prop::collection::vec(key(), 1..4), 1..4_usize).prop_flat_map({
            let inner = inner.clone();
            move |(keys, height)| {
                let row =
                    prop::collection::vec(inner.clone(), keys.len()).prop_map(move |values| {
                        Tree::Object(keys.iter().cloned().zip(values).collect())
                    });
                prop::collection::vec(row, height)
            }
        });
        let entries = (prop::collection::vec(key(), 3), rows.clone())
            .prop_map(|(keys, rows)| Tree::Object(keys.into_iter().zip(rows).collect()));
        prop_oneof![
            object,
            prop::collection::vec(inner, 0..4).prop_map(Tree::from),
            rows.prop_map(Tree::from),
            entries,
        ]
    })
}

/// Pieces of TOON in any order.
fn soup() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "a", "\"b\"", ":", ": ", "- ", "-", "[1]", "[2]:", "[1:]", "[2|]", "{a,b}:", "{a{b}}:",
        "[", "]", "{", "}", "1", "x", ",", "|", "\t", "\"", "\\", "#", " ", "\n", "\n  ", "\n    ",
        "\r\n", "é", "[]",
    ]);
    prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn json_comes_back(
        tree in tree(),
        indent in 1..5_usize,
        delimiter in prop::sample::select(vec![Delimiter::Comma, Delimiter::Tab, Delimiter::Pipe]),
    ) {
        let text = encode(&tree.to_string(), options(indent, delimiter)).unwrap();
        prop_assert!(!text.ends_with('\n') && !text.lines().any(|line| line.ends_with(' ')));
        for strict in [true, false] {
            let json = decode(&text, DecodeOptions { indent, strict });
            let json = json.map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
            let back: Tree = serde_json::from_str(&json).unwrap();
            prop_assert!(same(&back, &tree), "{}\n{}", text, json);
        }
    }

    #[test]
    fn garbage_does_no_harm(text in prop_oneof![soup(), any::<String>()]) {
        for strict in [true, false] {
            if let Ok(json) = decode(&text, DecodeOptions { indent: 2, strict }) {
                let tree: Tree = serde_json::from_str(&json).unwrap();
                let text = encode(&json, EncodeOptions::default()).unwrap();
                let again = decode(&text, DecodeOptions::default()).unwrap();
                prop_assert!(same(&serde_json::from_str(&again).unwrap(), &tree), "{}", text);
            }
        }
    }
}
