//! The reference's vectors, edge cases, measured savings, and laws.

use serde_json::Value as Tree;

use super::{JtonErrorKind, Profile, decode, decode_strict, encode, encode_by_cost, minify};
use crate::data;

mod groups;
mod laws;
mod measures;
mod speed;

/// The table that a text becomes, and the way back.
#[track_caller]
fn both_ways(json: &str, profile: Profile, expected: &str) {
    let minified = minify(json).unwrap();
    assert_eq!(encode(json, profile).unwrap(), expected, "{json}");
    for decode in [decode, decode_strict] {
        assert_eq!(decode(expected).unwrap(), minified, "{expected}");
    }
}

#[track_caller]
fn fault(text: &str) -> String {
    decode(text).expect_err(text).to_string()
}

#[test]
fn the_references_vectors_decode_alike() {
    #[derive(serde::Deserialize)]
    struct Vectors {
        encode: Vec<Encoded>,
        decode: Vec<Decoded>,
    }
    #[derive(serde::Deserialize)]
    struct Encoded {
        name: String,
        value: Box<serde_json::value::RawValue>,
        jton_1_0_3: String,
        decoded: Tree,
    }
    #[derive(serde::Deserialize)]
    struct Decoded {
        text: String,
        value: Option<Tree>,
        error: Option<String>,
    }
    let Some(text) = data::read("jton/jton_1_0_3_vectors.json") else {
        return;
    };
    let vectors: Vectors = serde_json::from_str(&text).unwrap();
    let read = |text: &str| -> Tree { serde_json::from_str(&decode(text).unwrap()).unwrap() };
    for case in &vectors.encode {
        let json = case.value.get();
        for profile in [Profile::Standard, Profile::Union] {
            let encoded = encode(json, profile).unwrap();
            assert_eq!(decode(&encoded).unwrap(), minify(json).unwrap());
        }
        if case.name.ends_with("UNPARSEABLE") {
            assert!(decode(&case.jton_1_0_3).is_err(), "{}", case.name);
        } else if !case.name.ends_with("LOSSY") {
            assert_eq!(read(&case.jton_1_0_3), case.decoded, "{}", case.name);
        }
    }
    for case in &vectors.decode {
        match &case.value {
            Some(value) => assert_eq!(&read(&case.text), value, "{}", case.text),
            None => assert!(
                decode(&case.text).is_err(),
                "{}: {:?}",
                case.text,
                case.error
            ),
        }
    }
    assert!(vectors.encode.len() >= 27 && vectors.decode.len() >= 26);
}

