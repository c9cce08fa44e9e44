//! Several calls in one step.

use super::super::*;
use super::stage::{Part, Play, Stage, read, said, team, text};
use crate::fixture::Fixture;
use crate::model::Rows;
use crate::request::Sampling;
use candle_core::quantized::GgmlDType;

/// First letters of prompts, and the answers to them.
const SCRIPTS: &[(&str, &str)] = &[
    ("b", "b"),
    ("c", " in the bath"),
    ("d", "日本 the thing"),
    ("e", "abcdefghi"),
];

fn play() -> Play<'static> {
    Play {
        scripts: SCRIPTS,
        max_sequences: 8,
        by_permit: true,
        ..Play::default()
    }
}

/// What a script did in each pass that it took part in.
fn parts_of(stage: &Stage, script: usize) -> Vec<Part> {
    let passes = stage.passes();
    let parts = passes.iter().flatten();
    parts
        .filter(|part| part.script == script)
        .copied()
        .collect()
}

#[tokio::test]
async fn batched_answers_are_those_given_alone() {
    let prompts = ["a", "bb", "ccc", "d", "ee"];
    let stage = play().stage();
    stage.permit(1000);
    let mut alone = Vec::new();
    for prompt in prompts {
        alone.push(read(stage.generate(text(prompt))).await);
    }
    assert!(stage.passes().iter().all(|pass| pass.len() == 1));

    let stage = play().stage();
    let first = stage.generate(text("a"));
    stage.in_pass(1);
    let others: Vec<Generation> = prompts[1..]
        .iter()
        .map(|prompt| stage.generate(text(prompt)))
        .collect();
    stage.permit(1000);
    assert_eq!(read(first).await, alone[0]);
    for (other, alone) in others.into_iter().zip(&alone[1..]) {
        assert_eq!(read(other).await, *alone);
    }
    let sizes: Vec<usize> = stage.passes().iter().map(Vec::len).collect();
    assert_eq!(sizes[..2], [1, 5]);
    stage.assert_idle(5);
}

#[tokio::test]
async fn calls_join_and_leave_between_steps() {
    let stage = play().stage();
    let mut first = stage.generate(text("e"));
    stage.in_pass(1);
    stage.permit(1);
    assert_eq!(first.next().await, Some(said("a")));
    stage.in_pass(2);
    let short = stage.generate(text("b"));
    stage.permit(1);
    stage.in_pass(3);
    // Reads its prompt beside the other's third token, says "b", ends.
    stage.permit(2);
    assert_eq!(read(short).await.0, "b");
    stage.in_pass(5);
    assert_eq!(stage.engine.stats().running, 1);
    stage.permit(100);
    assert_eq!(read(first).await.0, "bcdefghi");
    let sizes: Vec<usize> = stage.passes().iter().map(Vec::len).collect();
    assert_eq!(sizes[..5], [1, 1, 2, 2, 1]);
}

#[tokio::test]
async fn a_long_prompt_does_not_hold_up_who_decodes() {
    let stage = play().stage();
    let mut decoding = stage.generate(text("e"));
    stage.in_pass(1);
    let long = stage.generate(text(&"d".repeat(500)));
    stage.permit(1);
    assert_eq!(decoding.next().await, Some(said("a")));
    for (pass, expected) in (2..).zip(["b", "c", "d", "e"]) {
        stage.in_pass(pass);
        stage.permit(1);
        assert_eq!(decoding.next().await, Some(said(expected)));
    }
    stage.permit(100);
    assert_eq!(read(long).await.0, "日本 the thing");
    assert_eq!(read(decoding).await.0, "fghi");
    let chunks: Vec<(usize, Rows)> = parts_of(&stage, 3)
        .iter()
        .take(5)
        .map(|part| (part.tokens, part.rows))
        .collect();
    assert_eq!(
        chunks,
        [
            (128, Rows::None),
            (128, Rows::None),
            (128, Rows::None),
            (117, Rows::Last),
            (1, Rows::Last)
        ]
    );
    let decoder = parts_of(&stage, 4);
    assert!(decoder[1..].iter().all(|part| part.tokens == 1));
    // In the same passes, one after the other.
    let passes = stage.passes();
    assert!(passes[1..5].iter().all(|pass| pass.len() == 2));
}

#[tokio::test]
async fn a_short_prompt_is_read_beside_a_long_one() {
    let stage = play().stage();
    let plug = stage.generate(text("b"));
    stage.in_pass(1);
    let long = stage.generate(text(&"d".repeat(590)));
    let short = stage.generate(text(&"c".repeat(20)));
    stage.permit(2);
    assert_eq!(read(plug).await.0, "b");
    // The plug's end token came with the first chunks of both.
    stage.in_pass(3);
    let short_parts = parts_of(&stage, 2);
    assert_eq!(
        (short_parts[0].tokens, short_parts[0].rows),
        (21, Rows::Last)
    );
    assert_eq!(parts_of(&stage, 3)[0].tokens, 128 - 21);
    stage.permit(100);
    assert_eq!(read(short).await.0, " in the bath");
    assert_eq!(read(long).await.0, "日本 the thing");
}

#[tokio::test]
async fn a_lonely_long_prompt_is_read_in_large_chunks() {
    let stage = play().stage();
    stage.permit(100);
    let long = stage.generate(text(&"b".repeat(590)));
    assert_eq!(read(long).await.0, "b");
    let tokens: Vec<usize> = parts_of(&stage, 1).iter().map(|part| part.tokens).collect();
    assert_eq!(tokens, [512, 79, 1]);
}

#[tokio::test]
async fn a_real_forward_pass_gives_batched_calls_the_same_answers() {
    // Quantized weights are multiplied in another way where there are many rows at a time.
    let file = Fixture::new(GgmlDType::F32).write();
    let options = EngineOptions {
        team: team(),
        precision: Precision::Bits8,
        max_sequences: DEFAULT_MAX_SEQUENCES,
        max_queue: 100,
        cache_limit_bytes: DEFAULT_CACHE_LIMIT_BYTES,
        context_limit: None,
        name: "tiny".to_owned(),
    };
    let engine = Engine::load(file.path(), options).unwrap();
    let ask = |index: usize| {
        let request = GenerateRequest {
            max_tokens: Some(10 + index as u32),
            sampling: Sampling {
                temperature: Some(1.0),
                seed: Some(index as u64),
                ..Sampling::default()
            },
            ..text(&"the thing in a bath ".repeat(1 + 9 * index))
        };
        engine.generate(request).unwrap()
    };
    let mut alone = Vec::new();
    for index in 0..12 {
        alone.push(read(ask(index)).await);
    }
    let together: Vec<Generation> = (0..12).map(ask).collect();
    for (generation, alone) in together.into_iter().zip(alone) {
        assert_eq!(read(generation).await, alone);
    }
    let stats = engine.stats();
    assert!(stats.step_sequences > stats.steps, "{stats:?}");
}
