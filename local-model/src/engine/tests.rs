//! The engine around a model that says what the test wants, when the test wants it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self as std_mpsc, Receiver, Sender};
use std::time::Duration;

use candle_core::quantized::GgmlDType;
use candle_core::{Device, Tensor};
use parking_lot::Mutex;
use skinflint_kernels::Lead;

use super::*;
use crate::error::EngineFault;
use crate::fixture::{self, CONTEXT, Fixture};
use crate::model::kv::KvCache;
use crate::model::{Chunk, Rows};
use crate::request::{Chat, Role, Sampling, Turn};

const LIMIT: u32 = 600;

/// Ends an answer in the tiny vocabulary.
const END: u32 = 1;

/// Answers every prompt with the same tokens, then with end tokens.
struct Scripted {
    answer: Vec<u32>,
    vocabulary: usize,
    /// Forward passes so far.
    passes: Arc<AtomicUsize>,
    /// Each forward pass takes one permit, where there are any.
    permits: Option<Mutex<Receiver<()>>>,
    /// Panics in the forward pass of this number, from 1.
    panics_at: Option<usize>,
}

impl Model for Scripted {
    fn context_length(&self) -> u32 {
        LIMIT
    }

    fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    fn cache(&self) -> KvCache {
        KvCache::new(std::iter::empty())
    }

    fn cache_bytes(&self, _positions: usize) -> usize {
        0
    }

    /// The number of tokens generated before this one, in one hidden value.
    fn hidden(&self, _lead: &Lead<'_>, chunks: &mut [Chunk<'_>]) -> candle_core::Result<Tensor> {
        if let Some(permits) = &self.permits {
            permits.lock().recv().unwrap();
        }
        let pass = self.passes.fetch_add(1, Ordering::SeqCst) + 1;
        assert_ne!(Some(pass), self.panics_at, "as the test asked");
        let mut rows = Vec::new();
        for chunk in chunks {
            // The chunks of the prompt count as one position together.
            let is_later_chunk = chunk.cache.position() > 0 && chunk.tokens.len() > 1;
            chunk.cache.advance(usize::from(!is_later_chunk));
            if chunk.rows == Rows::Last {
                rows.push(chunk.cache.position() as f32 - 1.0);
            }
        }
        let count = rows.len();
        Tensor::from_vec(rows, (count, 1), &Device::Cpu)
    }

    fn logits(&self, _lead: &Lead<'_>, hidden: &Tensor) -> candle_core::Result<Tensor> {
        let rows = hidden.to_vec2::<f32>()?;
        let mut logits = vec![0.0_f32; rows.len() * self.vocabulary];
        for (row, generated) in rows.iter().enumerate() {
            let token = *self.answer.get(generated[0] as usize).unwrap_or(&END) as usize;
            logits[row * self.vocabulary + token] = 1.0;
        }
        Tensor::from_vec(logits, (rows.len(), self.vocabulary), &Device::Cpu)
    }
}

/// An engine around a [`Scripted`] model, and the test's hold on it.
struct Stage {
    engine: Engine,
    passes: Arc<AtomicUsize>,
    permits: Option<Sender<()>>,
}

struct Play<'a> {
    answer: &'a str,
    max_queue: usize,
    by_permit: bool,
    panics_at: Option<usize>,
}

impl Default for Play<'_> {
    fn default() -> Self {
        Self {
            answer: " the thing",
            max_queue: 4,
            by_permit: false,
            panics_at: None,
        }
    }
}

impl Play<'_> {
    fn stage(self) -> Stage {
        let tokenizer = fixture::tokenizer();
        let mut answer = Vec::new();
        tokenizer.encode_into(self.answer, &mut answer);
        let passes = Arc::new(AtomicUsize::new(0));
        let (permits, receiver) = std_mpsc::channel();
        let model = Scripted {
            answer,
            vocabulary: tokenizer.size(),
            passes: Arc::clone(&passes),
            permits: self.by_permit.then(|| Mutex::new(receiver)),
            panics_at: self.panics_at,
        };
        let info = ModelInfo {
            name: "scripted".to_owned(),
            architecture: "scripted".to_owned(),
            context_length: LIMIT,
            parameter_count: 0,
            file_bytes: 0,
            base_model: true,
        };
        let threads = NonZeroUsize::MIN;
        Stage {
            engine: Engine::start(
                info,
                (tokenizer, Template::Transcript),
                Box::new(model),
                threads,
                self.max_queue,
            )
            .unwrap(),
            passes,
            permits: self.by_permit.then_some(permits),
        }
    }
}

impl Stage {
    fn permit(&self, count: usize) {
        for _ in 0..count {
            self.permits.as_ref().unwrap().send(()).unwrap();
        }
    }
}

