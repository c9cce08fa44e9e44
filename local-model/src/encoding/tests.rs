use std::pin::pin;
use std::task::{Context, Poll, Waker};

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::error::{EncodeFault, EngineFault, LoadError};
use crate::fixture;
use crate::fixture::checkpoint::TinyCheckpoint;
use crate::fixture::encoders::{LABELS, MAX_LENGTH, WIDTH, bert, modern_bert};
use crate::tokenizer::encoder::tests::bert as word_pieces;

const TEXTS: [&str; 4] = [
    "the cafe",
    "unwanted",
    "",
    "日本 the unwanted cafe, the cafe",
];

fn options() -> EncoderOptions {
    let team = Team::new(NonZeroUsize::MIN).unwrap();
    EncoderOptions::new(Arc::new(team), "tiny")
}

/// The checkpoint's folder with a vocabulary of word pieces.
fn folder(checkpoint: &TinyCheckpoint) -> TempDir {
    let folder = checkpoint.write();
    write(&folder, "tokenizer.json", &word_pieces());
    folder
}

fn write(folder: &TempDir, name: &str, json: &serde_json::Value) {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, json.to_string()).unwrap();
}

fn embedder(options: EncoderOptions) -> Embedder {
    Embedder::load(folder(&bert()).path(), options).unwrap()
}

