use proptest::prelude::*;
use serde_json::Value as Tree;

use super::*;

fn parse(text: &str) -> Result<Document<'_>, JsonError> {
    Document::parse(text.as_bytes(), JsonLimits::default())
}

/// The fault of a text, as kind and offset.
fn fault(text: impl AsRef<[u8]>) -> (JsonErrorKind, usize) {
    let error = Document::parse(text.as_ref(), JsonLimits::default())
        .map(|_| String::from_utf8_lossy(text.as_ref()).into_owned())
        .expect_err("must be refused");
    (error.kind, error.offset)
}

/// Rebuilds what `serde_json` would have made of the text.
fn tree(value: Value<'_>) -> Tree {
    match value.kind() {
        JsonKind::Null => Tree::Null,
        JsonKind::Bool => Tree::Bool(value.as_bool().unwrap()),
        JsonKind::Number => serde_json::from_str(value.raw()).unwrap(),
        JsonKind::String => Tree::String(value.as_str().unwrap().into_owned()),
        JsonKind::Array => value.as_array().unwrap().map(tree).collect(),
        JsonKind::Object => value
            .as_object()
            .unwrap()
            .map(|(key, value)| (key.into_owned(), tree(value)))
            .collect(),
    }
}

#[test]
fn faults_name_their_kind_and_their_first_byte() {
    use JsonErrorKind::*;
    for (text, kind, offset) in [
        ("", UnexpectedEnd, 0),
        ("  ", UnexpectedEnd, 2),
        ("{", UnexpectedEnd, 1),
        ("[1,", UnexpectedEnd, 3),
        (r#"{"a""#, UnexpectedEnd, 4),
        (r#"{"a":"#, UnexpectedEnd, 5),
        (r#""abc"#, UnexpectedEnd, 4),
        (r#""abc\"#, UnexpectedEnd, 4),
        (r#""\u12"#, UnexpectedEnd, 1),
        ("nul", UnexpectedEnd, 3),
        ("-", UnexpectedEnd, 1),
        ("1.", UnexpectedEnd, 2),
        ("[,1]", ExpectedValue, 1),
        ("[1,]", ExpectedValue, 3),
        ("nope", ExpectedValue, 1),
        ("'a'", ExpectedValue, 0),
        ("+1", ExpectedValue, 0),
        (".5", ExpectedValue, 0),
        ("\u{feff}1", ExpectedValue, 0),
        ("// c", ExpectedValue, 0),
        ("{1:2}", ExpectedKey, 1),
        (r#"{"a":1,}"#, ExpectedKey, 7),
        (r#"{"a" 1}"#, ExpectedColon, 5),
        (r#"{"a":1 "b":2}"#, ExpectedObjectEnd, 7),
        (r#"{"a":1]"#, ExpectedObjectEnd, 6),
        ("[1 2]", ExpectedArrayEnd, 3),
        ("[1}", ExpectedArrayEnd, 2),
        ("01", InvalidNumber, 1),
        ("-a", InvalidNumber, 1),
        ("1.e5", InvalidNumber, 2),
        ("1e+a", InvalidNumber, 3),
        ("[NaN]", NonFiniteNumber, 1),
        ("Infinity", NonFiniteNumber, 0),
        ("-Infinity", NonFiniteNumber, 1),
        ("\"a\nb\"", ControlCharacter, 2),
        ("\"a\u{0}b\"", ControlCharacter, 2),
        (r#""\x""#, InvalidEscape, 1),
        (r#""\u12G4""#, InvalidEscape, 1),
        (r#""\u+123""#, InvalidEscape, 1),
        (r#""a\ud800""#, LoneSurrogate, 2),
        (r#""a\udc00""#, LoneSurrogate, 2),
        (r#""\ud800x""#, LoneSurrogate, 1),
        (r#""\ud800\n""#, LoneSurrogate, 1),
        (r#""\ud800\ud800""#, LoneSurrogate, 1),
        (r#""\udc00\ud800""#, LoneSurrogate, 1),
        (r#""\ud800\u0041""#, LoneSurrogate, 1),
        ("1 2", TrailingCharacters, 2),
        ("{}}", TrailingCharacters, 2),
        ("1\u{0}", TrailingCharacters, 1),
    ] {
        assert_eq!(fault(text), (kind, offset), "{text:?}");
    }
}

#[test]
fn bytes_that_are_no_utf8_are_refused_where_they_start() {
    assert_eq!(fault(b"[\"a\xff\"]"), (JsonErrorKind::InvalidUtf8, 3));
    // An encoded surrogate, and a character cut in two.
    assert_eq!(fault(b"\"\xed\xa0\x80\""), (JsonErrorKind::InvalidUtf8, 1));
    assert_eq!(fault(b"\"\xe2\x82\""), (JsonErrorKind::InvalidUtf8, 1));
}

#[test]
fn depth_is_limited_without_recursion() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let limits = JsonLimits {
        max_depth: 3,
        ..JsonLimits::default()
    };
    assert!(Document::parse(nested(3).as_bytes(), limits).is_ok());
    let error = Document::parse(nested(4).as_bytes(), limits).unwrap_err();
    assert_eq!((error.kind, error.offset), (JsonErrorKind::TooDeep, 3));

    let bottomless = JsonLimits {
        max_depth: usize::MAX,
        ..JsonLimits::default()
    };
    assert!(Document::parse(nested(400_000).as_bytes(), bottomless).is_ok());
    assert_eq!(fault("[".repeat(1_000_000)).0, JsonErrorKind::TooDeep);
}

#[test]
fn values_and_keys_are_counted_against_the_limit() {
    let limits = JsonLimits {
        max_values: 4,
        ..JsonLimits::default()
    };
    assert!(Document::parse(br#"{"a":[1]}"#, limits).is_ok());
    let error = Document::parse(br#"{"a":[1,2]}"#, limits).unwrap_err();
    assert_eq!(error.kind, JsonErrorKind::TooManyValues);
}

#[test]
fn a_value_costs_16_bytes_and_the_tape_is_made_for_the_text() {
    assert_eq!(size_of::<Entry>(), 16);
    let limits = JsonLimits::default();
    let values = |count: usize| format!("[0{}]", ",0".repeat(count - 2));
    let text = values(limits.max_values);
    let document = Document::parse(text.as_bytes(), limits).unwrap();
    assert_eq!(document.tape.len(), limits.max_values);
    assert!(document.tape.capacity() < 2 * limits.max_values);
    assert_eq!(
        fault(values(limits.max_values + 1)),
        (JsonErrorKind::TooManyValues, 2 * limits.max_values)
    );
    // A long string is one value, and no room is made for more than the limit.
    let long = literal(&"x".repeat(1 << 20));
    let few = JsonLimits {
        max_values: 4,
        ..limits
    };
    let document = Document::parse(long.as_bytes(), few).unwrap();
    assert!(document.tape.capacity() <= 4);
}

#[test]
fn what_lies_deeper_than_is_kept_is_checked_and_not_counted() {
    let limits = JsonLimits {
        max_depth: 4,
        max_values: 5,
        kept_depth: 1,
    };
    let parse = |text: &'static str| Document::parse(text.as_bytes(), limits);
    let document = parse(r#"{"a":[1,[2],{"b":3}],"c":[]}"#).unwrap();
    assert_eq!(document.tape.len(), 5);
    let root = document.root();
    let a = root.get("a").unwrap();
    assert_eq!(a.raw(), r#"[1,[2],{"b":3}]"#);
    assert_eq!(a.as_array().unwrap().count(), 0);
    assert_eq!(root.get("c").unwrap().raw(), "[]");
    for (text, kind) in [
        (r#"{"a":[1,[2}]}"#, JsonErrorKind::ExpectedArrayEnd),
        (r#"{"a":[[[[1]]]]}"#, JsonErrorKind::TooDeep),
        (r#"{"a":["\ud800"]}"#, JsonErrorKind::LoneSurrogate),
        (r#"{"a":1,"b":2,"c":[]}"#, JsonErrorKind::TooManyValues),
    ] {
        assert_eq!(parse(text).unwrap_err().kind, kind, "{text}");
    }
}

#[test]
fn objects_of_many_keys_are_read_in_one_go() {
    const KEYS: usize = 100_000;
    let members: Vec<_> = (0..KEYS)
        .map(|key| format!(r#""\u006b{key}":{{"a":{key}}}"#))
        .collect();
    let text = format!("{{{}}}", members.join(","));
    let document = parse(&text).unwrap();
    let root = document.root();
    assert_eq!(document.tape.len(), 1 + KEYS * 4);
    assert_eq!(root.as_object().unwrap().count(), KEYS);
    // A look-up passes over the contents of what it does not look for.
    let last = root.get("k99999").unwrap();
    assert_eq!(last.index, document.tape.len() - 3);
    assert_eq!(last.get("a").unwrap().as_u64(), Some(99_999));
}

#[test]
fn strings_decode_and_keep_their_place() {
    let text = r#" {"plain": "täst", "esc\u0061ped": "a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00z"} "#;
    let document = parse(text).unwrap();
    let members: Vec<_> = document.root().as_object().unwrap().collect();
    let (key, plain) = &members[0];
    assert_eq!((key.as_ref(), plain.raw()), ("plain", r#""täst""#));
    assert!(matches!(plain.as_str(), Some(Cow::Borrowed("täst"))));
    let (key, escaped) = &members[1];
    assert_eq!(key, "escaped");
    assert_eq!(
        escaped.as_str().unwrap(),
        "a\"\\/\u{8}\u{c}\n\r\té\u{1f600}z"
    );
    assert_eq!(&text[escaped.span()], escaped.raw());
    assert_eq!(document.root().span(), 1..text.len() - 1);
}

#[test]
fn numbers_are_whole_by_value_and_not_by_spelling() {
    let number = |text: &str| {
        let document = parse(text).unwrap();
        let root = document.root();
        (root.as_u64(), root.as_i64(), root.as_f64())
    };
    assert_eq!(number("0"), (Some(0), Some(0), Some(0.0)));
    assert_eq!(number("-0"), (Some(0), Some(0), Some(-0.0)));
    assert_eq!(number("1e2"), (Some(100), Some(100), Some(100.0)));
    assert_eq!(number("4096.0"), (Some(4096), Some(4096), Some(4096.0)));
    assert_eq!(number("-7"), (None, Some(-7), Some(-7.0)));
    assert_eq!(number("0.5"), (None, None, Some(0.5)));
    assert_eq!(number("18446744073709551615").0, Some(u64::MAX));
    assert_eq!(number("18446744073709551616").0, None);
    assert_eq!(number("1e400"), (None, None, None));
    // 2^53 + 1 is no double; whole it is exact, with a point it would be taken for its neighbour.
    assert_eq!(number("9007199254740993").0, Some((1 << 53) + 1));
    assert_eq!(number("9007199254740993.0").0, None);
    assert_eq!(number("9007199254740991.0").0, Some((1 << 53) - 1));
    assert_eq!(number("-9223372036854775808").1, Some(i64::MIN));
    assert_eq!(number("-9223372036854775809").1, None);
    assert_eq!(number(&"9".repeat(100_000)).0, None);
    assert_eq!(number(&format!("1.{}", "0".repeat(100_000))).0, Some(1));
}

#[test]
fn a_member_is_found_among_nested_ones_and_the_last_duplicate_wins() {
    let document = parse(r#"{"a":{"b":1},"b":2,"c":[{"b":3}],"b":4}"#).unwrap();
    let root = document.root();
    assert_eq!(root.get("b").unwrap().as_u64(), Some(4));
    assert_eq!(root.get("a").unwrap().get("b").unwrap().as_u64(), Some(1));
    assert!(root.get("z").is_none());
    assert!(root.get("c").unwrap().get("b").is_none());
}

#[test]
fn a_fault_is_located_by_line_and_character() {
    let text = "{\n  \"é\": nope\n}";
    let error = parse(text).unwrap_err();
    assert_eq!(
        error.location(text.as_bytes()).to_string(),
        "line 2 column 9"
    );
    assert_eq!(
        error.to_string(),
        "invalid json: expected a value at byte 11"
    );
}

#[test]
fn special_bytes_are_found_at_every_place_in_a_word() {
    for before in 0..20 {
        for after in 0..20 {
            // High bytes and the neighbours of the bytes that matter must not be taken for them.
            let plain = |length: usize| "é !#[]\u{7f}".chars().cycle().take(length);
            let text: String = plain(before).collect();
            let rest: String = plain(after).collect();
            let encoded = format!("\"{text}\\n{rest}\"");
            let document = parse(&encoded).unwrap();
            assert_eq!(document.root().as_str().unwrap(), format!("{text}\n{rest}"));
            let control = format!("\"{text}\u{1f}{rest}\"");
            assert_eq!(
                fault(&control),
                (JsonErrorKind::ControlCharacter, 1 + text.len())
            );
        }
    }
}

fn any_tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::from),
        any::<i64>().prop_map(Tree::from),
        any::<u64>().prop_map(Tree::from),
        any::<f64>().prop_map(Tree::from),
        any::<String>().prop_map(Tree::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Tree::from),
            prop::collection::hash_map(any::<String>(), inner, 0..8)
                .prop_map(|members| Tree::Object(members.into_iter().collect())),
        ]
    })
}

/// Pieces of JSON in any order: near-misses of every kind.
fn soup() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"a\":",
        "\\",
        "\\\"",
        "\\n",
        "\\u",
        "d83d",
        "\\ud83d",
        "\\udc00",
        "00e9",
        "0",
        "1",
        "-",
        "-0",
        ".",
        "5",
        "e",
        "E+",
        "12.5e-3",
        "true",
        "false",
        "null",
        "nul",
        "NaN",
        " ",
        "\n",
        "\t",
        "\r",
        "\u{0}",
        "\u{b}",
        "é",
        "\u{1f600}",
    ]);
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

/// Accepts what `serde_json` accepts, and reads it the same.
fn agrees_with_serde(bytes: &[u8]) -> Result<(), TestCaseError> {
    let ours = Document::parse(bytes, JsonLimits::default());
    match (serde_json::from_slice::<Tree>(bytes), ours) {
        (Ok(theirs), Ok(ours)) => prop_assert_eq!(tree(ours.root()), theirs),
        (Err(_), Err(_)) => {}
        // A number beyond a double is JSON all the same.
        (Err(error), Ok(_)) if error.to_string().contains("out of range") => {}
        (theirs, ours) => prop_assert!(false, "serde_json: {:?}, ours: {:?}", theirs, ours),
    }
    Ok(())
}

/// The tree without the contents of containers that have this many containers around them.
fn pruned(tree: &Tree, depth: usize) -> Tree {
    match tree {
        Tree::Array(_) | Tree::Object(_) if depth == 0 => match tree {
            Tree::Array(_) => Tree::Array(Vec::new()),
            _ => Tree::Object(serde_json::Map::new()),
        },
        Tree::Array(values) => values
            .iter()
            .map(|value| pruned(value, depth - 1))
            .collect(),
        Tree::Object(members) => members
            .iter()
            .map(|(key, value)| (key.clone(), pruned(value, depth - 1)))
            .collect(),
        scalar => scalar.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_surface_reads_the_same_however_much_is_kept(value in any_tree(), kept_depth in 0..5_usize) {
        let text = value.to_string();
        let limits = JsonLimits { kept_depth, ..JsonLimits::default() };
        let document = Document::parse(text.as_bytes(), limits).unwrap();
        prop_assert_eq!(document.root().raw(), &text);
        // Read back, because not every double comes back from its text as it was.
        let value: Tree = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(tree(document.root()), pruned(&value, kept_depth));
    }

    #[test]
    fn what_serde_writes_reads_the_same(value in any_tree(), pretty: bool) {
        let text = if pretty {
            serde_json::to_string_pretty(&value)
        } else {
            serde_json::to_string(&value)
        };
        agrees_with_serde(text.unwrap().as_bytes())?;
    }

    #[test]
    fn damage_is_noticed_where_serde_notices_it(
        value in any_tree(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = serde_json::to_vec(&value).unwrap();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        agrees_with_serde(&bytes)?;
        agrees_with_serde(&bytes[..cut.index(bytes.len() + 1)])?;
    }

    #[test]
    fn pieces_in_any_order_are_judged_as_serde_judges_them(text in soup()) {
        agrees_with_serde(text.as_bytes())?;
    }

    #[test]
    fn any_text_survives_as_a_literal(text: String) {
        let encoded = literal(&text);
        let document = parse(&encoded).unwrap();
        prop_assert_eq!(document.root().as_str().unwrap(), text);
    }
}

#[test]
fn members_of_an_object_are_set_and_all_else_stays() {
    for (object, expected) in [
        (
            r#"{ "a" : 1.50, "k":[{}], "b":{"k":2} }"#,
            r#"{ "a" : 1.50, "k":null, "b":{"k":2} ,"new":{}}"#,
        ),
        (r#"{"b":{}}"#, r#"{"b":{},"k":null,"new":{}}"#),
        (r#"{"new":1,"k":2}"#, r#"{"new":{},"k":null}"#),
        ("{ }", r#"{ "k":null,"new":{}}"#),
        ("[1]", r#"{"k":null,"new":{}}"#),
        ("no json", r#"{"k":null,"new":{}}"#),
    ] {
        let found = with_members(object, &[("k", "null"), ("new", "{}")]);
        assert_eq!(found, expected, "{object}");
    }
    assert_eq!(with_members(" {\"a\":1} ", &[]), "{\"a\":1}");
}
