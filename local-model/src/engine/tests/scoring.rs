//! Texts scored, alone and beside answers; and what the counters say of all that.

use super::super::*;
use super::stage::{BYTES_PER_POSITION, LIMIT, Play, Stage, read, score_logit, text};
use crate::fixture::{self, Fixture};
use crate::model::{Chunk, Rows};
use candle_core::quantized::GgmlDType;
use std::pin::pin;

fn request(tokens: Vec<u32>) -> ScoreRequest {
    ScoreRequest {
        tokens,
        ..ScoreRequest::default()
    }
}

/// A text of so many tokens, no two neighbours alike.
fn tokens(count: usize) -> Vec<u32> {
    (0..count).map(|at| 260 + (at * 5 % 37) as u32).collect()
}

/// What the scripted model must say.
fn expected(tokens: &[u32]) -> Vec<f64> {
    let width = fixture::tokenizer().size();
    let pairs = tokens.windows(2).enumerate();
    pairs
        .map(|(position, pair)| {
            let logit = |next| f64::from(score_logit(position, pair[0] as usize, next));
            let sum: f64 = (0..width).map(|next| logit(next).exp()).sum();
            logit(pair[1] as usize) - sum.ln()
        })
        .collect()
}

fn assert_close(scores: &[f32], expected: &[f64]) {
    assert_eq!(scores.len(), expected.len());
    for (score, expected) in scores.iter().zip(expected) {
        assert!((f64::from(*score) - expected).abs() < 1e-4);
    }
}

fn play() -> Play<'static> {
    Play {
        max_sequences: 4,
        by_permit: true,
        ..Play::default()
    }
}

#[tokio::test]
async fn every_token_but_the_first_gets_its_log_probability() {
    let stage = play().stage();
    stage.permit(1000);
    // At the edges of what is read in a step (256) and of what is made of it at a time (64).
    for count in [2, 3, 65, 66, 257, 258, 600] {
        let tokens = tokens(count);
        let scores = stage.engine.score(request(tokens.clone())).await.unwrap();
        assert_close(&scores.logprobs, &expected(&tokens));
    }
    let of_one = stage.engine.score(request(tokens(1))).await.unwrap();
    assert!(of_one.logprobs.is_empty() && of_one.prefix.is_none());
    stage.assert_idle(8);
}

#[tokio::test]
async fn texts_are_scored_beside_answers() {
    let stage = play().stage();
    let answer = stage.generate(text("a"));
    stage.in_pass(1);
    let long = tokens(300);
    let short = tokens(40);
    let scores = async {
        tokio::join!(
            stage.engine.score(request(long.clone())),
            stage.engine.score(request(short.clone())),
            async { stage.permit(1000) },
        )
    };
    let (of_long, of_short, ()) = scores.await;
    assert_close(&of_long.unwrap().logprobs, &expected(&long));
    assert_close(&of_short.unwrap().logprobs, &expected(&short));
    assert_eq!(read(answer).await.0, " the thing");
    let second = &stage.passes()[1];
    let read: Vec<(usize, Rows)> = second.iter().map(|part| (part.tokens, part.rows)).collect();
    assert_eq!(read, [(1, Rows::Last), (89, Rows::All), (39, Rows::All)]);
    stage.assert_idle(3);
}

#[tokio::test]
async fn what_cannot_be_scored_is_refused() {
    let stage = Play {
        cache_limit_bytes: 100 * BYTES_PER_POSITION,
        ..play()
    }
    .stage();
    let refused = async |tokens| match stage.engine.score(request(tokens)).await {
        Err(ScoreError::Refused(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(Vec::new()).await, GenerateError::EmptyPrompt);
    let size = fixture::tokenizer().size();
    let token = size as u32;
    assert_eq!(
        refused(vec![1, token]).await,
        GenerateError::UnknownToken { token, size }
    );
    assert_eq!(
        refused(tokens(601)).await,
        GenerateError::ContextOverflow {
            prompt_tokens: 601,
            requested: 0,
            limit: LIMIT
        }
    );
    assert_eq!(
        refused(tokens(101)).await,
        GenerateError::CacheOverflow {
            needed_bytes: 101 * BYTES_PER_POSITION,
            limit_bytes: 100 * BYTES_PER_POSITION
        }
    );
    stage.engine.stop();
    assert_eq!(refused(tokens(3)).await, GenerateError::Stopped);
    assert_eq!(stage.engine.stats().refused, 5);
    stage.assert_idle(0);
}

#[tokio::test]
async fn scoring_can_be_given_up_and_can_expire() {
    let stage = play().stage();
    {
        let mut scoring = pin!(stage.engine.score(request(tokens(600))));
        assert!(futures_poll(scoring.as_mut()).await);
        stage.in_pass(1);
        assert_eq!(stage.engine.stats().running, 1);
    }
    let late = ScoreRequest {
        deadline: Some(stage.now() + Duration::from_secs(1)),
        ..request(tokens(600))
    };
    let mut late = pin!(stage.engine.score(late));
    assert!(futures_poll(late.as_mut()).await);
    stage.permit(1);
    stage.in_pass(2);
    stage.advance(Duration::from_secs(1));
    stage.permit(1);
    let fault = late.await.unwrap_err();
    assert_eq!(fault, ScoreError::Failed(EngineFault::DeadlineExceeded));
    let stats = stage.engine.stats();
    assert_eq!((stats.cancelled, stats.expired), (1, 1));
    stage.assert_idle(2);
}

/// Polls once; whether it is pending.
async fn futures_poll<T>(mut future: std::pin::Pin<&mut impl Future<Output = T>>) -> bool {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(future.as_mut().poll(context).is_pending())
    })
    .await
}

