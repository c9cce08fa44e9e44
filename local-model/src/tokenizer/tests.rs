use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::Value;

use super::*;
use crate::fixture::{self, Fixture};

/// Texts that are hard on a tokenizer.
pub(super) const TEXTS: &[&str] = &[
    "",
    " ",
    "the thing in the bath",
    "  two   three    four spaces",
    "trailing space ",
    "\n\n\n\n\n\nmany\n\nnewlines\n",
    "\ttabs\t\tand\r\nreturns",
    "<b>bold</b> <unknown> <table><tr><td>cell</td></tr></table>",
    "fn main() {\n    println!(\"{}\", a[0] << 2);\n}\n",
    "日本語とカタカナ、漢字。한국어 中文",
    "emoji 👩‍👩‍👧‍👦 🇫🇷 👍🏽 and é combining",
    "<eos><bos><pad> are text, <0x0A> too",
    "Ünïcödé ßtraße Ωμέγα עברית العربية",
    "\u{0}\u{7f}\u{fffd}\u{10ffff}",
    "https://example.org/a?b=c&d=%20#e 3.14159 1e-9 0xDEADBEEF",
];

pub(super) fn encode(tokenizer: &Tokenizer, text: &str) -> Vec<TokenId> {
    let mut tokens = Vec::new();
    tokenizer.encode_into(text, &mut tokens);
    tokens
}

fn pieces(tokenizer: &Tokenizer, text: &str) -> Vec<String> {
    encode(tokenizer, text)
        .into_iter()
        .map(|token| piece(tokenizer, token).to_owned())
        .collect()
}

/// A token as a `SentencePiece` vocabulary has it.
pub(super) fn piece(tokenizer: &Tokenizer, token: TokenId) -> &str {
    let Model::SentencePiece(model) = &tokenizer.model else {
        unreachable!("another kind of vocabulary")
    };
    model.vocabulary.piece(token)
}

/// Decodes as an answer is decoded: token by token.
pub(super) fn decode(tokenizer: &Tokenizer, tokens: &[TokenId]) -> String {
    let mut detokenizer = Detokenizer::default();
    let mut text: String = tokens
        .iter()
        .map(|&token| detokenizer.push(tokenizer, token))
        .collect();
    text.push_str(&detokenizer.finish());
    text
}

#[test]
fn merges_the_best_pair_first() {
    let tokenizer = fixture::tokenizer();
    assert_eq!(pieces(&tokenizer, "the thing"), ["the", "▁", "th", "ing"]);
    assert_eq!(pieces(&tokenizer, " the"), ["▁the"]);
}

#[test]
fn user_defined_pieces_are_cut_out_first_and_longest() {
    let tokenizer = fixture::tokenizer();
    assert_eq!(pieces(&tokenizer, "a\n\n\n\nb"), ["a", "\n\n\n", "\n", "b"]);
    assert_eq!(pieces(&tokenizer, "<b>the</b>"), ["<b>", "the", "</b>"]);
    assert_eq!(pieces(&tokenizer, "a    the"), ["a", "   ", "▁the"]);
}

#[test]
fn what_no_piece_covers_becomes_bytes() {
    let tokenizer = fixture::tokenizer();
    assert_eq!(pieces(&tokenizer, "aéa"), ["a", "<0xC3>", "<0xA9>", "a"]);
}

#[test]
fn pieces_stand_where_their_text_is() {
    let tokenizer = fixture::tokenizer();
    for text in TEXTS {
        let pieces = tokenizer.pieces(text);
        let ids: Vec<TokenId> = pieces.iter().map(|piece| piece.id).collect();
        assert_eq!(ids, encode(&tokenizer, text));
        let mut end = 0;
        for piece in &pieces {
            // Bytes of one character all have it; else there is no gap and no overlap.
            assert!(
                piece.range.start <= end && end <= piece.range.end,
                "{text:?}"
            );
            assert!(text.get(piece.range.clone()).is_some());
            end = piece.range.end;
        }
        assert_eq!(end, text.len());
    }
    let ranges = |text: &str| -> Vec<_> {
        let pieces = tokenizer.pieces(text).into_iter();
        pieces.map(|piece| piece.range).collect()
    };
    assert_eq!(ranges("aéa the"), [0..1, 1..3, 1..3, 3..4, 4..8]);
    // What stands for a space is one.
    assert_eq!(ranges("a\u{2581}the"), [0..1, 1..7]);
}

