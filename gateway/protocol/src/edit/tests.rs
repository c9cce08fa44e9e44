use proptest::prelude::*;

use super::*;

fn apply(body: &'static str, edits: &EditList) -> Result<String, EditError> {
    let edited = edits.apply(&Bytes::from_static(body.as_bytes()))?;
    Ok(String::from_utf8(edited.to_vec()).unwrap())
}

fn list(edits: &[(Span, &'static str)]) -> EditList {
    let mut list = EditList::new();
    for (span, replacement) in edits {
        list.replace(span.clone(), *replacement);
    }
    list
}

#[test]
fn without_edits_the_buffer_is_the_same() {
    let body = Bytes::from(vec![b'x'; 100]);
    let edited = EditList::new().apply(&body).unwrap();
    assert_eq!(edited.as_ptr(), body.as_ptr());
}

#[test]
fn edits_apply_in_any_order() {
    let edits = list(&[(7..10, "!"), (0..1, "<<"), (3..3, "|")]);
    assert_eq!(apply("0123456789", &edits).unwrap(), "<<12|3456!");
}

#[test]
fn insertions_at_one_place_keep_their_order_and_touch_their_neighbours() {
    let edits = list(&[(2..4, ""), (2..2, "a"), (2..2, "b"), (4..4, "c")]);
    assert_eq!(apply("012345", &edits).unwrap(), "01abc45");
}

#[test]
fn faulty_ranges_are_refused() {
    let refused = |edits: &[(Span, &'static str)]| apply("0123", &list(edits)).unwrap_err();
    assert_eq!(
        refused(&[(0..2, "a"), (1..3, "b")]),
        EditError::Overlap { offset: 1 }
    );
    assert_eq!(
        refused(&[(0..3, "a"), (1..1, "b")]),
        EditError::Overlap { offset: 1 }
    );
    #[expect(clippy::reversed_empty_ranges, reason = "the fault under test")]
    let backwards = 3..1;
    for span in [2..5, 5..5, backwards] {
        assert_eq!(
            refused(&[(span.clone(), "a")]),
            EditError::OutOfRange { span, length: 4 }
        );
    }
}

#[test]
fn members_are_added_at_the_end_of_an_object() {
    for (body, object, edited) in [
        (r#"{"a":1}"#, 0..7, r#"{"a":1,"k\"":{"x":2}}"#),
        ("{}", 0..2, r#"{"k\"":{"x":2}}"#),
        ("[ { \n} ]", 2..6, "[ { \n\"k\\\"\":{\"x\":2}} ]"),
    ] {
        let mut edits = EditList::new();
        edits
            .insert_member(body.as_bytes(), &object, "k\"", r#"{"x":2}"#)
            .unwrap();
        assert_eq!(apply(body, &edits).unwrap(), edited);
    }
}

#[test]
fn members_are_not_added_to_anything_else() {
    for span in [0..1, 0..2, 1..4, 0..9] {
        let fault = EditList::new().insert_member(b"[{}]", &span, "k", "1");
        assert_eq!(fault, Err(EditError::NotAnObject { span }));
    }
}

#[test]
fn texts_are_written_as_literals() {
    let mut edits = EditList::new();
    edits.replace_with_text(1..4, "a\"\n\u{1}é");
    assert_eq!(apply("[\"b\"]", &edits).unwrap(), r#"["a\"\n\u0001é"]"#);
}

proptest! {
    #[test]
    fn all_other_bytes_stay(
        pieces in prop::collection::vec(
            (any::<Vec<u8>>(), prop::option::of(any::<Vec<u8>>())), 0..10),
        order in any::<prop::sample::Index>(),
    ) {
        let mut body = Vec::new();
        let mut expected = Vec::new();
        let mut changes = Vec::new();
        for (bytes, replacement) in pieces {
            let span = body.len()..body.len() + bytes.len();
            body.extend_from_slice(&bytes);
            match replacement {
                // Two changes at one empty place would depend on their order.
                Some(replacement) if !bytes.is_empty() => {
                    expected.extend_from_slice(&replacement);
                    changes.push((span, replacement));
                }
                _ => expected.extend_from_slice(&bytes),
            }
        }
        let middle = order.index(changes.len() + 1);
        changes.rotate_left(middle);
        let mut edits = EditList::new();
        for (span, replacement) in changes {
            edits.replace(span, replacement);
        }
        prop_assert_eq!(edits.apply(&Bytes::from(body)).unwrap(), expected);
    }
}
