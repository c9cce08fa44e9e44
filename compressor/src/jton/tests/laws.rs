//! What holds of every text.

use proptest::prelude::*;

use crate::jton::{Profile, decode, decode_strict, encode, encode_by_cost, minify};

fn space() -> impl Strategy<Value = String> {
    "[ \t\r\n]{0,2}"
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("-0".to_owned()),
        Just("1e400".to_owned()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
    ]
}

fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ -!#-\\[\\]-~]{0,4}",
        1 => any::<char>().prop_filter("plain", |c| *c >= ' ' && !matches!(c, '"' | '\\'))
            .prop_map(String::from),
        1 => "\\\\u[0-9a-fA-F]{4}",
        1 => "\\\\u[dD][89a-fA-F][0-9a-f]{2}",
        1 => "\\\\[\"\\\\/bfnrt]",
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-d]".prop_map(|name| format!("\"{name}\"")),
        1 => Just("\"\\u0061\"".to_owned()),
        1 => prop::sample::select(vec!["true", "null", "a b", "a-b", "", "$_1", "é", "NaN"])
            .prop_map(|name| format!("\"{name}\"")),
        1 => string(),
    ]
}

fn object(
    keys: Vec<String>,
    value: impl Strategy<Value = String> + Clone,
    optional: bool,
) -> impl Strategy<Value = String> {
    let members = keys
        .into_iter()
        .map(|key| {
            let here = prop::bool::weighted(if optional { 0.7 } else { 1.0 });
            (Just(key), value.clone(), here, space())
        })
        .collect::<Vec<_>>();
    members.prop_map(|members| {
        let members = members
            .into_iter()
            .filter(|(_, _, here, _)| *here)
            .map(|(key, value, _, space)| format!("{space}{key}{space}:{space}{value}"));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    })
}

/// JSON of every kind, much of it lists of objects that are alike or nearly so.
pub(crate) fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["null", "true", "false", "{}", "[]", "[ ]", "{ }"])
            .prop_map(str::to_owned),
        number(),
        string(),
    ];
    leaf.prop_recursive(4, 80, 6, |inner| {
        let inner = inner.boxed();
        let list =
            (prop::collection::vec(inner.clone(), 0..5), space()).prop_map(|(values, space)| {
                format!("[{space}{}{space}]", values.join(&format!("{space},")))
            });
        let single = {
            let inner = inner.clone();
            prop::collection::vec(key(), 0..5)
                .prop_flat_map(move |keys| object(keys, inner.clone(), false))
        };
        let rows = (prop::collection::vec(key(), 0..4), any::<bool>()).prop_flat_map(
            move |(keys, optional)| {
                let row = object(keys, inner.clone(), optional);
                (prop::collection::vec(row, 0..5), space())
                    .prop_map(|(rows, space)| format!("{space}[{}]{space}", rows.join(",")))
            },
        );
        prop_oneof![1 => list, 1 => single, 3 => rows]
    })
}

/// Pieces of JTON in any order.
fn soup() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "{", "}", "[", "]", "[2:", "[:", "[1:a,b;", "]", ",", ":", ";", "|", "\t", "?", "\"a\"",
        "\"", "\\", "a", "b-c", "true", "null", "NaN", "-", "1", "0", ".5", "e3", " ", "\n", "\r",
        "/", "//", "/*", "*/", "é", "\u{feff}", "\u{0}",
    ]);
    prop::collection::vec(pieces, 0..20).prop_map(|pieces| pieces.concat())
}

/// Damages a text at some places, leaving it UTF-8.
fn damaged(text: &str, damage: &[(prop::sample::Index, u8)]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for (at, byte) in damage {
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn comes_back(json: &str) -> Result<(), TestCaseError> {
    let minified = minify(json).unwrap();
    prop_assert_eq!(&minify(&minified).unwrap(), &minified);
    prop_assert_eq!(&decode(json).unwrap(), &minified);
    for profile in [Profile::Standard, Profile::Union] {
        let encoded = encode(json, profile).unwrap();
        prop_assert!(encoded.len() <= minified.len());
        prop_assert_eq!(&decode(&encoded).unwrap(), &minified);
        prop_assert_eq!(&decode_strict(&encoded).unwrap(), &minified);
        let cost = |text: &str| text.len() + 3 * text.matches([';', ',']).count();
        let encoded = encode_by_cost(json, profile, &cost).unwrap();
        prop_assert!(cost(&encoded) <= cost(&minified));
        prop_assert_eq!(&decode_strict(&encoded).unwrap(), &minified);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn json_comes_back_byte_by_byte(json in json()) {
        comes_back(&json)?;
    }

    #[test]
    fn minified_json_means_the_same(json in json()) {
        // Lone surrogates and numbers beyond a double are JSON that serde_json does not take.
        if let Ok(tree) = serde_json::from_str::<serde_json::Value>(&json) {
            let minified = minify(&json).unwrap();
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&minified).unwrap(), tree);
        }
    }

    #[test]
    fn garbage_does_no_harm(text in prop_oneof![soup(), any::<String>()]) {
        let decoded = decode(&text);
        if let Ok(json) = &decoded {
            prop_assert_eq!(&minify(json).unwrap(), json);
        }
        if let Ok(json) = decode_strict(&text) {
            prop_assert_eq!(decoded.unwrap(), json);
        }
        if minify(&text).is_ok() {
            comes_back(&text)?;
        }
    }

    #[test]
    fn damaged_tables_do_no_harm(
        json in json(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let text = damaged(&encode(&json, Profile::Union).unwrap(), &damage);
        if let Ok(json) = decode(&text) {
            prop_assert_eq!(&minify(&json).unwrap(), &json);
            comes_back(&json)?;
        }
        let _ = encode(&damaged(&json, &damage), Profile::Union);
    }
}