#[test]
fn lists_of_like_objects_become_tables() {
    for profile in [Profile::Standard, Profile::Union] {
        both_ways(
            r#"[ {"id": 1, "n": "A;b"}, {"id": 2.50, "n": null} ]"#,
            profile,
            r#"[2:id,n;1,"A;b";2.50,null]"#,
        );
        both_ways(
            r#"{"a b":[{"x y":1,"true":-0,"b-c":[]},{"x y":1e400,"true":2,"b-c":{}}]}"#,
            profile,
            r#"{"a b":[2:"x y","true","b-c";1,-0,[];1e400,2,{}]}"#,
        );
        both_ways(
            r#"[{"a":[{"x":1},{"x":2}]},{"a":[{"x":3}]}]"#,
            profile,
            r#"[2:a;[2:x;1;2];[{"x":3}]]"#,
        );
        let long = "n".repeat(65);
        both_ways(
            &format!(r#"[{{"{long}":1}},{{"{long}":2}}]"#),
            profile,
            &format!(r#"[2:"{long}";1;2]"#),
        );
    }
}

#[test]
fn other_lists_stay_as_they_are() {
    for json in [
        "[]",
        "[{}]",
        "[{},{}]",
        r#"[{"a":1}]"#,
        r#"[{"a":1},2]"#,
        r#"[{"a":1},{}]"#,
        r#"[{"a":1,"a":2},{"a":1,"a":2}]"#,
        r#"[{"a":1,"\u0061":2},{"a":1,"\u0061":2}]"#,
        r#"[{"a":1,"a":2},{"a":1}]"#,
        r#"[{"a":1,"b":2},{"b":1,"a":2}]"#,
        r#"[{"a":1},{"b":2},{"c":3},{"d":4},{"e":5},{"f":6}]"#,
        r#""\ud800 and \uDBFF""#,
    ] {
        for profile in [Profile::Standard, Profile::Union] {
            both_ways(json, profile, json);
        }
    }
}

#[test]
fn rows_without_some_columns_have_empty_cells() {
    both_ways(
        r#"[{"id":1,"mail":"a"},{"id":2,"mail":null,"phone":""},{"id":3},{"phone":4}]"#,
        Profile::Union,
        r#"[4:id?,mail?,phone?;1,"a",;2,null,"";3,,;,,4]"#,
    );
    // A key that is first seen late stands where all rows agree.
    both_ways(
        r#"[{"alpha":1,"omega":2},{"alpha":3,"beta":4,"omega":5},{"alpha":1,"omega":2}]"#,
        Profile::Union,
        "[3:alpha,beta?,omega;1,,2;3,4,5;1,,2]",
    );
    both_ways(
        r#"[{"alpha":1,"omega":2},{}, {"alpha":3}]"#,
        Profile::Union,
        "[3:alpha?,omega?;1,2;,;3,]",
    );
    let json = r#"[{"alpha":1,"omega":2},{"alpha":3}]"#;
    both_ways(json, Profile::Standard, json);
}

#[test]
fn what_others_write_is_read() {
    for (text, json) in [
        ("\u{feff}{a:1,}", r#"{"a":1}"#),
        (
            "{ a-b : [1,2,] , /* c */ $_: {} } // end",
            r#"{"a-b":[1,2],"$_":{}}"#,
        ),
        (
            "[ 2 /* rows */ : a , b ;\n 1 , x-y ;\n , \"z\"\n]",
            r#"[{"a":1,"b":"x-y"},{"a":null,"b":"z"}]"#,
        ),
        (
            "[:a\t\"b c\";1\t2;\t]",
            r#"[{"a":1,"b c":2},{"a":null,"b c":null}]"#,
        ),
        (
            "[: a | b; true | NULL; 3]",
            r#"[{"a":true,"b":"NULL"},{"a":3,"b":null}]"#,
        ),
        ("[:a,b?;1]", r#"[{"a":1}]"#),
        (
            "[: \"a\"?, b ; ,[:] ; {c:[1:d;[]]}, null ]",
            r#"[{"b":[]},{"a":{"c":[{"d":[]}]},"b":null}]"#,
        ),
        ("[0:]", "[]"),
        ("[1:a,a;1,2]", r#"[{"a":1,"a":2}]"#),
    ] {
        assert_eq!(decode(text).unwrap(), json, "{text}");
        assert_eq!(decode(json).unwrap(), json);
    }
}

#[test]
fn faults_say_what_was_expected_and_where() {
    for (text, message) in [
        ("", "line 1 column 1: expected a value"),
        (
            "[1,\n  NaN]",
            "line 2 column 3: expected a finite number, which JSON can say",
        ),
        ("{é:1}", "line 1 column 2: expected a key"),
        ("{\"é\" 1}", "line 1 column 6: expected `:`"),
        (
            "[1:a;-Infinity]",
            "line 1 column 6: expected a finite number, which JSON can say",
        ),
        (
            "[1:a;Infinity]",
            "line 1 column 6: expected a finite number, which JSON can say",
        ),
        (
            "[1:a,b;1,2,3]",
            "line 1 column 12: expected the end of the row, which has its 2 cells",
        ),
        ("[1:a;1;]", "line 1 column 8: expected a cell"),
        ("[1:a]", "line 1 column 5: expected a separator or `;`"),
        ("[1:2]", "line 1 column 4: expected a column's name"),
        (
            "[1:a;x y]",
            "line 1 column 8: expected a separator, `;` or `]`",
        ),
        (
            "[1:a;1",
            "line 1 column 7: expected a separator, `;` or `]`",
        ),
        (
            "[1:a;1\n;2]",
            "line 2 column 1: expected no line break before this",
        ),
        ("[abc]", "line 1 column 2: expected a value"),
        ("[,]", "line 1 column 2: expected a value"),
        ("[1] /* ", "line 1 column 8: expected `*/`"),
        ("[1] 2", "line 1 column 5: expected the end"),
        (
            "-01",
            "line 1 column 2: expected a number as JSON writes it",
        ),
        (
            "\"\\x\"",
            "line 1 column 2: expected an escape that JSON knows",
        ),
        (
            "\"\t\"",
            "line 1 column 2: expected an escape in place of the control character",
        ),
        ("\"a", "line 1 column 3: expected `\"`"),
    ] {
        assert_eq!(fault(text), message, "{text}");
    }
    for json in [
        "{a:1}",
        "[1,]",
        "[1:a;1;2]",
        "// c\n1",
        "NaN",
        "\u{feff}1",
        "\"\\ud80\"",
    ] {
        minify(json).expect_err(json);
        encode(json, Profile::Union).expect_err(json);
    }
}

#[test]
fn tables_that_are_not_whole_are_faults_if_strict() {
    for (text, kind) in [
        (
            "[3:a;1;2]",
            JtonErrorKind::RowCount {
                counted: 3,
                found: 2,
            },
        ),
        (
            "[1:a;1;2]",
            JtonErrorKind::RowCount {
                counted: 1,
                found: 2,
            },
        ),
        (
            "[2:]",
            JtonErrorKind::RowCount {
                counted: 2,
                found: 0,
            },
        ),
        (
            "[1:a,b;1]",
            JtonErrorKind::ShortRow {
                columns: 2,
                cells: 1,
            },
        ),
        (
            "[1:a,b?;1]",
            JtonErrorKind::ShortRow {
                columns: 2,
                cells: 1,
            },
        ),
    ] {
        assert_eq!(decode_strict(text).unwrap_err().kind, kind, "{text}");
        decode(text).unwrap();
    }
    assert_eq!(decode_strict("[:a;1;2]").unwrap(), r#"[{"a":1},{"a":2}]"#);
    let error = decode_strict("[\n[3:a;1;2]]").unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 2 column 2: expected 3 rows, found 2"
    );
}

#[test]
fn depth_takes_no_stack() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":1},{\"a\":", "}]")] {
        for depth in [100, 64_000] {
            let json = format!("{}0{}", open.repeat(depth), close.repeat(depth));
            for profile in [Profile::Standard, Profile::Union] {
                let encoded = encode(&json, profile).unwrap();
                assert_eq!(decode_strict(&encoded).unwrap(), json);
                if depth == 100 {
                    let by_cost = encode_by_cost(&json, profile, &str::len).unwrap();
                    assert_eq!(decode_strict(&by_cost).unwrap(), json);
                }
            }
        }
    }
    decode(&"[:a;".repeat(100_000)).unwrap_err();
}

#[test]
fn what_tables_become_is_bounded() {
    let rows = ";1".repeat(20_000);
    let text = format!("[:{}{rows}]", "n".repeat(20_000));
    assert_eq!(decode(&text).unwrap_err().kind, JtonErrorKind::TooLarge);
    // Such a table is not written either.
    let name = "n".repeat(5_000);
    let row = format!(r#"{{"{name}":1}}"#);
    let json = format!("[{}]", vec![row; 1_000].join(","));
    let encoded = encode(&json, Profile::Standard).unwrap();
    assert_eq!(decode(&encoded).unwrap(), json);
    // One column a row would be a table of the square.
    let rows: Vec<_> = (0..5_000)
        .map(|at| format!(r#"{{"key{at}":{at}}}"#))
        .collect();
    let json = format!("[{}]", rows.join(","));
    assert_eq!(encode(&json, Profile::Union).unwrap(), json);
}

#[test]
fn a_table_is_written_where_it_costs_less() {
    let json = r#"{"a":[{"id":1},{"id":2}],"b":[{"x":[{"id":1},{"id":2}]},{"x":0}]}"#;
    let never = |text: &str| text.matches(';').count();
    let always = |text: &str| text.matches('{').count();
    let encode = |cost: &dyn Fn(&str) -> usize| encode_by_cost(json, Profile::Standard, cost);
    assert_eq!(encode(&never).unwrap(), json);
    assert_eq!(encode(&|_| 1).unwrap(), json);
    let tables = r#"{"a":[2:id;1;2],"b":[2:x;[2:id;1;2];0]}"#;
    assert_eq!(encode(&always).unwrap(), tables);
    assert_eq!(encode(&str::len).unwrap(), tables);
}
