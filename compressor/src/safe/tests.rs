use proptest::prelude::*;
use skinflint_tokens::{Counter, Encoding};

use super::*;

fn tokens(text: &str) -> usize {
    let count = Counter::new(0).text(&Encoding::O200k, text);
    usize::try_from(count.tokens).unwrap()
}

fn compress(text: &str) -> Option<Compressed> {
    compress_safely(text, Origin::Other, Notation::default(), &tokens)
}

fn flights(rows: usize) -> String {
    let rows: Vec<String> = (0..rows)
        .map(|row| {
            format!(
                r#"{{"flight_number": "HAT{row:03}", "price": {}.50, "seats": {{"economy": {row}, "business": null}}}}"#,
                100 + row
            )
        })
        .collect();
    format!("[{}]", rows.join(", "))
}

/// Flights whose seats are no object.
fn plain_flights(rows: usize) -> String {
    flights(rows)
        .replace(r#""seats": {"economy""#, r#""economy""#)
        .replace("}}", "}")
}

#[test]
fn lists_become_tables_behind_a_hint_and_come_back() {
    for (text, stage, hint) in [
        (
            plain_flights(20),
            Stage::Tables,
            "Tables: [rows:columns;row;row]\n",
        ),
        (
            flights(20),
            Stage::UnionTables,
            "Tables: [rows:columns;row;row]; a{b,c}: object a\n",
        ),
    ] {
        let compressed = compress(&text).unwrap();
        assert_eq!(compressed.stages, [Stage::Minify, stage]);
        assert!(compressed.text.starts_with(hint));
        assert!(compressed.tokens_after * 10 < compressed.tokens_before * 7);
        assert_eq!(
            restore(&compressed.text).unwrap(),
            jton::minify(&text).unwrap()
        );
        assert_eq!(compress(&compressed.text), None);
    }
}

#[test]
fn a_hint_is_given_once_in_a_conversation() {
    let first = compress(&plain_flights(20)).unwrap();
    let (explained, _) = Notation::split(&first.text).unwrap();
    let next = compress_safely(&plain_flights(9), Origin::Other, explained, &tokens).unwrap();
    assert!(next.text.starts_with("Tables:\n[9:"));
    assert_eq!(
        restore(&next.text).unwrap(),
        jton::minify(&plain_flights(9)).unwrap()
    );
    assert_eq!(
        compress_safely(&next.text, Origin::Other, explained, &tokens),
        None
    );
    let sparse = r#"[{"id":1,"a":10,"b":2},{"id":2,"b":3},{"id":3,"a":4},{"id":4},{"id":5,"a":1,"b":9},{"id":6,"a":1,"b":9},{"id":7,"a":1},{"id":8,"b":9},{"id":9,"a":1,"b":9},{"id":10,"a":1,"b":9}]"#;
    let union = compress_safely(sparse, Origin::Other, explained, &tokens).unwrap();
    let (said, _) = Notation::split(&union.text).unwrap();
    assert!(said.optional, "{}", union.text);
    assert!(!explained.includes(said) && explained.and(said).includes(said));
}

#[test]
fn a_table_of_few_rows_does_not_pay_for_its_hint() {
    let compressed = compress(&flights(1)).unwrap();
    assert_eq!(compressed.stages, [Stage::Minify]);
    assert_eq!(compress(&compressed.text), None);
}

#[test]
fn bytes_that_an_agent_may_edit_by_stay() {
    assert_eq!(
        compress_safely(&flights(20), Origin::Verbatim, Notation::default(), &tokens),
        None
    );
    let read = "     1\tfn main() {\n     2\t    body();   \n     3\t}\n".repeat(20);
    assert_eq!(compress(&read), None);
}

#[test]
fn numbers_stay_as_they_are_spelled() {
    let text = r#"[ {"a": 1.0, "b": 1e400, "c": -0}, {"a": 12345678901234567890123, "b": 0.10, "c": 5} , {"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2, "c": 3} ]"#;
    let compressed = compress(text).unwrap();
    assert_eq!(
        restore(&compressed.text).unwrap(),
        jton::minify(text).unwrap()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nothing_grows_or_panics_and_json_comes_back(
        text in prop_oneof![
            ".{0,400}",
            "[ -~\n]{0,400}",
            prop::collection::vec("(INFO|WARN) [0-9]{1,3} [a-c]{1,9}  \n", 0..30).prop_map(|lines| lines.concat()),
            prop::collection::vec(r#"\{ "id" : [0-9]{1,4}, "name": "[a-z\\n]{0,8}" \}"#, 0..20)
                .prop_map(|rows| format!("[ {} ]", rows.join(" , "))),
        ],
    ) {
        if let Some(compressed) = compress(&text) {
            prop_assert!(compressed.tokens_after < compressed.tokens_before);
            prop_assert_eq!(tokens(&compressed.text), compressed.tokens_after);
            let restored = restore(&compressed.text).unwrap();
            if let Ok(minified) = jton::minify(&text) {
                prop_assert_eq!(restored, minified);
            } else if compressed.normalised.is_empty() {
                prop_assert_eq!(restored, text);
            }
            prop_assert_eq!(compress(&compressed.text), None);
        }
    }
}

#[test]
fn long_texts_are_counted_a_few_times() {
    let text = plain_flights(600);
    assert!(text.len() > 2 * COUNTED_BYTES);
    let counts = std::cell::Cell::new(0);
    let counting = |text: &str| {
        counts.set(counts.get() + 1);
        tokens(text)
    };
    let compressed = compress_safely(&text, Origin::Other, Notation::default(), &counting).unwrap();
    assert!(counts.get() <= 4, "{}", counts.get());
    assert!(compressed.tokens_after * 10 < compressed.tokens_before * 6);
    assert_eq!(
        restore(&compressed.text).unwrap(),
        jton::minify(&text).unwrap()
    );
}

#[test]
fn a_text_that_begins_like_ours_is_left_alone() {
    let text = "Tables:\nusers (12 rows)\norders (7 rows)\n".repeat(9);
    assert_eq!(compress(&text), None);
    assert_eq!(restore(&text).unwrap(), text);
}

#[test]
fn a_text_that_looks_like_ours_without_its_codes_is_left_alone() {
    let text = format!(
        "\u{1b}[31mTables:\u{1b}[0m\n[2:a;1{}",
        ";2\u{1b}[0m".repeat(40)
    );
    assert_eq!(compress(&text), None);
    assert_eq!(restore(&text).unwrap(), text);
}
