//! Columns of objects with the same keys.

use super::{both_ways, fault};
use crate::jton::{JtonErrorKind, Profile, decode, decode_strict, encode, encode_by_cost, minify};

#[test]
fn objects_with_the_same_keys_are_groups() {
    let json = r#"[{"id":1,"seats":{"economy":7,"business":3}},{"id":2,"seats":{"economy":5,"business":9}}]"#;
    both_ways(
        json,
        Profile::Union,
        "[2:id,seats{economy,business};1,7,3;2,5,9]",
    );
    both_ways(
        json,
        Profile::Standard,
        r#"[2:id,seats;1,{"economy":7,"business":3};2,{"economy":5,"business":9}]"#,
    );
    both_ways(
        r#"[{"a b":{"c":{"d":[{"x":1},{"x":2}]},"true":null}},{"a b":{"c":{"d":{}},"true":"y"}}]"#,
        Profile::Union,
        r#"[2:"a b"{c{d},"true"};[2:x;1;2],null;{},"y"]"#,
    );
    // Groups in groups, but not without end.
    both_ways(
        r#"[{"a":{"b":{"c":{"d":{"e":{"f":1}}}}}},{"a":{"b":{"c":{"d":{"e":{"f":2}}}}}}]"#,
        Profile::Union,
        r#"[2:a{b{c{d{e}}}};{"f":1};{"f":2}]"#,
    );
}