#[tokio::test]
async fn real_weights_score_as_their_logits_say() {
    let fixture = Fixture::new(GgmlDType::Q8_0);
    let file = fixture.write();
    let engine = Engine::load(file.path(), super::options()).unwrap();
    let prompt = Prompt::Text("the thing in a bath ".repeat(60));
    let tokens = engine.tokenize(&prompt).unwrap();
    assert_eq!(tokens.len(), engine.count_tokens(&prompt).unwrap());
    assert!(tokens.len() > 256);
    let scores = engine
        .score(request(tokens.clone()))
        .await
        .unwrap()
        .logprobs;

    let team = super::team();
    let compute = Compute {
        team: &team,
        precision: Precision::Bits8,
    };
    let model = load(compute, file.path()).unwrap().model;
    let lead = team.lead();
    let mut cache = model.cache();
    let chunk = Chunk {
        tokens: &tokens,
        cache: &mut cache,
        rows: Rows::All,
    };
    let hidden = model.hidden(&lead, &mut [chunk]).unwrap();
    let logits = model.logits(&lead, &hidden).unwrap();
    let logits = logits.to_vec2::<f32>().unwrap();
    let expected: Vec<f64> = logits
        .iter()
        .zip(&tokens[1..])
        .map(|(logits, &token)| {
            let sum: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
            f64::from(logits[token as usize]) - sum.ln()
        })
        .collect();
    assert_eq!(scores.len(), tokens.len() - 1);
    for (score, expected) in scores.iter().zip(&expected) {
        assert!((f64::from(*score) - expected).abs() < 1e-3);
    }
}

#[tokio::test]
async fn a_text_can_be_gone_on_with_and_cut_back() {
    // Longer than the sliding windows, and than what is read in a step.
    let file = Fixture::new(GgmlDType::Q8_0).write();
    let engine = Engine::load(file.path(), super::options()).unwrap();
    let whole = engine
        .tokenize(&Prompt::Text("the thing in a bath ".repeat(60)))
        .unwrap();
    let other: Vec<u32> = whole.iter().rev().copied().collect();
    let at_once = engine.score(request(whole.clone())).await.unwrap().logprobs;
    let go_on = |tokens: &[u32], after| ScoreRequest {
        after,
        keep: true,
        ..request(tokens.to_vec())
    };
    let first = engine.score(go_on(&whole[..300], None)).await.unwrap();
    assert_eq!(first.logprobs, at_once[..299]);
    assert!(engine.stats().cache_bytes > 0);
    // Something else follows, and is taken back.
    let wrong = engine
        .score(go_on(&other[..200], first.prefix))
        .await
        .unwrap();
    assert_eq!(wrong.logprobs.len(), 200);
    let mut prefix = wrong.prefix.unwrap();
    assert_eq!(prefix.tokens().len(), 500);
    prefix.cut(300).unwrap();
    assert_eq!(prefix.tokens(), &whole[..300]);
    let rest = engine
        .score(go_on(&whole[300..], Some(prefix)))
        .await
        .unwrap();
    assert_eq!(rest.logprobs, at_once[299..]);
    let mut prefix = rest.prefix.unwrap();
    assert_eq!(prefix.cut(0).unwrap_err().position, 0);
    assert!(prefix.cut(whole.len() + 1).is_err());
    // Down to the first token, of which nothing was read.
    prefix.cut(1).unwrap();
    let again = engine
        .score(go_on(&whole[1..20], Some(prefix)))
        .await
        .unwrap();
    assert_eq!(again.logprobs, at_once[..19]);
    drop(again);
    let stats = engine.stats();
    assert_eq!((stats.running, stats.cache_bytes), (0, 0));
}

fn counts(stage: &Stage) -> EngineStats {
    stage.engine.stats()
}

#[tokio::test]
async fn the_counters_add_up() {
    let stage = play().stage();
    let first = stage.generate(text("a"));
    stage.in_pass(1);
    let begun = counts(&stage);
    assert_eq!((begun.running, begun.waiting, begun.steps), (1, 0, 0));
    // The prompt of two tokens, and what the context leaves.
    let positions = LIMIT as usize;
    assert_eq!(begun.cache_bytes, positions * BYTES_PER_POSITION);
    assert_eq!(begun.load, Duration::from_millis(700));
    let second = stage.generate(text("aaa"));
    stage.advance(Duration::from_millis(70));
    stage.permit(1000);
    assert_eq!(read(first).await.0, " the thing");
    assert_eq!(read(second).await.0, " the thing");
    let scores = stage.engine.score(request(tokens(11))).await.unwrap();
    assert_eq!(scores.logprobs.len(), 10);

    let stats = counts(&stage);
    assert_eq!((stats.served, stats.failed, stats.refused), (3, 0, 0));
    assert_eq!(stats.prompt_tokens, 2 + 4 + 10);
    assert_eq!(stats.generated_tokens, 10);
    // Five tokens each, the second one a step later; then the scoring.
    assert_eq!((stats.steps, stats.step_sequences), (7, 11));
    assert_eq!(stats.last_batch, 1);
    assert_eq!(stats.busy, Duration::from_millis(70));
    assert_eq!(stats.ttft.count, 2);
    assert_eq!(stats.ttft.sum, Duration::from_millis(140));
    assert_eq!(stats.ttft.buckets[..3], [0, 2, 0]);
    stage.assert_idle(3);
}
