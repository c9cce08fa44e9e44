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

/// What the values of a column look like: anything, or mostly objects with these members.
#[derive(Debug, Clone)]
enum Shape {
    Any,
    Object(Vec<(String, Shape)>),
}

fn shape() -> impl Strategy<Value = Shape> {
    Just(Shape::Any).prop_recursive(5, 12, 3, |inner| {
        let members = prop::collection::vec((key(), inner), 0..4);
        prop_oneof![2 => Just(Shape::Any), 1 => members.prop_map(Shape::Object)]
    })
}

/// Values of a shape. Some are something else if `loose`.
fn shaped(shape: Shape, any: &BoxedStrategy<String>, loose: bool) -> BoxedStrategy<String> {
    match shape {
        Shape::Any => any.clone(),
        Shape::Object(members) => {
            let members = members
                .into_iter()
                .map(|(key, shape)| (key, shaped(shape, any, loose)))
                .collect();
            let like = object(members, false);
            if loose {
                prop_oneof![9 => like, 1 => any.clone()].boxed()
            } else {
                like.boxed()
            }
        }
    }
}

fn object(
    members: Vec<(String, BoxedStrategy<String>)>,
    optional: bool,
) -> impl Strategy<Value = String> {
    let members = members
        .into_iter()
        .map(|(key, value)| {
            let here = prop::bool::weighted(if optional { 0.7 } else { 1.0 });
            (Just(key), value, here, space())
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
            prop::collection::vec(key(), 0..5).prop_flat_map(move |keys| {
                let members = keys.into_iter().map(|key| (key, inner.clone()));
                object(members.collect(), false)
            })
        };
        let columns = prop::collection::vec((key(), shape()), 0..4);
        let rows = (columns, any::<bool>(), any::<bool>()).prop_flat_map(
            move |(columns, optional, loose)| {
                let members = columns
                    .into_iter()
                    .map(|(key, shape)| (key, shaped(shape, &inner, loose)))
                    .collect();
                let row = object(members, optional);
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
        "{",
        "}",
        "[",
        "]",
        "[2:",
        "[:",
        "[1:a,b;",
        "[:a{b,c};",
        "[2:a?{b{c},d},e;",
        "]",
        ",",
        ":",
        ";",
        "|",
        "\t",
        "?",
        "\"a\"",
        "\"",
        "\\",
        "a",
        "b-c",
        "true",
        "null",
        "NaN",
        "-",
        "1",
        "0",
        ".5",
        "e3",
        " ",
        "\n",
        "\r",
        "/",
        "//",
        "/*",
        "*/",
        "é",
        "\u{feff}",
        "\u{0}",
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

/// Whether `?` or a brace stands behind a name without quotes, or behind the quotes of one.
fn has_marks(encoded: &str) -> bool {
    let mut in_string = false;
    let mut before = b',';
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        if in_string && byte == b'\\' {
            bytes.next();
        }
        in_string ^= byte == b'"';
        if !in_string && (byte == b'?' || byte == b'{' && !b"[{:,;".contains(&before)) {
            return true;
        }
        before = byte;
    }
    false
}

fn comes_back(json: &str) -> Result<(), TestCaseError> {
    let minified = minify(json).unwrap();
    prop_assert_eq!(&minify(&minified).unwrap(), &minified);
    prop_assert_eq!(&decode(json).unwrap(), &minified);
    for profile in [Profile::Standard, Profile::Union] {
        let encoded = encode(json, profile).unwrap();
        prop_assert!(encoded.len() <= minified.len());
        if profile == Profile::Standard {
            prop_assert!(!has_marks(&encoded), "{}", encoded);
        }
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
