use std::collections::HashMap;

use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::Value;
use serde_json::{Value as Json, json};
use tiktoken_rs::CoreBPE;

use super::super::tests::{TEXTS, decode, encode};
use super::super::trained::{ADDED, SPECIAL, Trained, split_and_bytes};
use super::super::{Tokenizer, byte_level};
use super::*;
use crate::fixture::Fixture;

/// Texts on which the families' expressions differ.
const WORDS: &[&str] = &[
    "I'll we'Ve IT'S don't 1234567 12 345,678.90",
    "a  b   c\n\n  d \r\n\t e    \n",
    "x=1;y+=2 --flag --> <= >= !== ... ??? (((())))",
    "Ⅷ ½ ٣٤٥ 一二三 ２０",
    " leading and trailing   ",
    "e\u{301} and é, \u{ac00} and \u{1100}\u{1161}",
];

fn texts() -> impl Iterator<Item = &'static str> {
    TEXTS.iter().chain(WORDS).copied()
}

fn from_gguf(trained: &Trained, pre: &str) -> Tokenizer {
    Tokenizer::load(&mut trained.gguf(pre).open()).unwrap()
}

/// The same vocabulary with the pre-tokenizer that its family's own `tokenizer.json` has.
fn assert_parity(pre: &str, normalizer: Json, pre_tokenizer: Json, ignore_merges: bool) {
    let trained = Trained::new(normalizer, pre_tokenizer, ignore_merges);
    let from_gguf = from_gguf(&trained, pre);
    let from_json = trained.load_json();
    for text in texts() {
        let ids = encode(&from_gguf, text);
        assert_eq!(ids, encode(&from_json, text), "{pre}: {text:?}");
        assert_eq!(
            decode(&from_gguf, &ids),
            decode(&from_json, &ids),
            "{pre}: {text:?}"
        );
    }
}

#[test]
fn gguf_and_json_give_equal_ids() {
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let qwen = Trained::qwen();
    assert_parity(
        "qwen2",
        qwen.json["normalizer"].clone(),
        qwen.json["pre_tokenizer"].clone(),
        false,
    );
    let llama = split_and_bytes(concat!(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ));
    assert_parity("llama-bpe", Json::Null, llama, true);
    assert_parity("gpt-2", Json::Null, bytes.clone(), false);
    let digits = json!({"type": "Digits", "individual_digits": true});
    let smollm = json!({"type": "Sequence", "pretokenizers": [digits, bytes]});
    assert_parity("smollm", Json::Null, smollm, false);
    let falcon = json!({"type": "Sequence", "pretokenizers": [
        {"type": "Punctuation", "behavior": "Contiguous"},
        bytes,
        {"type": "Digits", "individual_digits": false},
        {"type": "Split", "pattern": {"Regex": "[0-9][0-9][0-9]"}, "behavior": "Isolated", "invert": false},
    ]});
    assert_parity("default", Json::Null, falcon, false);
}

#[test]
fn families_cut_words_differently() {
    let trained = Trained::new(
        Json::Null,
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}),
        false,
    );
    let ids = |pre: &str| {
        let tokenizer = from_gguf(&trained, pre);
        texts()
            .map(|text| encode(&tokenizer, text))
            .collect::<Vec<_>>()
    };
    assert_ne!(ids("gpt-2"), ids("qwen2"));
    assert_ne!(ids("qwen2"), ids("llama-bpe"));
}

#[test]
fn decoding_gives_the_text_back() {
    let tokenizer = from_gguf(&Trained::qwen(), "llama-bpe");
    for text in texts() {
        assert_eq!(decode(&tokenizer, &encode(&tokenizer, text)), text);
    }
}

#[test]
fn qwen_composes_characters() {
    let tokenizer = from_gguf(&Trained::qwen(), "qwen2");
    assert_eq!(
        decode(&tokenizer, &encode(&tokenizer, "e\u{301}")),
        "\u{e9}"
    );
}

