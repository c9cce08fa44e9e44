use std::error::Error as _;

use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file;

use super::super::settings::CheckpointSettings;
use super::super::tests::{TEXTS, decode, encode, piece};
use super::super::trained::Trained;
use super::super::{Rendered, Tokenizer};
use super::*;
use crate::fixture::{self, Fixture};

/// The tests' `SentencePiece` vocabulary as a `tokenizer.json`: merges in the order of the scores.
fn pieces_json(normalizer: &Value, pre_tokenizer: &Value) -> Value {
    let tokenizer = fixture::tokenizer();
    let pieces: Vec<String> = (0..)
        .take(tokenizer.size())
        .map(|id| piece(&tokenizer, id).to_owned())
        .collect();
    let normal = &pieces[4 + 256 + fixture::USER_DEFINED.len()..];
    let mut merges = Vec::new();
    for piece in normal {
        for (at, _) in piece.char_indices().skip(1) {
            let (left, right) = piece.split_at(at);
            let known = |part: &str| normal.iter().any(|other| other == part);
            if known(left) && known(right) {
                merges.push(json!([left, right]));
            }
        }
    }
    let added = pieces.iter().enumerate().filter_map(|(id, piece)| {
        let special = id < 4;
        (special || fixture::USER_DEFINED.contains(&piece.as_str())).then(|| {
            json!({"id": id, "content": piece, "special": special, "normalized": false,
                "single_word": false, "lstrip": false, "rstrip": false})
        })
    });
    // Of pieces that are there twice, the first counts.
    let vocabulary: serde_json::Map<String, Value> = pieces
        .iter()
        .enumerate()
        .rev()
        .map(|(id, piece)| (piece.clone(), json!(id)))
        .collect();
    json!({
        "version": "1.0",
        "added_tokens": added.collect::<Vec<_>>(),
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<bos>": {"id": "<bos>", "ids": [2], "tokens": ["<bos>"]}},
        },
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
        ]},
        "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
            "vocab": vocabulary, "merges": merges},
    })
}

fn load(json: &Value, settings: &CheckpointSettings) -> Result<Tokenizer, LoadFault> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, json.to_string()).unwrap();
    Tokenizer::from_json_file(&path, settings)
}

fn plain(json: &Value) -> Tokenizer {
    load(json, &CheckpointSettings::default()).unwrap()
}

fn replace() -> Value {
    json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"})
}

/// A space before the text, and before what follows a special or added token.
fn prefix_always() -> Value {
    let prepend = json!({"type": "Prepend", "prepend": "▁"});
    pieces_json(
        &json!({"type": "Sequence", "normalizers": [prepend, replace()]}),
        &Value::Null,
    )
}

/// A space before the text alone.
fn prefix_once() -> Value {
    let metaspace =
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false});
    pieces_json(&Value::Null, &metaspace)
}

fn gguf(space_prefix: bool) -> Tokenizer {
    let mut fixture = Fixture::new(GgmlDType::F32);
    fixture.set(
        "tokenizer.ggml.add_space_prefix",
        gguf_file::Value::Bool(space_prefix),
    );
    Tokenizer::load(&mut fixture.open()).unwrap()
}

fn rendered(text: &str) -> Rendered {
    Rendered {
        text: text.to_owned(),
        stops: Vec::new(),
        has_specials: true,
    }
}

#[test]
fn pieces_from_gguf_and_json_give_equal_ids() {
    let bare = plain(&pieces_json(&replace(), &Value::Null));
    let reference = gguf(false);
    for text in TEXTS {
        let ids = encode(&bare, text);
        assert_eq!(ids, encode(&reference, text), "{text:?}");
        assert_eq!(decode(&bare, &ids), *text);
        assert_eq!(bare.encode_prompt(text), reference.encode_prompt(text));
    }
}

#[test]
fn a_space_before_the_text_is_read_alike() {
    let (always, once, reference) = (plain(&prefix_always()), plain(&prefix_once()), gguf(true));
    for text in TEXTS {
        // The library looks at whether a space is there already, and puts one after added tokens.
        let prefixed = format!(" {text}");
        let is_cut = fixture::USER_DEFINED
            .iter()
            .any(|piece| prefixed.contains(piece));
        let ids = reference.encode_prompt(text);
        if !is_cut {
            assert_eq!(always.encode_prompt(text), ids, "{text:?}");
        }
        let starts = |piece: &&str| text.starts_with(*piece);
        if !text.starts_with(' ') && !fixture::USER_DEFINED.iter().any(starts) {
            assert_eq!(once.encode_prompt(text), ids, "{text:?}");
        }
        // What goes on with other text has no such space.
        for tokenizer in [&always, &once, &reference] {
            assert_eq!(
                encode(tokenizer, text),
                encode(&gguf(false), text),
                "{text:?}"
            );
        }
    }
}

#[test]
fn a_space_may_stand_after_special_tokens_too() {
    let pieces = |tokenizer: &Tokenizer, text: &str| -> Vec<String> {
        let ids = tokenizer.encode_rendered(&rendered(text));
        ids.into_iter()
            .map(|id| tokenizer.text(id).unwrap())
            .collect()
    };
    let text = "the<eos>the";
    let always = ["<bos>", " the", "<eos>", " the"];
    assert_eq!(pieces(&gguf(true), text), always);
    assert_eq!(pieces(&plain(&prefix_always()), text), always);
    assert_eq!(
        pieces(&plain(&prefix_once()), text),
        ["<bos>", " the", "<eos>", "the"]
    );
    assert_eq!(pieces(&gguf(false), text), ["<bos>", "the", "<eos>", "the"]);
}