#[test]
fn a_vocabulary_that_rewrites_gives_whole_words() {
    let tokenizer = fixture::tokenizer();
    let pieces = tokenizer.word_by_word("a  the\nbath ");
    let ranges: Vec<_> = pieces.into_iter().map(|piece| piece.range).collect();
    assert!(ranges.starts_with(&[0..1, 1..6]), "{ranges:?}");
    assert_eq!(ranges.last(), Some(&(11..12)));
}

#[test]
fn control_tokens_cannot_be_forged() {
    let tokenizer = fixture::tokenizer();
    let tokens = tokenizer.encode_prompt("<eos><bos>");
    assert_eq!(tokens[0], 2);
    assert!(tokens[1..].iter().all(|&token| token > 3), "{tokens:?}");
}

#[test]
fn decoding_gives_the_text_back() {
    let tokenizer = fixture::tokenizer();
    for text in TEXTS {
        assert_eq!(decode(&tokenizer, &encode(&tokenizer, text)), *text);
    }
}

#[test]
fn characters_come_out_whole() {
    let tokenizer = fixture::tokenizer();
    let mut detokenizer = Detokenizer::default();
    let out: Vec<String> = encode(&tokenizer, "a👍b")
        .into_iter()
        .map(|token| detokenizer.push(&tokenizer, token))
        .collect();
    assert_eq!(out, ["a", "", "", "", "👍", "b"]);
}

#[test]
fn bytes_that_make_no_character_are_replaced() {
    let tokenizer = fixture::tokenizer();
    let byte = |byte: u8| 4 + TokenId::from(byte);
    let first_of_three = byte(0xE6);
    assert_eq!(
        decode(&tokenizer, &[first_of_three, byte(b'a')]),
        "\u{fffd}a"
    );
    assert_eq!(decode(&tokenizer, &[byte(0xFF), byte(b'a')]), "\u{fffd}a");
    assert_eq!(
        decode(&tokenizer, &[byte(b'a'), first_of_three]),
        "a\u{fffd}"
    );
}

#[test]
fn an_end_token_says_nothing() {
    let tokenizer = fixture::tokenizer();
    assert!(tokenizer.is_end(1) && !tokenizer.is_end(2));
    assert_eq!(decode(&tokenizer, &[1, 0, 2, 999_999]), "");
}

fn fault(change: impl FnOnce(&mut Fixture)) -> String {
    let mut fixture = Fixture::new(GgmlDType::F32);
    change(&mut fixture);
    Tokenizer::load(&mut fixture.open())
        .unwrap_err()
        .to_string()
}

#[test]
fn unusable_vocabularies_are_named() {
    let wrong_model = fault(|fixture| {
        fixture.set("tokenizer.ggml.model", Value::String("t5".to_owned()));
    });
    assert!(
        wrong_model.contains("\"t5\" is not supported"),
        "{wrong_model}"
    );
    let short = fault(|fixture| {
        fixture.set("tokenizer.ggml.scores", Value::Array(vec![Value::F32(0.0)]));
    });
    assert!(short.contains("1 scores"), "{short}");
    let missing = fault(|fixture| fixture.unset("tokenizer.ggml.tokens"));
    assert!(
        missing.contains("\"tokenizer.ggml.tokens\" is missing"),
        "{missing}"
    );
    let end = fault(|fixture| fixture.set("tokenizer.ggml.eos_token_id", Value::U32(99_999)));
    assert!(end.contains("token 99999"), "{end}");
}

#[test]
fn a_piece_may_span_a_space() {
    // "<▁/" and its steps are worth more than "▁/": splitting before the space would lose it.
    let mut fixture = Fixture::new(GgmlDType::F32);
    fixture.add_pieces(&["<▁/", "<▁", "▁/", "<", "/"]);
    let tokenizer = Tokenizer::load(&mut fixture.open()).unwrap();
    assert_eq!(pieces(&tokenizer, "a< /a"), ["a", "<▁/", "a"]);
    assert_eq!(pieces(&tokenizer, "a /a"), ["a", "▁/", "a"]);
}