/// A vocabulary of OpenAI's as a GGUF file: tokens by rank, and merges found from them.
fn openai(reference: &CoreBPE, size: u32, pre: &str) -> Fixture {
    let tokens: Vec<Vec<u8>> = (0..size)
        .map(|id| reference.decode_bytes(&[id]).unwrap())
        .collect();
    let ranks: HashMap<&[u8], usize> = tokens
        .iter()
        .enumerate()
        .map(|(rank, token)| (token.as_slice(), rank))
        .collect();
    let characters: HashMap<u8, char> = (0..0x200)
        .filter_map(char::from_u32)
        .filter_map(|character| Some((byte_level::byte_of(character)?, character)))
        .collect();
    let written = |bytes: &[u8]| -> String { bytes.iter().map(|byte| characters[byte]).collect() };
    let merges = tokens.iter().enumerate().filter_map(|(rank, token)| {
        let (left, right) = last_merge(token, rank, &ranks)?;
        Some(Value::String(format!(
            "{} {}",
            written(left),
            written(right)
        )))
    });
    let mut fixture = Fixture::new(GgmlDType::F32);
    fixture.set("tokenizer.ggml.model", Value::String("gpt2".to_owned()));
    fixture.set("tokenizer.ggml.pre", Value::String(pre.to_owned()));
    fixture.set("tokenizer.ggml.merges", Value::Array(merges.collect()));
    let types = vec![Value::I32(1); tokens.len()];
    fixture.set("tokenizer.ggml.token_type", Value::Array(types));
    let tokens = tokens.iter().map(|token| Value::String(written(token)));
    fixture.set("tokenizer.ggml.tokens", Value::Array(tokens.collect()));
    fixture
}

/// The two parts that a token was last merged from: what is left when its bytes are merged by all
/// tokens of lower rank.
fn last_merge<'a>(
    token: &'a [u8],
    rank: usize,
    ranks: &HashMap<&[u8], usize>,
) -> Option<(&'a [u8], &'a [u8])> {
    let mut cuts: Vec<usize> = (0..=token.len()).collect();
    while cuts.len() > 3 {
        let best = (0..cuts.len() - 2)
            .filter_map(|at| Some((*ranks.get(&token[cuts[at]..cuts[at + 2]])?, at)))
            .min()
            .filter(|&(other, _)| other < rank)?;
        cuts.remove(best.1 + 1);
    }
    (cuts.len() == 3).then(|| token.split_at(cuts[1]))
}

fn assert_follows(reference: &CoreBPE, size: u32, pre: &str) {
    let tokenizer = Tokenizer::load(&mut openai(reference, size, pre).open()).unwrap();
    assert_eq!(tokenizer.size(), size as usize);
    let mut long = String::new();
    for text in texts() {
        assert_eq!(
            encode(&tokenizer, text),
            reference.encode_ordinary(text),
            "{pre}: {text:?}"
        );
        long.push_str(text);
    }
    assert_eq!(encode(&tokenizer, &long), reference.encode_ordinary(&long));
}

#[test]
fn real_vocabularies_follow_an_independent_implementation() {
    // Llama 3 cuts words as GPT-4 does.
    assert_follows(tiktoken_rs::cl100k_base_singleton(), 100_256, "llama-bpe");
    assert_follows(tiktoken_rs::r50k_base_singleton(), 50_256, "gpt-2");
}

#[test]
fn every_byte_has_a_character() {
    let mut bytes: Vec<u8> = (0..0x200)
        .filter_map(char::from_u32)
        .filter_map(byte_level::byte_of)
        .collect();
    bytes.sort_unstable();
    assert_eq!(bytes, (0..=255).collect::<Vec<u8>>());
    assert_eq!(bytes_of("ĠaĊ日"), [b" a\n", "日".as_bytes()].concat());
    let alphabet = ByteLevel::alphabet();
    assert!(alphabet.iter().all(|&c| byte_level::byte_of(c).is_some()));
}

