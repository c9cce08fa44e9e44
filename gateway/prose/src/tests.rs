//! Real weights, where they are, on short texts.

use std::num::NonZeroUsize;
use std::sync::Arc;

use skinflint_compressor::lingua::LinguaOptions;
use skinflint_local_model::{
    CATALOG, DEFAULT_CACHE_LIMIT_BYTES, DEFAULT_MAX_SEQUENCES, EncoderOptions, Engine,
    EngineOptions, Precision, Team, TokenClassifier, locate, locate_path,
};

use crate::causal::Causal;
use crate::passages::models_folder;
use crate::reader::Memo;
use crate::train::HEAD;
use crate::{Method, ProseCompressor, ProseError, ProseRequest, ProseResult};

const TEXT: &str = "It is a well known fact that the Eiffel Tower in Paris was finished by Gustave Eiffel for the World's \
    Fair, and it is, of course, one of the most famous of all the buildings that there are in the whole of the world. \
    The tower does not weigh 12,000 tonnes.";

/// The default model, if it is here. Says so where not.
fn compressor() -> Option<ProseCompressor> {
    let path = std::env::var_os("SKINFLINT_TEST_MODEL").map(std::path::PathBuf::from);
    let name = CATALOG[0].name;
    let path = path.or_else(|| locate(name, &models_folder()).ok());
    let Some(path) = path else {
        println!("skipped: {name} is not there");
        return None;
    };
    let options = EngineOptions {
        team: Arc::new(Team::new(NonZeroUsize::MIN).unwrap()),
        precision: Precision::Bits8,
        max_sequences: DEFAULT_MAX_SEQUENCES,
        max_queue: 16,
        cache_limit_bytes: DEFAULT_CACHE_LIMIT_BYTES,
        context_limit: None,
        name: name.to_owned(),
    };
    let engine = Engine::load(&path, options).unwrap();
    Some(ProseCompressor::new(Some(engine), None))
}

async fn compress(
    compressor: &ProseCompressor,
    contexts: &[&str],
    question: &str,
    method: Method,
    options: &LinguaOptions,
) -> ProseResult {
    let contexts: Vec<String> = contexts.iter().map(|&text| text.to_owned()).collect();
    let request = ProseRequest {
        contexts: &contexts,
        instruction: "",
        question,
        options,
        method,
    };
    let result = compressor.compress(request).await.unwrap();
    for context in &result.contexts {
        assert_eq!(context.text, context.kept.text(&contexts[context.index]));
    }
    let again = compressor.compress(request).await.unwrap();
    assert_eq!(again, result);
    result
}

#[tokio::test]
async fn what_cannot_be_guessed_stays() {
    let Some(compressor) = compressor() else {
        return;
    };
    let options = LinguaOptions {
        iterative_size: 20,
        ..LinguaOptions::default()
    };
    let result = compress(&compressor, &[TEXT], "", Method::Llmlingua, &options).await;
    for word in ["Eiffel", "not", "12,000"] {
        assert!(result.text.contains(word), "{}", result.text);
    }
    assert!(!result.text.contains("of course"), "{}", result.text);
    let share = result.compressed_tokens * 100 / result.origin_tokens;
    assert!((40..=60).contains(&share), "{share}");
    assert!(["1.9x", "2.0x", "2.1x"].contains(&result.ratio().as_str()));
}

#[tokio::test]
async fn what_is_kept_and_what_is_read_anew_agree() {
    agree().await;
}

/// Time flies where all wait, so that patience ends at once, and what is kept is let go each time.
#[tokio::test(start_paused = true)]
async fn what_is_let_go_is_read_again() {
    agree().await;
}

/// The engine's keys and values change nothing.
async fn agree() {
    let Some(compressor) = compressor() else {
        return;
    };
    let options = LinguaOptions {
        iterative_size: 10,
        ..LinguaOptions::default()
    };
    let contexts = [TEXT.to_owned()];
    for method in [Method::Llmlingua, Method::LongLlmlingua] {
        let request = ProseRequest {
            contexts: &contexts,
            instruction: "",
            question: "Who built it?",
            options: &options,
            method,
        };
        let engine = compressor.engine.as_ref().unwrap();
        let mut memo = Memo::new();
        let anew = Causal::new(engine, &options, Some(&mut memo));
        let anew = anew.compress(&request).await.unwrap();
        assert!(memo.len() > 3);
        assert_eq!(compressor.compress(request).await.unwrap().contexts, anew);
    }
    let stats = compressor.engine.as_ref().unwrap().stats();
    assert_eq!((stats.running, stats.cache_bytes), (0, 0));
}