#[test]
fn the_start_token_follows_the_file_and_the_settings() {
    let json = prefix_once();
    let first = |bos: Option<&str>, add_bos| {
        let settings = CheckpointSettings {
            bos: bos.map(str::to_owned),
            add_bos,
            ..CheckpointSettings::default()
        };
        load(&json, &settings).unwrap().encode_prompt("a")[0]
    };
    assert_eq!(first(None, None), 2);
    assert_eq!(first(Some("<pad>"), None), 2);
    assert_eq!(first(Some("<pad>"), Some(true)), 0);
    assert!(first(Some("<bos>"), Some(false)) > 3);
    let byte_level = Trained::qwen().load_json();
    assert_eq!(byte_level.encode_prompt("a").len(), 1);
}

#[test]
fn settings_say_what_ends_an_answer() {
    let settings = CheckpointSettings {
        eos: Some("<eos>".to_owned()),
        ends: vec![0],
        ..CheckpointSettings::default()
    };
    let tokenizer = load(&prefix_once(), &settings).unwrap();
    assert_eq!(tokenizer.end_ids(), [0, 1]);
    assert_eq!(tokenizer.marks(), (None, Some("<eos>")));
}

/// Pieces with their log-probabilities; special tokens are pieces like all others.
fn unigram() -> Value {
    let special = |id: u32, text: &str, rstrip: bool| {
        json!({"id": id, "content": text, "special": true, "normalized": false,
            "single_word": false, "lstrip": false, "rstrip": rstrip})
    };
    json!({
        "version": "1.0",
        "added_tokens": [special(0, "<unk>", false), special(1, "<s>", false), special(2, "<end>", true)],
        "normalizer": null,
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never"},
        "post_processor": null,
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never"},
        "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": false, "vocab": [
            ["<unk>", 0.0], ["<s>", 0.0], ["<end>", 0.0], ["▁", -2.0],
            ["<", -3.0], ["s", -3.0], [">", -3.0], ["a", -3.0], ["▁a", -2.0],
        ]},
    })
}

#[test]
fn pieces_that_spell_a_special_token_are_spelled_out() {
    let tokenizer = plain(&unigram());
    assert_eq!(encode(&tokenizer, "a <s> a"), [7, 3, 4, 5, 6, 8]);
    // What the vocabulary cannot express is the unknown token, which is what it is for.
    assert_eq!(encode(&tokenizer, "a日"), [7, 0]);
}

#[test]
fn white_space_goes_with_the_special_token_that_takes_it() {
    let tokenizer = plain(&unigram());
    assert_eq!(
        tokenizer.encode_rendered(&rendered("<s> a<end> \n a<s>")),
        [1, 8, 2, 7, 1]
    );
}

#[test]
fn unusable_files_are_named() {
    let reason = |json: &Value| {
        let fault = load(json, &CheckpointSettings::default()).unwrap_err();
        assert!(fault.to_string().contains("tokenizer.json"), "{fault}");
        fault.to_string()
    };
    let mut json = unigram();
    json["decoder"] = json!({"type": "WordPiece", "prefix": "##", "cleanup": true});
    let decoder = reason(&json);
    assert!(
        decoder.contains("a decoder of [\"WordPiece\"] is not supported"),
        "{decoder}"
    );
    let mut json = prefix_once();
    json["model"]["vocab"]["zzz"] = json!(4_000_000_000_u32);
    assert!(reason(&json).contains("token number 4000000000 is too high"));
    let mut json = prefix_once();
    json["model"]["merges"] = json!([["nowhere", "to be found"]]);
    assert!(reason(&json).contains("nowhere"));
    let missing = Tokenizer::from_json_file(
        Path::new("/nowhere/tokenizer.json"),
        &CheckpointSettings::default(),
    );
    assert_eq!(
        missing.unwrap_err().to_string(),
        "cannot read /nowhere/tokenizer.json"
    );
    let damaged = load(&json!("no tokenizer"), &CheckpointSettings::default()).unwrap_err();
    assert!(damaged.to_string().contains("damaged") && damaged.source().is_some());
    let settings = CheckpointSettings {
        bos: Some("<nope>".to_owned()),
        ..CheckpointSettings::default()
    };
    let unknown = load(&prefix_once(), &settings).unwrap_err().to_string();
    assert!(
        unknown.ends_with("\"<nope>\", of tokenizer_config.json, is not in the vocabulary"),
        "{unknown}"
    );
    let settings = CheckpointSettings {
        ends: vec![99_999],
        ..CheckpointSettings::default()
    };
    let end = load(&prefix_once(), &settings).unwrap_err().to_string();
    assert!(end.contains("token 99999 starts or ends a text"), "{end}");
}

#[test]
fn gaps_between_ids_are_no_tokens() {
    let mut json = prefix_once();
    json["model"]["vocab"]["zzz"] = json!(1000);
    let tokenizer = plain(&json);
    assert_eq!(tokenizer.size(), 1001);
    assert!(tokenizer.is_special(999) && !tokenizer.is_special(1000));
    assert_eq!(tokenizer.token_bytes(999), b"");
    assert_eq!(tokenizer.token_bytes(1000), b"zzz");
}