#[test]
fn special_tokens_are_told_from_text() {
    let tokenizer = from_gguf(&Trained::qwen(), "qwen2");
    assert_eq!(tokenizer.id_of_special("<|im_end|>"), Some(2));
    assert_eq!(tokenizer.id_of_special("<tool_call>"), None);
    let unused = u32::try_from(tokenizer.size()).unwrap() - 1;
    assert_eq!(
        tokenizer.special_ids().collect::<Vec<_>>(),
        [0, 1, 2, unused]
    );
    assert!(tokenizer.is_special(unused + 1));
    assert_eq!(tokenizer.special_text(1), Some("<|im_start|>"));
    assert_eq!(tokenizer.special_text(unused), Some("[unused]"));
    assert_eq!(tokenizer.token_bytes(1), b"");
    let call = encode(&tokenizer, ADDED[0]);
    assert_eq!(call.len(), 1);
    assert_eq!(tokenizer.token_bytes(call[0]), ADDED[0].as_bytes());
    assert_eq!(tokenizer.special_text(call[0]), None);
    assert!(tokenizer.is_end(0) && !tokenizer.is_end(1) && tokenizer.is_end(2));
    assert_eq!(tokenizer.marks(), (None, Some("<|im_end|>")));
}

#[test]
fn special_tokens_cannot_be_forged() {
    let trained = Trained::qwen();
    for tokenizer in [
        from_gguf(&trained, "qwen2"),
        from_gguf(&trained, "llama-bpe"),
        trained.load_json(),
    ] {
        for text in SPECIAL {
            let ids = tokenizer.encode_prompt(text);
            assert!(ids.iter().all(|&id| !tokenizer.is_special(id)), "{ids:?}");
            assert_eq!(decode(&tokenizer, &ids), text);
        }
    }
}

#[test]
fn the_start_token_is_added_where_the_family_or_the_file_says() {
    let trained = Trained::qwen();
    let first = |pre: &str, add: Option<bool>| {
        let mut fixture = trained.gguf(pre);
        fixture.set("tokenizer.ggml.bos_token_id", Value::U32(0));
        if let Some(add) = add {
            fixture.set("tokenizer.ggml.add_bos_token", Value::Bool(add));
        }
        let tokenizer = Tokenizer::load(&mut fixture.open()).unwrap();
        assert_eq!(tokenizer.marks().0, Some("<|endoftext|>"));
        tokenizer.encode_prompt("a")[0] == 0
    };
    assert!(first("llama-bpe", None) && !first("llama-bpe", Some(false)));
    assert!(!first("qwen2", None) && first("qwen2", Some(true)));
}

fn fault(change: impl FnOnce(&mut Fixture)) -> String {
    let mut fixture = Trained::qwen().gguf("qwen2");
    change(&mut fixture);
    let fault = Tokenizer::load(&mut fixture.open()).unwrap_err();
    fault.to_string()
}

#[test]
fn unusable_vocabularies_are_named() {
    let set = |key: &'static str, value: Value| {
        fault(move |fixture| fixture.set(&format!("tokenizer.ggml.{key}"), value))
    };
    let strings = |items: &[&str]| {
        let items = items.iter().map(|&item| Value::String(item.to_owned()));
        Value::Array(items.collect())
    };
    let unknown = set("pre", Value::String("tekken".to_owned()));
    assert!(
        unknown.contains("pre-tokenizer \"tekken\" is not supported (supported: qwen2, "),
        "{unknown}"
    );
    let short = set("tokens", strings(&["a"]));
    assert!(short.contains("1 tokens and "), "{short}");
    let nothing = set("merges", strings(&["ab"]));
    assert!(nothing.contains("\"ab\" merges nothing"), "{nothing}");
    let foreign = set("merges", strings(&["a 日"]));
    assert!(foreign.contains('日'), "{foreign}");
    // Longer than any token: the library would index out of its buffer.
    let long = "</tool_call>";
    let beyond = set("merges", strings(&[&format!("{long} {long}")]));
    assert!(beyond.contains("unusable vocabulary"), "{beyond}");
    let missing = fault(|fixture| fixture.unset("tokenizer.ggml.merges"));
    assert!(missing.contains("\"tokenizer.ggml.merges\""), "{missing}");
}

#[test]
fn a_vocabulary_that_does_not_fit_the_model_is_refused() {
    let tokenizer = from_gguf(&Trained::qwen(), "qwen2");
    let size = tokenizer.size();
    tokenizer.check_rows(size).unwrap();
    tokenizer.check_rows(size + 64).unwrap();
    assert_eq!(
        tokenizer.check_rows(size - 1).unwrap_err().to_string(),
        format!(
            "wrong tokenizer: it has {size} tokens, the model's embedding has rows for {}; \
             take the tokenizer that came with the model",
            size - 1
        )
    );
}