#[test]
fn groups_may_be_optional_where_that_is_shorter() {
    both_ways(
        r#"[{"id":1,"at":{"x":1,"y":2}},{"id":2},{"id":3,"at":{"x":null,"y":""}}]"#,
        Profile::Union,
        r#"[3:id,at?{x,y};1,1,2;2,,;3,null,""]"#,
    );
    both_ways(
        r#"[{"at":{"x":{"z":1},"y":2},"id":1},{"id":2},{"at":{"x":{"z":3},"y":4}}]"#,
        Profile::Union,
        "[3:at?{x{z},y},id?;1,2,1;,,2;3,4,]",
    );
    // Two objects would save less than the commas of all the rows without them.
    let with = r#"{"id":1,"at":{"a":1,"b":2,"c":3,"d":4}}"#;
    let rows = [vec![with; 2], vec![r#"{"id":2}"#; 40]].concat();
    let table = encode(&format!("[{}]", rows.join(",")), Profile::Union).unwrap();
    assert!(table.starts_with("[42:id,at?;1,{\"a\":1,"), "{table}");
}

#[test]
fn other_objects_are_no_groups() {
    for (left, right) in [
        (r#"{"b":1,"c":2}"#, "null"),
        (r#"{"b":1,"c":2}"#, r#"{"c":1,"b":2}"#),
        (r#"{"b":1,"c":2}"#, r#"{"b":1}"#),
        (r#"{"b":1}"#, r#"{"b":1,"c":2}"#),
        (r#"{"b":1}"#, r#"{"\u0062":1}"#),
        (r#"{"b":1,"b":2}"#, r#"{"b":1,"b":2}"#),
        (r#"{"b":1,"\u0062":2}"#, r#"{"b":1,"\u0062":2}"#),
        ("{}", "{}"),
        (r#"[{"b":1}]"#, r#"[{"b":1}]"#),
    ] {
        both_ways(
            &format!(r#"[{{"a":{left}}},{{"a":{right}}}]"#),
            Profile::Union,
            &format!("[2:a;{left};{right}]"),
        );
    }
    // A single row has no use for a group.
    both_ways(
        r#"[{"id":1,"at":{"x":1}},{"id":2}]"#,
        Profile::Union,
        r#"[2:id,at?;1,{"x":1};2,]"#,
    );
}

#[test]
fn groups_that_others_write_are_read() {
    for (text, json) in [
        (
            "[ 1 : a { b , \"c\" } , d ; 1 , , x ]",
            r#"[{"a":{"b":1,"c":null},"d":"x"}]"#,
        ),
        ("[:a{b|c}|d;1|2|3]", r#"[{"a":{"b":1,"c":2},"d":3}]"#),
        ("[:a{b}\td;1\t3]", r#"[{"a":{"b":1},"d":3}]"#),
        ("[:a?{b,c};1]", r#"[{"a":{"b":1,"c":null}}]"#),
        (
            "[:d,a?{b,c};1;2,3]",
            r#"[{"d":1},{"d":2,"a":{"b":3,"c":null}}]"#,
        ),
        ("[:d,a{b,c};1]", r#"[{"d":1,"a":{"b":null,"c":null}}]"#),
        ("[:a?{b,c},d?;,,;,,1]", r#"[{},{"d":1}]"#),
        (
            "[:a?{b{c{d}},e};,;x-y,2]",
            r#"[{},{"a":{"b":{"c":{"d":"x-y"}},"e":2}}]"#,
        ),
    ] {
        assert_eq!(decode(text).unwrap(), json, "{text}");
        assert_eq!(minify(json).unwrap(), json);
    }
}

#[test]
fn faults_in_groups_say_what_was_expected_and_where() {
    for (text, message) in [
        ("[1:a{};1]", "line 1 column 6: expected a column's name"),
        ("[1:a{b;1]", "line 1 column 7: expected a separator or `}`"),
        ("[1:a{b", "line 1 column 7: expected a separator or `}`"),
        (
            "[1:a{b?};1]",
            "line 1 column 7: expected a separator or `}`",
        ),
        ("[1:a{b,};1]", "line 1 column 8: expected a column's name"),
        (
            "[1:a{b}};1]",
            "line 1 column 8: expected a separator or `;`",
        ),
        (
            "[1:a{b}?;1]",
            "line 1 column 8: expected a separator or `;`",
        ),
        ("[1:a}b;1]", "line 1 column 5: expected a separator or `;`"),
        (
            "[1:a?{b,c};,1]",
            "line 1 column 13: expected an empty cell, as the first of its group is empty",
        ),
        (
            "[1:a{b,c};1,2,3]",
            "line 1 column 15: expected the end of the row, which has its 2 cells",
        ),
    ] {
        assert_eq!(fault(text), message, "{text}");
    }
    assert_eq!(
        decode_strict("[1:a{b,c};1]").unwrap_err().kind,
        JtonErrorKind::ShortRow {
            columns: 2,
            cells: 1,
        }
    );
}

#[test]
fn what_groups_become_is_bounded() {
    let name = "n".repeat(20_000);
    for text in [
        format!("[:{name}{{a}}{}]", ";1".repeat(20_000)),
        format!("[:{}b{};1]", "a{".repeat(200_000), "}".repeat(200_000)),
        "[:a{".repeat(100_000),
    ] {
        match decode(&text) {
            Ok(json) => assert!(json.len() <= 64 * text.len() + (1 << 20)),
            Err(error) => assert!(matches!(
                error.kind,
                JtonErrorKind::TooLarge | JtonErrorKind::Expected(_)
            )),
        }
    }
    let row = format!(r#"{{"a":{{"{}":1}}}}"#, "n".repeat(5_000));
    let json = format!("[{}]", vec![row; 1_000].join(","));
    let encoded = encode(&json, Profile::Union).unwrap();
    assert_eq!(decode(&encoded).unwrap(), json);
}

#[test]
fn groups_are_written_where_they_cost_less() {
    let json = r#"[{"a":{"b":1}},{"a":{"b":2}}]"#;
    let encode = |cost: &dyn Fn(&str) -> usize| encode_by_cost(json, Profile::Union, cost).unwrap();
    assert_eq!(encode(&str::len), "[2:a{b};1;2]");
    let no_groups = |text: &str| text.len() + 100 * text.matches("a{").count();
    assert_eq!(encode(&no_groups), r#"[2:a;{"b":1};{"b":2}]"#);
    assert_eq!(encode(&|text| text.matches(';').count()), json);
}

#[test]
fn what_is_measured_is_bounded() {
    let mut json = "1".to_owned();
    for _ in 0..14 {
        json = format!(r#"[{{"a":{{"b":{json}}}}},{{"a":{{"b":0}}}}]"#);
    }
    let measured = std::cell::Cell::new(0);
    let cost = |text: &str| {
        measured.set(measured.get() + text.len());
        text.len()
    };
    let encoded = encode_by_cost(&json, Profile::Union, &cost).unwrap();
    assert_eq!(decode_strict(&encoded).unwrap(), json);
    assert!(encoded.contains("a{b}"), "{encoded}");
    assert!(measured.get() <= 26 * json.len());
}