#[tokio::test]
async fn a_trained_head_keeps_what_answers() {
    let Ok(folder) = locate_path(&models_folder().join(HEAD)) else {
        println!("skipped: {HEAD} is not there; `make train-head` trains it");
        return;
    };
    let team = Arc::new(Team::new(NonZeroUsize::MIN).unwrap());
    let classifier = TokenClassifier::load(&folder, EncoderOptions::new(team, HEAD)).unwrap();
    let compressor = ProseCompressor::new(None, Some(classifier));
    let long = format!("{TEXT} ").repeat(20);
    let contexts = [TEXT, long.as_str()];
    let options = LinguaOptions {
        force_tokens: vec!["Paris".to_owned()],
        ..LinguaOptions::default()
    };
    let result = compress(&compressor, &contexts, "", Method::Llmlingua2, &options).await;
    let text = &result.text;
    for word in ["Eiffel", "not", "12,000", "Paris"] {
        assert!(text.contains(word), "{text}");
    }
    let share = result.compressed_tokens * 100 / result.origin_tokens;
    assert!((45..=60).contains(&share), "{share}");
}

#[tokio::test]
async fn the_best_contexts_for_a_question_stay() {
    let Some(compressor) = compressor() else {
        return;
    };
    let contexts = [
        "Cats sleep for most of the day, and hunt at dawn and dusk when mice are about.",
        "Gustave Eiffel built the tower in Paris that has his name, for the fair of 1889.",
        "The price of wheat rose in the spring, since the rains had come late to the plains.",
    ];
    let options = LinguaOptions {
        target_context: Some(1),
        ..LinguaOptions::default()
    };
    let question = "Who built the tower in Paris?";
    let result = compress(
        &compressor,
        &contexts,
        question,
        Method::LongLlmlingua,
        &options,
    )
    .await;
    assert_eq!(result.contexts[0].index, 1);
    assert!(result.text.ends_with(question));
}

/// Servers run it on any thread.
fn sent<F: Future + Send>(future: F) -> F {
    future
}

#[tokio::test]
async fn what_is_asked_wrongly_is_told() {
    let compressor = ProseCompressor::new(None, None);
    let options = LinguaOptions::default();
    let contexts = ["a".to_owned()];
    let request = |method| ProseRequest {
        contexts: &contexts,
        instruction: "",
        question: "",
        options: &options,
        method,
    };
    let told = |result: Result<ProseResult, ProseError>| result.unwrap_err().to_string();
    assert_eq!(
        told(compressor.compress(request(Method::Llmlingua)).await),
        "llmlingua needs a model that scores, and none is loaded"
    );
    assert_eq!(
        told(compressor.compress(request(Method::LongLlmlingua)).await),
        "longllmlingua needs a question"
    );
    let bad = LinguaOptions {
        rate: 2.0,
        ..LinguaOptions::default()
    };
    let bad = ProseRequest {
        options: &bad,
        ..request(Method::Llmlingua2)
    };
    assert_eq!(
        told(sent(compressor.compress(bad)).await),
        "`rate` is 2; allowed: 0 to 1"
    );
    let tagged = ["x</llmlingua>".to_owned()];
    let tagged = ProseRequest {
        contexts: &tagged,
        ..request(Method::Llmlingua2)
    };
    assert_eq!(
        told(sent(compressor.compress_structured(tagged)).await),
        "context 0: </llmlingua> closes nothing at line 1 column 2"
    );
    assert!(!compressor.can(Method::Llmlingua2));
}

#[tokio::test]
async fn tags_say_what_is_compressed() {
    let Some(compressor) = compressor() else {
        return;
    };
    let text = format!(
        "<llmlingua, compress=False>{{\"a\": \"</llmlingua><llmlingua, rate=0.3>{TEXT}</llmlingua>\
         <llmlingua, compress=False>\"}}</llmlingua>"
    );
    let contexts = [text];
    let options = LinguaOptions::default();
    let request = ProseRequest {
        contexts: &contexts,
        instruction: "",
        question: "",
        options: &options,
        method: Method::Llmlingua,
    };
    let result = compressor.compress_structured(request).await.unwrap();
    let inner = result
        .text
        .strip_prefix("{\"a\": \"")
        .unwrap()
        .strip_suffix("\"}")
        .unwrap();
    assert!(inner.len() * 2 < TEXT.len(), "{inner}");
    assert!(inner.contains("12,000"));
    assert!(!result.text.contains("llmlingua"));
}

#[test]
fn savings_are_written_as_callers_know_them() {
    let result = |origin_tokens, compressed_tokens| ProseResult {
        text: String::new(),
        contexts: Vec::new(),
        origin_tokens,
        compressed_tokens,
    };
    let some = result(2_000_000, 870_000);
    assert_eq!(
        (some.ratio(), some.rate()),
        ("2.3x".to_owned(), "43.5%".to_owned())
    );
    assert_eq!(some.saving(3.0), "Saving $3.39");
    let none = result(0, 0);
    assert_eq!(
        (none.ratio(), none.rate()),
        ("1.0x".to_owned(), "100.0%".to_owned())
    );
}