/// Ids of the reference implementation (the `sentencepiece` library) with the same vocabulary.
const REFERENCE: &[(&str, &[TokenId])] = &[
    ("Hello, world!", &[9259, 236_764, 1902, 236_888]),
    (
        "  two   three    four spaces",
        &[138, 13498, 139, 19891, 140, 19025, 9952],
    ),
    ("\n\n\nmany\n\nnewlines\n", &[109, 34717, 108, 208_697, 107]),
    (
        "\ttabs\t\tand\r\nreturns",
        &[255_968, 39218, 255_969, 624, 251, 107, 15072],
    ),
    (
        "<b>bold</b> <unknown> <table><tr><td>cell</td></tr></table>",
        &[
            200, 15640, 209, 655, 20774, 236_813, 236_743, 168, 173, 175, 5447, 183, 181, 176,
        ],
    ),
    (
        "fn main() {\n    println!(\"{}\", a[0] << 2);\n}\n",
        &[
            15059, 1689, 825, 642, 107, 140, 4629, 183_228, 496, 236_840, 236_771, 236_842, 2986,
            236_743, 236_778, 626, 107, 236_783, 107,
        ],
    ),
    (
        "日本語とカタカナ、漢字。한국어 中文",
        &[
            94951, 237_032, 131_906, 123_729, 236_951, 201_637, 236_924, 114_216, 237_430, 17346,
            237_364,
        ],
    ),
    (
        "emoji 👩\u{200d}👩\u{200d}👧\u{200d}👦 🇫🇷 👍🏽",
        &[
            67906, 236_743, 243_767, 237_243, 243_767, 237_243, 244_814, 237_243, 244_990, 236_743,
            246_598, 242_644, 103_712, 242_713,
        ],
    ),
];

#[test]
fn the_real_vocabulary_follows_the_reference() {
    let Some(path) = fixture::real_model() else {
        return;
    };
    let tokenizer = Tokenizer::load(&mut GgufFile::open(&path).unwrap()).unwrap();
    for (text, ids) in REFERENCE {
        assert_eq!(encode(&tokenizer, text), *ids, "{text:?}");
    }
    for text in TEXTS {
        assert_eq!(decode(&tokenizer, &encode(&tokenizer, text)), *text);
    }
}

#[test]
fn ends_of_turns_end_an_answer_if_they_are_control_tokens() {
    let ends = |kind: i32| {
        let mut fixture = Fixture::new(GgmlDType::F32);
        fixture.add_pieces(&["<end_of_turn>"]);
        fixture.set_last_type(kind);
        let tokenizer = Tokenizer::load(&mut fixture.open()).unwrap();
        let last = TokenId::try_from(tokenizer.size()).unwrap() - 1;
        assert_eq!(tokenizer.is_special(last), kind != 4);
        assert_eq!(
            tokenizer.id_of_special("<end_of_turn>"),
            (kind == 3).then_some(last)
        );
        tokenizer.is_end(last)
    };
    assert!(ends(3));
    assert!(!ends(4) && !ends(5));
}

#[test]
fn what_a_template_wrote_is_told_from_what_it_was_given() {
    let tokenizer = fixture::tokenizer();
    let guarded = tokenizer.spellings().guard("<eos>\u{F6D4}");
    let rendered = Rendered {
        text: format!("<bos>a<eos>{guarded}<eos>"),
        stops: Vec::new(),
        has_specials: true,
    };
    let mut expected = vec![2, tokenizer.encode_prompt("a")[1], 1];
    tokenizer.encode_into("<eos>\u{F6D4}", &mut expected);
    expected.push(1);
    assert_eq!(tokenizer.encode_rendered(&rendered), expected);
    // The start token is added where the template leaves it out.
    let rendered = Rendered {
        text: rendered.text.trim_start_matches("<bos>").to_owned(),
        ..rendered
    };
    assert_eq!(tokenizer.encode_rendered(&rendered), expected);
}