/// Tokens and hidden states of a text, by the encoder alone.
fn hidden(folder: &TempDir, text: &str) -> (Vec<u32>, Vec<Vec<f32>>) {
    let team = Team::new(NonZeroUsize::MIN).unwrap();
    let files = Files::open(folder.path()).unwrap();
    let (encoder, _, tokenizer) = files.encoder(&team).unwrap();
    let tokens = tokenizer.encode(text, MAX_LENGTH).unwrap().ids;
    let states = encoder.hidden(&team.lead(), &[&tokens]).unwrap();
    (tokens, states.to_vec2().unwrap())
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn fault<T>(loaded: Result<T, LoadError>) -> String {
    loaded.err().unwrap().fault().to_string()
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn vectors_are_means_of_length_one_in_the_texts_order() {
    let folder = folder(&bert());
    let embedder = Embedder::load(folder.path(), options()).unwrap();
    assert_eq!((embedder.name(), embedder.dimensions()), ("tiny", WIDTH));
    let found = embedder.embed(&TEXTS).await.unwrap();
    assert_eq!((found.vectors.len(), found.cut), (TEXTS.len(), 0));
    let mut count = 0;
    for (text, vector) in TEXTS.iter().zip(&found.vectors) {
        let (tokens, states) = hidden(&folder, text);
        count += tokens.len() as u64;
        let sum = |column: usize| states.iter().map(|row| row[column]).sum();
        let expected: Vec<f32> = (0..WIDTH).map(sum).collect();
        assert!((dot(vector, vector) - 1.0).abs() < 1e-6, "{text:?}");
        assert!(cosine(vector, &expected) > 0.999_999, "{text:?}");
    }
    assert_eq!(found.tokens, count);
    // Two texts that differ have vectors that do.
    assert!(cosine(&found.vectors[0], &found.vectors[1]) < 0.999);
    // A text's vector does not depend on those beside it.
    let alone = embedder_with_memo(0).embed(&TEXTS[3..]).await.unwrap();
    assert_eq!(alone.vectors[0], found.vectors[3]);
}

fn embedder_with_memo(memo_bytes: u64) -> Embedder {
    embedder(EncoderOptions {
        memo_bytes,
        ..options()
    })
}

#[tokio::test]
async fn a_text_that_was_seen_is_not_computed_again() {
    let remembering = embedder_with_memo(DEFAULT_MEMO_BYTES);
    let first = remembering.embed(&TEXTS).await.unwrap();
    // Stopped, it computes nothing any more; what it remembers it still gives, in any order.
    remembering.stop();
    let order = [3, 0, 2, 1, 0];
    let again = remembering.embed(&order.map(|at| TEXTS[at])).await.unwrap();
    for (at, vector) in order.into_iter().zip(&again.vectors) {
        assert!(Arc::ptr_eq(vector, &first.vectors[at]), "text {at}");
    }
    let tokens = remembering.embed(&TEXTS).await.unwrap().tokens;
    assert_eq!(tokens, first.tokens);
    // Without a memo there is nothing left to give.
    let forgetting = embedder_with_memo(0);
    forgetting.embed(&TEXTS).await.unwrap();
    forgetting.stop();
    let fault = forgetting.embed(&TEXTS).await.unwrap_err();
    assert!(matches!(fault, EncodeFault::Engine(EngineFault::Stopped)));
}

#[tokio::test]
async fn texts_are_cut_where_the_folder_says() {
    let folder = folder(&bert());
    let limits = json!({"max_seq_length": 6, "do_lower_case": false});
    write(&folder, "sentence_bert_config.json", &limits);
    let embedder = Embedder::load(folder.path(), options()).unwrap();
    assert_eq!(embedder.max_tokens(), 6);
    let long = "the the the the the the the";
    let found = embedder.embed(&[long, "the the the the"]).await.unwrap();
    assert_eq!((found.tokens, found.cut), (12, 3));
    assert_eq!(found.vectors[0], found.vectors[1]);
    // Remembered, it is still told.
    assert_eq!(embedder.embed(&[long]).await.unwrap().cut, 3);
    // More than the positions that the weights have does not count.
    write(
        &folder,
        "sentence_bert_config.json",
        &json!({"max_seq_length": 1000}),
    );
    let embedder = Embedder::load(folder.path(), options()).unwrap();
    assert_eq!(embedder.max_tokens(), MAX_LENGTH);
    let longer = "the ".repeat(MAX_LENGTH + 5);
    assert_eq!(embedder.embed(&[longer]).await.unwrap().cut, 7);
}

#[tokio::test]
async fn the_first_token_may_stand_for_the_text() {
    let folder = folder(&bert());
    let pooling = |mean: bool, first: bool| json!({"pooling_mode_mean_tokens": mean, "pooling_mode_cls_token": first});
    write(&folder, "1_Pooling/config.json", &pooling(false, true));
    let embedder = Embedder::load(folder.path(), options()).unwrap();
    let found = embedder.embed(&TEXTS[3..]).await.unwrap();
    let (_, states) = hidden(&folder, TEXTS[3]);
    assert!(cosine(&found.vectors[0], &states[0]) > 0.999_999);
    for (mean, first) in [(true, true), (false, false)] {
        write(&folder, "1_Pooling/config.json", &pooling(mean, first));
        let fault = fault(Embedder::load(folder.path(), options()));
        assert!(fault.ends_with("asks for another pooling than the mean or the first token"));
    }
}

#[tokio::test]
async fn classes_stand_beside_their_part_of_the_text() {
    let folder = folder(&modern_bert());
    let classifier = TokenClassifier::load(folder.path(), options()).unwrap();
    assert_eq!(classifier.labels(), ["drop", "keep", "unsure"]);
    assert_eq!(classifier.max_tokens(), MAX_LENGTH);
    let text = "Caf\u{e9}, UNWANTED 日本 x";
    let found = classifier.classify(&["the", text]).await.unwrap();
    let parts: Vec<&str> = found[1]
        .tokens
        .iter()
        .map(|token| &text[token.range.clone()])
        .collect();
    assert_eq!(
        parts,
        ["Caf\u{e9}", ",", "UN", "WANT", "ED", "日", "本", "x"]
    );
    assert_eq!((found[0].tokens.len(), found[1].cut), (1, 0));
    let expected = probabilities(&folder, text);
    // The special token at the start has a class too, which is left out.
    for (token, expected) in found[1].tokens.iter().zip(&expected[1..]) {
        let total: f32 = token.probabilities.iter().sum();
        assert!((total - 1.0).abs() < 1e-6 && token.probabilities.len() == LABELS);
        for (found, expected) in token.probabilities.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
    let long = "the ".repeat(MAX_LENGTH);
    let found = classifier.classify(&[long]).await.unwrap();
    assert_eq!((found[0].tokens.len(), found[0].cut), (MAX_LENGTH - 2, 2));
}

/// Of each token and class, by the encoder alone.
#[tokio::test]
async fn vectors_of_tokens_are_hidden_states() {
    let folder = folder(&bert());
    let encoder = TokenEncoder::load(folder.path(), options()).unwrap();
    assert_eq!((encoder.name(), encoder.width()), ("tiny", WIDTH));
    assert_eq!(encoder.max_tokens(), MAX_LENGTH);
    for (text, found) in TEXTS.iter().zip(encoder.states(&TEXTS).await.unwrap()) {
        let (tokens, states) = hidden(&folder, text);
        // But for the two special tokens around.
        assert_eq!(found.states, states[1..tokens.len() - 1], "{text}");
        assert_eq!((found.ranges.len(), found.cut), (tokens.len() - 2, 0));
        assert!(
            found
                .ranges
                .iter()
                .all(|range| text.get(range.clone()).is_some())
        );
    }
    encoder.stop();
    let refused = encoder.states(&["the"]).await.unwrap_err();
    assert!(matches!(refused, EncodeFault::Engine(EngineFault::Stopped)));
}

#[tokio::test]
async fn ranges_are_told_of_texts_that_do_not_fit() {
    let classifier = TokenClassifier::load(folder(&bert()).path(), options()).unwrap();
    let text = "the cafe ".repeat(40);
    let ranges = classifier.ranges(&text).unwrap();
    let found = classifier.classify(&[&text]).await.unwrap();
    assert_eq!(ranges.len(), found[0].tokens.len() + found[0].cut);
    assert_eq!(ranges[..2], [0..3, 4..8]);
}

fn probabilities(folder: &TempDir, text: &str) -> Vec<Vec<f32>> {
    let team = Team::new(NonZeroUsize::MIN).unwrap();
    let files = Files::open(folder.path()).unwrap();
    let (encoder, mut checkpoint, tokenizer) = files.encoder(&team).unwrap();
    let head = encoder.load_head(&team, LABELS, &mut checkpoint).unwrap();
    let tokens = tokenizer.encode(text, MAX_LENGTH).unwrap().ids;
    let lead = team.lead();
    let states = encoder.hidden(&lead, &[&tokens]).unwrap();
    let logits = encoder.classify(&lead, &head, &states).unwrap();
    let of_row = |row: Vec<f32>| {
        let weights: Vec<f64> = row.iter().map(|logit| f64::from(*logit).exp()).collect();
        let total: f64 = weights.iter().sum();
        weights
            .iter()
            .map(|weight| (weight / total) as f32)
            .collect()
    };
    let rows = logits.to_vec2::<f32>().unwrap();
    rows.into_iter().map(of_row).collect()
}

#[tokio::test]
async fn a_full_queue_refuses_until_somebody_gives_up_or_is_served() {
    let options = EncoderOptions {
        max_texts: NonZeroUsize::new(2).unwrap(),
        ..options()
    };
    let team = Arc::clone(&options.team);
    let embedder = embedder(options);
    // Nothing is computed as long as another model has the threads.
    let lead = team.lead();
    let mut taken = pin!(embedder.embed(&["the", "the the", "the the the"]));
    assert!(
        poll(taken.as_mut()).is_pending(),
        "alone, no call is too large"
    );
    // The encoder's thread takes what waits once, at most; from then on calls stay.
    let mut waiting = Vec::new();
    let refused = loop {
        let owned = embedder.clone();
        let text = "the ".repeat(waiting.len());
        let texts = ["un", "unwanted"].map(|word| format!("{word} {text}"));
        let mut call = Box::pin(async move { owned.embed(&texts).await });
        match poll(call.as_mut()) {
            Poll::Pending => waiting.push(call),
            Poll::Ready(result) => break result.unwrap_err(),
        }
        assert!(waiting.len() <= 2, "never full");
    };
    assert_eq!(refused.to_string(), "the queue is full; try again in 1 s");
    // Whoever gives up makes room.
    waiting.clear();
    let mut next = pin!(embedder.embed(&["sep", "sep sep"]));
    assert!(poll(next.as_mut()).is_pending());
    drop(lead);
    assert_eq!(taken.await.unwrap().vectors.len(), 3);
    assert_eq!(next.await.unwrap().vectors.len(), 2);
}

#[tokio::test]
async fn a_stop_gives_up_what_waits_and_refuses_what_comes() {
    let options = options();
    let team = Arc::clone(&options.team);
    let classifier = TokenClassifier::load(folder(&modern_bert()).path(), options).unwrap();
    let lead = team.lead();
    let mut calls: Vec<_> = (0..3)
        .map(|_| Box::pin(classifier.classify(&["the cafe"])))
        .collect();
    for call in &mut calls {
        assert!(poll(call.as_mut()).is_pending());
    }
    classifier.stop();
    let refused = classifier.classify(&["the"]).await.unwrap_err();
    assert!(matches!(refused, EncodeFault::Engine(EngineFault::Stopped)));
    drop(lead);
    for call in calls {
        // What was being computed at the stop is answered.
        match call.await {
            Ok(found) => assert_eq!(found[0].tokens.len(), 2),
            Err(EncodeFault::Engine(EngineFault::Stopped)) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn what_is_wrong_with_a_folder_is_named() {
    let whole = folder(&bert());
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let folder = folder(&bert());
        std::fs::remove_file(folder.path().join(name)).unwrap();
        let fault = fault(Embedder::load(folder.path(), options()));
        assert!(
            fault.starts_with("cannot read ") && fault.ends_with(name),
            "{fault}"
        );
    }
    let mut small = bert();
    small.config["vocab_size"] = json!(14);
    let wrong = fault(Embedder::load(folder(&small).path(), options()));
    assert!(
        wrong.starts_with("wrong tokenizer: it has 15 tokens"),
        "{wrong}"
    );
    let mut silent = bert();
    silent.config["id2label"] = json!({});
    assert_eq!(
        fault(TokenClassifier::load(folder(&silent).path(), options())),
        "metadata does not describe a model: config.json names no classes in id2label"
    );
    let mut headless = bert();
    headless.remove("classifier.weight");
    let headless = folder(&headless);
    assert_eq!(
        fault(TokenClassifier::load(headless.path(), options())),
        "tensor \"classifier.weight\" is missing"
    );
    // Without a head it can still embed.
    Embedder::load(headless.path(), options()).unwrap();
    write(
        &whole,
        "sentence_bert_config.json",
        &json!({"max_seq_length": "many"}),
    );
    let damaged = fault(Embedder::load(whole.path(), options()));
    assert!(damaged.ends_with("sentence_bert_config.json is damaged or of another kind"));
}

/// The start of each text's vector, from a forward pass in `NumPy`'s double precision that was
/// written for this test.
const MINILM: [(&str, [f32; 8]); 3] = [
    (
        "The quick brown fox jumps over the lazy dog.",
        [
            0.043_933_5,
            0.058_934_4,
            0.048_178_4,
            0.077_548_1,
            0.026_744_4,
            -0.037_629_6,
            -0.002_605_1,
            -0.059_943_0,
        ],
    ),
    (
        "fn main() { println!(\"{}\", a[0] << 2); }",
        [
            0.016_491_0,
            0.104_872,
            -0.048_178_5,
            -0.021_190_3,
            -0.073_501_1,
            0.009_283_4,
            -0.041_817_8,
            0.058_008_1,
        ],
    ),
    (
        "Caf\u{e9} M\u{fc}nchen, 日本語: what does it cost?",
        [
            0.046_344_2,
            0.021_894_0,
            0.060_714_1,
            0.014_000_9,
            -0.034_689_5,
            0.119_183_5,
            0.061_549_5,
            0.058_137_9,
        ],
    ),
];

#[tokio::test]
async fn real_weights_follow_the_reference() {
    let Some(folder) = fixture::real_embedder() else {
        return;
    };
    let embedder = Embedder::load(&folder, options()).unwrap();
    assert_eq!((embedder.dimensions(), embedder.max_tokens()), (384, 256));
    let texts = MINILM.map(|(text, _)| text);
    let found = embedder.embed(&texts).await.unwrap();
    assert_eq!((found.tokens, found.cut), (12 + 27 + 14, 0));
    for ((text, expected), vector) in MINILM.iter().zip(&found.vectors) {
        assert!((dot(vector, vector) - 1.0).abs() < 1e-5, "{text}");
        let alike = cosine(&vector[..expected.len()], expected);
        assert!(alike > 0.9999, "{text}: {alike}");
        for (found, expected) in vector.iter().zip(expected) {
            assert!(
                (found - expected).abs() < 1e-4,
                "{text}: {found} {expected}"
            );
        }
    }
    // All values of the vectors count for these.
    let texts = [
        "A man is eating food.",
        "A man eats something.",
        "The stock market fell sharply today.",
    ];
    let vectors = embedder.embed(&texts).await.unwrap().vectors;
    for (a, b, expected) in [
        (0, 1, 0.874_938_6),
        (0, 2, 0.003_728_2),
        (1, 2, 0.006_039_9),
    ] {
        let found = dot(&vectors[a], &vectors[b]);
        assert!((found - expected).abs() < 1e-4, "{a} {b}: {found}");
    }
}