fn text(prompt: &str) -> GenerateRequest {
    GenerateRequest {
        // Without a penalty the script is followed even where it repeats itself.
        sampling: Sampling {
            repetition_penalty: Some(1.0),
            ..Sampling::default()
        },
        ..GenerateRequest::new(Prompt::Text(prompt.to_owned()))
    }
}

fn chat(said: &str) -> GenerateRequest {
    GenerateRequest {
        prompt: Prompt::Chat(Chat {
            turns: vec![Turn::new(Role::User, said)],
            ..Chat::default()
        }),
        ..text("")
    }
}

fn said(text: &str) -> Event {
    Event::Text {
        text: text.to_owned(),
        tokens: Vec::new(),
    }
}

/// All text of an answer, and its last event.
async fn read(mut generation: Generation) -> (String, Event) {
    let mut said = String::new();
    loop {
        match generation.next().await.unwrap() {
            Event::Text { text, .. } => said.push_str(&text),
            last => {
                assert_eq!(generation.next().await, None);
                return (said, last);
            }
        }
    }
}

fn finish(last: &Event) -> &Finish {
    match last {
        Event::Done { finish, .. } => finish,
        other => panic!("{other:?}"),
    }
}

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

#[tokio::test]
async fn a_full_queue_refuses_and_a_dropped_call_frees_its_place() {
    let stage = Play {
        by_permit: true,
        max_queue: 1,
        ..Play::default()
    }
    .stage();
    let served = stage.engine.generate(text("a")).unwrap();
    let waiting = stage.engine.generate(text("a")).unwrap();
    let full = stage.engine.generate(text("a")).unwrap_err();
    let retry_after = Duration::from_secs(5);
    assert_eq!(full, GenerateError::QueueFull { retry_after });
    drop(waiting);
    let next = stage.engine.generate(text("a")).unwrap();
    stage.permit(10);
    assert_eq!(read(served).await.0, " the thing");
    assert_eq!(read(next).await.0, " the thing");
    assert_eq!(stage.passes.load(Ordering::SeqCst), 10);
}

#[tokio::test]
async fn a_call_can_be_given_up_at_any_token() {
    for passes in 0..5 {
        let stage = Play {
            by_permit: true,
            ..Play::default()
        }
        .stage();
        let mut given_up = stage.engine.generate(text("a")).unwrap();
        stage.permit(passes);
        for _ in 0..passes.min(4) {
            assert!(matches!(given_up.next().await, Some(Event::Text { .. })));
        }
        drop(given_up);
        // The pass that may have begun ends; none follows it. The next call takes five.
        stage.permit(6);
        let (said, _) = read(stage.engine.generate(text("a")).unwrap()).await;
        assert_eq!(said, " the thing");
        let total = stage.passes.load(Ordering::SeqCst);
        assert!(
            total <= passes + 6,
            "{total} passes, given up after {passes}"
        );
    }
}

#[tokio::test]
async fn a_panic_ends_one_call_and_not_the_engine() {
    let stage = Play {
        panics_at: Some(2),
        ..Play::default()
    }
    .stage();
    let (said, last) = read(stage.engine.generate(text("a")).unwrap()).await;
    assert_eq!(
        (said.as_str(), last),
        (" the", Event::Failed(EngineFault::Panicked))
    );
    assert_eq!(
        read(stage.engine.generate(text("a")).unwrap()).await.0,
        " the thing"
    );
}

#[tokio::test]
async fn a_stopped_engine_finishes_what_it_serves() {
    let stage = Play {
        by_permit: true,
        ..Play::default()
    }
    .stage();
    let mut served = stage.engine.generate(text("a")).unwrap();
    let waiting = stage.engine.generate(text("a")).unwrap();
    stage.permit(1);
    assert_eq!(served.next().await, Some(said(" the")));
    stage.engine.stop();
    assert_eq!(read(waiting).await.1, Event::Failed(EngineFault::Stopped));
    let refused = stage.engine.generate(text("a")).unwrap_err();
    assert_eq!(refused, GenerateError::Stopped);
    stage.permit(4);
    assert_eq!(read(served).await.0, " thing");
}

#[tokio::test]
async fn dropping_the_engine_stops_it() {
    let stage = Play {
        by_permit: true,
        ..Play::default()
    }
    .stage();
    let mut served = stage.engine.generate(text("a")).unwrap();
    let waiting = stage.engine.generate(text("a")).unwrap();
    stage.permit(1);
    assert!(matches!(served.next().await, Some(Event::Text { .. })));
    drop(stage);
    assert_eq!(read(waiting).await.1, Event::Failed(EngineFault::Stopped));
}

fn options() -> EngineOptions {
    EngineOptions {
        threads: NonZeroUsize::MIN,
        max_queue: 1,
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
