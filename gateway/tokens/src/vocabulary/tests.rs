use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// From OpenAI's cookbook, "How to count tokens with tiktoken".
#[test]
fn counts_are_the_published_ones() {
    for (text, cl100k, o200k) in [
        ("antidisestablishmentarianism", 6, 6),
        ("2 + 2 = 4", 7, 7),
        ("お誕生日おめでとう", 9, 8),
    ] {
        assert_eq!(CL100K.count(text), Count::exact(cl100k), "{text}");
        assert_eq!(O200K.count(text), Count::exact(o200k), "{text}");
    }
}

#[test]
fn special_tokens_in_text_are_ordinary_text() {
    for vocabulary in [&O200K, &CL100K] {
        assert!(vocabulary.count("<|endoftext|>").tokens > 1);
    }
}

#[test]
fn nothing_has_no_tokens() {
    assert_eq!(O200K.count(""), Count::exact(0));
}

#[test]
fn weights_are_bytes_where_vocabularies_differ_most() {
    for (bytes, most) in [
        (&b","[..], 1),
        (b" the", 2),
        (b" implementation", 4),
        (b"2024", 4),
        ("日本".as_bytes(), 6),
        (&[b' '; 80], 20),
        (&[0xE6], 1),
    ] {
        assert_eq!(weight(bytes), most, "{bytes:?}");
    }
}

#[test]
fn bounds_hold_for_vocabularies_that_know_less() {
    // Gemma writes digits one by one; a byte-level vocabulary may know none of these characters.
    for (text, count) in [
        ("3.14159265358979", 16),
        ("the cat sat on the mat", 6),
        ("नमस्ते", 18),
    ] {
        let bound = O200K.bound(text);
        assert!(bound.tokens >= count, "{text}: {bound:?}");
        assert_eq!(bound.certainty, Certainty::UpperBound);
        assert!(bound.tokens <= tokens(text.len()));
    }
}

/// No run of anything may make the pattern or the merging of pairs run away, or fail.
#[test]
fn megabytes_of_anything_are_counted_in_time() {
    const LENGTH: usize = 1_000_000;
    O200K.load();
    CL100K.load();
    for unit in [
        "a",
        "A",
        "日",
        " ",
        "\n",
        " \n",
        "é",
        "e\u{301}",
        "👩‍👩‍👧",
        "=",
        "1",
        "x\t",
        "'s",
        "aB1-",
    ] {
        let text = unit.repeat(LENGTH / unit.len());
        for vocabulary in [&O200K, &CL100K] {
            let before = cpu_time();
            let count = vocabulary.count(&text);
            assert!(count.tokens > 0 && count.tokens <= tokens(text.len()));
            if let Some(taken) = cpu_time()
                .zip(before)
                .and_then(|(after, before)| after.checked_sub(before))
            {
                assert!(taken < Duration::from_secs(1), "{unit:?}: {taken:?}");
            }
        }
    }
}

/// The time that this thread has had on a processor, which other work on the machine does not change.
fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = stat.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

/// The pattern of both vocabularies in one alphabet of what it tells apart.
fn texts() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop::sample::select(vec![
            "a",
            "B",
            "Zebra",
            "word",
            " ",
            "  ",
            "\n",
            "\r\n",
            "\t",
            "/",
            "'s",
            "12",
            "3",
            ".",
            "!?",
            "é",
            "日本",
            "\u{3000}",
            "\u{301}",
            "👍🏽",
            "<|endoftext|>",
            "_",
            "\"",
            "\\",
        ]),
        0..60,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn words_end_where_pieces_are_cut(text in texts()) {
        for vocabulary in [&O200K, &CL100K] {
            let whole = vocabulary.tokens().count_ordinary(&text);
            for at in (1..text.len()).filter(|at| ends_word(&text, *at)) {
                let (left, right) = text.split_at(at);
                let parts = vocabulary.tokens().count_ordinary(left)
                    + vocabulary.tokens().count_ordinary(right);
                prop_assert_eq!(parts, whole, "{:?} | {:?}", left, right);
            }
        }
    }

    #[test]
    fn a_token_has_at_least_a_byte(text in any::<String>()) {
        let length = tokens(text.len());
        for vocabulary in [&O200K, &CL100K] {
            prop_assert!(vocabulary.count(&text).tokens <= length);
        }
        prop_assert!(O200K.bound(&text).tokens <= length);
        prop_assert!(O200K.bound(&text).tokens >= O200K.count(&text).tokens);
    }
}

#[test]
fn pieces_make_up_the_text() {
    let words = "Die Würde des Menschen ist unantastbar.\n".repeat(5_000);
    let run = "ü".repeat(100_000);
    for (text, torn) in [(&words, false), (&run, true)] {
        let pieces: Vec<_> = Pieces(text).collect();
        assert!(pieces.len() > 1);
        assert!(pieces.iter().all(|piece| piece.text.len() <= PIECE));
        assert_eq!(pieces.iter().any(|piece| piece.torn), torn);
        assert_eq!(
            pieces.iter().map(|piece| piece.text).collect::<String>(),
            *text
        );
    }
    assert_eq!(O200K.count(&words).certainty, Certainty::Exact);
    assert_eq!(O200K.count(&run).certainty, Certainty::UpperBound);
    let whole = O200K.tokens().count_ordinary(&words);
    assert_eq!(O200K.count(&words), Count::exact(tokens(whole)));
}
