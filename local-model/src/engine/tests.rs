//! The engine around a model that says what the test wants, when the test wants it.

mod admission;
mod batching;
mod deadlines;
mod faults;
mod scoring;
mod stage;

use candle_core::quantized::GgmlDType;

use super::*;
use crate::fixture::{self, CONTEXT, Fixture};
use crate::request::Sampling;
use stage::{LIMIT, Play, chat, finish, read, said, team, text};

#[tokio::test]
async fn streams_until_the_end_token() {
    let stage = Play::default().stage();
    let generation = stage.engine.generate(text("a")).unwrap();
    assert_eq!(generation.prompt_tokens(), 2);
    let (said, last) = read(generation).await;
    assert_eq!(said, " the thing");
    let usage = TokenUsage {
        prompt_tokens: 2,
        completion_tokens: 5,
    };
    let finish = Finish::EndOfTurn;
    assert_eq!(last, Event::Done { finish, usage });
}

#[tokio::test]
async fn stops_at_the_most_tokens() {
    let stage = Play::default().stage();
    for (max, expected) in [(0, ""), (1, " the"), (3, " the th")] {
        let request = GenerateRequest {
            max_tokens: Some(max),
            ..text("a")
        };
        let (said, last) = read(stage.engine.generate(request).unwrap()).await;
        assert_eq!(
            (said.as_str(), finish(&last)),
            (expected, &Finish::MaxTokens)
        );
    }
}

#[tokio::test]
async fn a_chat_ends_where_the_next_speaker_begins() {
    let stage = Play {
        answer: "  the thing \nUser: what",
        ..Play::default()
    }
    .stage();
    let (said, last) = read(stage.engine.generate(chat("the?")).unwrap()).await;
    assert_eq!(
        (said.as_str(), finish(&last)),
        ("the thing", &Finish::EndOfTurn)
    );
}

#[tokio::test]
async fn a_stop_sequence_is_named_and_left_out() {
    let stage = Play {
        answer: "the bath.\n\n日 the thing",
        ..Play::default()
    }
    .stage();
    let request = GenerateRequest {
        stop: vec!["never".to_owned(), "日 t".to_owned()],
        ..text("a")
    };
    let (said, last) = read(stage.engine.generate(request).unwrap()).await;
    assert_eq!(said, "the bath.\n\n");
    assert_eq!(finish(&last), &Finish::StopSequence("日 t".to_owned()));
}

#[tokio::test]
async fn characters_arrive_whole() {
    let stage = Play {
        answer: "aé👍",
        ..Play::default()
    }
    .stage();
    let mut generation = stage.engine.generate(text("a")).unwrap();
    for expected in ["a", "é", "👍"] {
        let event = generation.next().await.unwrap();
        assert_eq!(event, said(expected));
    }
    let request = GenerateRequest {
        max_tokens: Some(4),
        ..text("a")
    };
    let (said, _) = read(stage.engine.generate(request).unwrap()).await;
    assert_eq!(said, "aé\u{fffd}");
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let stage = Play::default().stage();
    let overflow = |request: GenerateRequest| stage.engine.generate(request).unwrap_err();
    let long = "a".repeat(700);
    assert_eq!(
        overflow(text(&long)),
        GenerateError::ContextOverflow {
            prompt_tokens: 701,
            requested: 1,
            limit: LIMIT
        }
    );
    let request = GenerateRequest {
        max_tokens: Some(LIMIT),
        ..text("a")
    };
    assert_eq!(
        overflow(request.clone()),
        GenerateError::ContextOverflow {
            prompt_tokens: 2,
            requested: LIMIT,
            limit: LIMIT
        }
    );
    let fits = GenerateRequest {
        max_tokens: Some(LIMIT - 2),
        ..request
    };
    assert!(stage.engine.generate(fits).is_ok());
    assert_eq!(overflow(text("")), GenerateError::EmptyPrompt);
    assert_eq!(overflow(chat(" \n")), GenerateError::EmptyPrompt);
}

#[test]
fn counts_what_generate_counts() {
    let stage = Play::default().stage();
    for request in [text("the thing"), chat("the thing")] {
        let counted = stage.engine.count_tokens(&request.prompt).unwrap();
        let generation = stage.engine.generate(request).unwrap();
        assert_eq!(counted, generation.prompt_tokens() as usize);
    }
}

fn options() -> EngineOptions {
    EngineOptions {
        team: team(),
        precision: Precision::Bits8,
        max_sequences: DEFAULT_MAX_SEQUENCES,
        max_queue: 1,
        cache_limit_bytes: DEFAULT_CACHE_LIMIT_BYTES,
        context_limit: None,
        name: "tiny".to_owned(),
    }
}

#[tokio::test]
async fn a_loaded_model_answers_the_same_every_time() {
    let file = Fixture::new(GgmlDType::Q8_0).write();
    let engine = Engine::load(file.path(), options()).unwrap();
    let info = engine.info();
    assert_eq!(
        (info.name.as_str(), info.architecture.as_str()),
        ("tiny", "gemma3")
    );
    assert_eq!((info.context_length, info.base_model), (CONTEXT, true));
    assert_eq!(info.file_bytes, file.as_file().metadata().unwrap().len());
    let ask = |seed| {
        let request = GenerateRequest {
            max_tokens: Some(20),
            sampling: Sampling {
                temperature: Some(1.0),
                seed: Some(seed),
                ..Sampling::default()
            },
            ..text("the thing ".repeat(60).as_str())
        };
        read(engine.generate(request).unwrap())
    };
    let (first, last) = ask(1).await;
    assert_eq!(ask(1).await, (first.clone(), last));
    assert_ne!(ask(2).await.0, first);
}

#[test]
fn a_context_limit_lowers_the_models_own() {
    let file = Fixture::new(GgmlDType::F32).write();
    let load = |limit| {
        let context_limit = NonZeroU32::new(limit);
        let options = EngineOptions {
            context_limit,
            ..options()
        };
        Engine::load(file.path(), options)
            .unwrap()
            .info()
            .context_length
    };
    assert_eq!((load(64), load(CONTEXT * 2)), (64, CONTEXT));
}

#[tokio::test]
async fn real_weights_know_the_capital_of_france() {
    let Some(path) = fixture::real_model() else {
        return;
    };
    let engine = Engine::load(&path, options()).unwrap();
    let request = GenerateRequest {
        max_tokens: Some(40),
        sampling: Sampling::default(),
        ..chat("What is the capital of France?")
    };
    let (said, last) = read(engine.generate(request.clone()).unwrap()).await;
    assert!(said.contains("Paris"), "{said}");
    assert_eq!(finish(&last), &Finish::EndOfTurn);
    let (again, _) = read(engine.generate(request).unwrap()).await;
    assert_eq!(said, again);
}
