use serde_json::{Value, json};

use super::super::tests::TEXTS;
use super::super::trained::Trained;
use super::*;

/// A BERT tokenizer in small: lower case, accents off, words into pieces.
pub(crate) fn bert() -> Value {
    let special = |id: u32, text: &str| {
        json!({"id": id, "content": text, "special": true, "normalized": false,
            "single_word": false, "lstrip": false, "rstrip": false})
    };
    let mark = |text: &str| json!({"SpecialToken": {"id": text, "type_id": 0}});
    let known = |text: &str, id: u32| json!({"id": text, "ids": [id], "tokens": [text]});
    let words = [
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "cafe", "un", "##want", "##ed", "日", "本", "[", "]",
        "sep", "the", ",",
    ];
    let vocabulary: serde_json::Map<String, Value> = (0..)
        .zip(words)
        .map(|(id, word)| (word.to_owned(), json!(id)))
        .collect();
    json!({
        "version": "1.0",
        "truncation": {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
        "padding": {"strategy": {"Fixed": 16}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
        "added_tokens": [special(0, "[PAD]"), special(1, "[UNK]"), special(2, "[CLS]"), special(3, "[SEP]")],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [mark("[CLS]"), {"Sequence": {"id": "A", "type_id": 0}}, mark("[SEP]")],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"[CLS]": known("[CLS]", 2), "[SEP]": known("[SEP]", 3)},
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary},
    })
}

fn load(json: &Value) -> TextEncoder {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, json.to_string()).unwrap();
    TextEncoder::load(&path).unwrap()
}

fn ends(encoded: &EncodedText) -> Vec<bool> {
    let last = encoded.ids.len() - 1;
    (0..=last).map(|at| at == 0 || at == last).collect()
}

#[test]
fn tokens_tell_where_they_stand_in_the_text_as_given() {
    let text = "Caf\u{e9}, UNWANTED 日本 x";
    let encoded = load(&bert()).encode(text, 100).unwrap();
    assert_eq!(encoded.ids, [2, 4, 14, 5, 6, 7, 8, 9, 1, 3]);
    assert_eq!(encoded.special, ends(&encoded));
    assert_eq!(encoded.cut, 0);
    let spans: Vec<&str> = encoded
        .offsets
        .iter()
        .map(|range| &text[range.clone()])
        .collect();
    assert_eq!(
        spans,
        [
            "",
            "Caf\u{e9}",
            ",",
            "UN",
            "WANT",
            "ED",
            "日",
            "本",
            "x",
            ""
        ]
    );
}

#[test]
fn a_long_text_is_cut_and_says_by_how_much() {
    let encoder = load(&bert());
    let text = "the the the the the";
    let whole = encoder.encode(text, 7).unwrap();
    assert_eq!((whole.ids.len(), whole.cut), (7, 0));
    let cut = encoder.encode(text, 5).unwrap();
    assert_eq!((cut.ids.as_slice(), cut.cut), (&[2, 13, 13, 13, 3][..], 2));
    assert_eq!(cut.offsets[3], 8..11);
    assert_eq!(cut.special, ends(&cut));
    // Nothing is left but what the encoder wants itself.
    for most in 0..=2 {
        let empty = encoder.encode(text, most).unwrap();
        assert_eq!((empty.ids.as_slice(), empty.cut), (&[2, 3][..], 5));
    }
    assert_eq!(encoder.encode("", 7).unwrap().ids, [2, 3]);
}

#[test]
fn spelled_special_tokens_are_text() {
    let encoded = load(&bert()).encode("[SEP]", 100).unwrap();
    assert_eq!(encoded.ids, [2, 10, 12, 11, 3]);
    assert_eq!(encoded.special, ends(&encoded));
}

#[test]
fn pieces_of_bytes_have_the_place_of_their_whole_character() {
    let mut json = Trained::qwen().json;
    json["normalizer"] = Value::Null;
    let encoder = load(&json);
    for text in TEXTS {
        let found = encoder.encode(text, usize::MAX).unwrap();
        let mut end = 0;
        for range in &found.offsets {
            assert!(text.get(range.clone()).is_some(), "{text:?}: {range:?}");
            assert!(
                range.start <= end && range.end >= end,
                "{text:?}: {range:?}"
            );
            end = range.end;
        }
        assert_eq!(end, text.len(), "{text:?}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let mut json = bert();
    json["model"]["unk_token"] = json!("[NONE]");
    let error = load(&json).encode("zebra", 100).unwrap_err().to_string();
    assert!(
        error.contains("tokenizer.json has no tokens for the text"),
        "{error}"
    );
    let encoder = load(&bert());
    encoder.check_rows(15).unwrap();
    let wrong = encoder.check_rows(14).unwrap_err().to_string();
    assert!(
        wrong.starts_with("wrong tokenizer: it has 15 tokens"),
        "{wrong}"
    );
    let missing = TextEncoder::load(Path::new("/nowhere/tokenizer.json")).unwrap_err();
    assert_eq!(missing.to_string(), "cannot read /nowhere/tokenizer.json");
}
