use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use serde_json::{Value, json};

use skinflint_protocol::Endpoint;

use super::*;
use crate::TextTokenizer;

fn view(endpoint: Endpoint, body: &[u8]) -> RequestView {
    RequestView::parse(endpoint, body, JsonLimits::default()).unwrap()
}

fn count_as(encoding: &Encoding, endpoint: Endpoint, body: &str) -> Count {
    let counter = Counter::new(100);
    let view = view(endpoint, body.as_bytes());
    let sum = counter.sum(encoding, &view, body.as_bytes());
    let bound = counter.bound(encoding, &view, body.as_bytes());
    assert!(sum.tokens <= bound.tokens, "{sum:?} > {bound:?}: {body}");
    assert!(bound.certainty >= Certainty::UpperBound);
    let count = counter.count(encoding, &view, body.as_bytes());
    assert_eq!(count, sum, "the same once it is remembered");
    count
}

fn count(endpoint: Endpoint, body: &Value) -> Count {
    let encoding = Encoding::of(None, body["model"].as_str().unwrap());
    count_as(&encoding, endpoint, &body.to_string())
}

fn chat(model: &str, messages: &Value) -> Value {
    json!({"model": model, "messages": messages, "temperature": 0, "stream": true})
}

/// Counts bytes, and how much it was asked to.
#[derive(Debug, Default)]
struct Bytewise {
    texts: AtomicU64,
    bytes: AtomicU64,
}

impl TextTokenizer for Bytewise {
    fn count(&self, text: &str) -> u64 {
        self.texts.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(tokens(text.len()), Ordering::Relaxed);
        tokens(text.len())
    }

    fn id(&self) -> &'static str {
        "bytewise"
    }
}

// === what the providers document ===

/// The conversation of OpenAI's cookbook, with the `prompt_tokens` that the API reported for it.
#[test]
fn a_chat_counts_as_openai_bills_it() {
    let messages = json!([
        {"role": "system", "content": "You are a helpful, pattern-following assistant that translates corporate jargon into plain English."},
        {"role": "system", "name": "example_user", "content": "New synergies will help drive top-line growth."},
        {"role": "system", "name": "example_assistant", "content": "Things working well together will increase revenue."},
        {"role": "system", "name": "example_user", "content": "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage."},
        {"role": "system", "name": "example_assistant", "content": "Let's talk later when we're less busy about how to do better."},
        {"role": "user", "content": "This late pivot means we don't have time to boil the ocean for the client deliverable."},
    ]);
    for (model, tokens) in [("gpt-4", 129), ("gpt-3.5-turbo-0125", 129), ("gpt-4o", 124)] {
        assert_eq!(
            count(Endpoint::ChatCompletions, &chat(model, &messages)),
            Count::exact(tokens),
            "{model}"
        );
    }
}

/// The examples of Anthropic's page on token counting.
#[test]
fn claude_is_bounded_from_above() {
    let hello = json!({
        "model": "claude-opus-4-7",
        "system": "You are a scientist",
        "messages": [{"role": "user", "content": "Hello, Claude"}],
    });
    let weather = json!({
        "model": "claude-opus-4-7",
        "tools": [{
            "name": "get_weather",
            "description": "Get the current weather in a given location",
            "input_schema": {
                "type": "object",
                "properties": {"location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"}},
                "required": ["location"],
            },
        }],
        "messages": [{"role": "user", "content": "What's the weather like in San Francisco?"}],
    });
    for (body, documented, most) in [(hello, 14, 100), (weather, 403, 1_500)] {
        for endpoint in [Endpoint::Messages, Endpoint::CountTokens] {
            let count = count(endpoint, &body);
            assert_eq!(count.certainty, Certainty::UpperBound);
            assert!((documented..most).contains(&count.tokens), "{count:?}");
        }
    }
}

#[test]
fn embeddings_count_their_texts() {
    let texts =
        json!({"model": "text-embedding-3-small", "input": ["2 + 2 = 4", "お誕生日おめでとう"]});
    assert_eq!(count(Endpoint::Embeddings, &texts), Count::exact(7 + 9));
    let ids = json!({"model": "text-embedding-3-small", "input": [[1, 2, 3], [4]]});
    assert_eq!(count(Endpoint::Embeddings, &ids), Count::exact(4));
}

// === what a request may hold ===

#[test]
fn a_response_counts_its_items() {
    let body = json!({
        "model": "gpt-5",
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "2 + 2 = 4"}]},
            {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": "{\"a\":1}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "2"},
        ],
    });
    let count = count(Endpoint::Responses, &body);
    assert_eq!(count.certainty, Certainty::UpperBound);
    assert!((30..90).contains(&count.tokens), "{count:?}");
}

#[test]
fn escapes_count_as_what_they_stand_for() {
    let plain =
        "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"naïve 👍 日本/\"}]}";
    let escaped = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"na\u00efve \ud83d\udc4d \u65e5\u672c\/"}]}"#;
    let expected = count_as(&Encoding::O200k, Endpoint::ChatCompletions, plain);
    assert_eq!(expected.certainty, Certainty::Exact);
    assert_eq!(
        count_as(&Encoding::O200k, Endpoint::ChatCompletions, escaped),
        expected
    );
}

#[test]
fn tools_make_a_count_a_bound() {
    let mut body = chat(
        "gpt-4o",
        &json!([{"role": "user", "content": "hello world"}]),
    );
    let without = count(Endpoint::ChatCompletions, &body);
    assert_eq!(without, Count::exact(2 + 4 + 3));
    body["tools"] = json!([{"type": "function", "function": {
        "name": "lookup", "description": "Looks a word up", "parameters": {"type": "object", "properties": {"word": {"type": "string"}}},
    }}]);
    let with = count(Endpoint::ChatCompletions, &body);
    assert_eq!(with.certainty, Certainty::UpperBound);
    // At least its own words on top.
    assert!(with.tokens > without.tokens + 20, "{with:?}");
}

#[test]
fn tools_that_the_provider_runs_may_add_input() {
    for (tool, certainty) in [
        (json!({"type": "web_search"}), Certainty::Growing),
        (
            json!({"type": "web_search_20250305", "name": "web_search"}),
            Certainty::Growing,
        ),
        (
            json!({"type": "mcp", "server_label": "x", "server_url": "https://example.com"}),
            Certainty::Growing,
        ),
        (
            json!({"type": "bash_20250124", "name": "bash"}),
            Certainty::UpperBound,
        ),
        (json!({"type": "local_shell"}), Certainty::UpperBound),
        (
            json!({"type": "function", "name": "web_search", "parameters": {}}),
            Certainty::UpperBound,
        ),
        (
            json!({"name": "web_search", "input_schema": {}}),
            Certainty::UpperBound,
        ),
        (
            json!({"type": "custom", "name": "grep"}),
            Certainty::UpperBound,
        ),
    ] {
        let body = json!({"model": "gpt-5", "input": "hi", "tools": [tool]});
        assert_eq!(
            count(Endpoint::Responses, &body).certainty,
            certainty,
            "{body}"
        );
        let text = body.to_string();
        let view = view(Endpoint::Responses, text.as_bytes());
        let bound = Counter::new(1).bound(&Encoding::O200k, &view, text.as_bytes());
        assert_eq!(bound.certainty, certainty, "{body}");
    }
}

#[test]
fn pictures_cost_the_same_however_long_they_are() {
    let body = |model: &str, url: &str| {
        chat(
            model,
            &json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]),
        )
    };
    let long = format!("data:image/png;base64,{}", "A".repeat(100_000));
    for (model, tokens) in [("gpt-4o", 12_007), ("gpt-4o-mini", 48_176)] {
        for url in ["https://example.com/a.png", &long] {
            let count = count(Endpoint::ChatCompletions, &body(model, url));
            assert_eq!(count, Count::at_most(tokens), "{model}");
        }
    }
}

#[test]
fn documents_count_by_their_form() {
    let body = |source: Value| json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": [{"type": "document", "source": source}]}]});
    let text = "A plain text. ".repeat(1_000);
    let plain = count(
        Endpoint::Messages,
        &body(json!({"type": "text", "media_type": "text/plain", "data": text})),
    );
    assert_eq!(plain.certainty, Certainty::UpperBound);
    assert!((4_000..10_000).contains(&plain.tokens), "{plain:?}");
    let file = count(
        Endpoint::Messages,
        &body(
            json!({"type": "base64", "media_type": "application/pdf", "data": "A".repeat(50_000)}),
        ),
    );
    assert_eq!(file.certainty, Certainty::UpperBound);
    assert!((50_000..60_000).contains(&file.tokens), "{file:?}");
    for source in [
        json!({"type": "url", "url": "https://example.com/a.pdf"}),
        json!({"type": "file", "file_id": "file_1"}),
    ] {
        assert_eq!(
            count(Endpoint::Messages, &body(source)).certainty,
            Certainty::Unknown
        );
    }
}

#[test]
fn sound_counts_by_its_length() {
    let body = |part: Value| {
        chat(
            "gpt-4o-audio-preview",
            &json!([{"role": "user", "content": [part]}]),
        )
    };
    let heard = count(
        Endpoint::ChatCompletions,
        &body(
            json!({"type": "input_audio", "input_audio": {"data": "A".repeat(160_000), "format": "mp3"}}),
        ),
    );
    assert_eq!(heard.certainty, Certainty::UpperBound);
    assert!((10_000..10_200).contains(&heard.tokens), "{heard:?}");
    let spoken = chat(
        "gpt-4o-audio-preview",
        &json!([{"role": "assistant", "audio": {"id": "audio_1"}}]),
    );
    assert_eq!(
        count(Endpoint::ChatCompletions, &spoken).certainty,
        Certainty::Unknown
    );
}

#[test]
fn content_that_the_provider_keeps_is_unknown() {
    for body in [
        json!({"model": "gpt-5", "input": "go on", "previous_response_id": "resp_1"}),
        json!({"model": "gpt-5", "input": "go on", "conversation": "conv_1"}),
        json!({"model": "gpt-5", "prompt": {"id": "pmpt_1"}}),
        json!({"model": "gpt-5", "input": [{"type": "item_reference", "id": "msg_1"}]}),
    ] {
        assert_eq!(
            count(Endpoint::Responses, &body).certainty,
            Certainty::Unknown,
            "{body}"
        );
        let text = body.to_string();
        let view = view(Endpoint::Responses, text.as_bytes());
        let bound = Counter::new(1).bound(&Encoding::O200k, &view, text.as_bytes());
        assert_eq!(bound.certainty, Certainty::Unknown, "{body}");
    }
}

#[test]
fn sealed_reasoning_counts_by_its_length() {
    let body = json!({"model": "claude-sonnet-4-5", "messages": [{"role": "assistant", "content": [
        {"type": "thinking", "thinking": "", "signature": "A".repeat(4_000)},
        {"type": "redacted_thinking", "data": "A".repeat(2_000)},
    ]}]});
    let count = count(Endpoint::Messages, &body);
    assert!((3_000..3_200).contains(&count.tokens), "{count:?}");
}

#[test]
fn what_can_be_read_of_reasoning_counts_as_text() {
    let body = json!({"model": "gpt-5", "input": [{
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "2 + 2 = 4 ".repeat(100)}],
        "encrypted_content": "A".repeat(2_000),
    }]});
    let count = count(Endpoint::Responses, &body);
    assert_eq!(count.certainty, Certainty::UpperBound);
    assert!((1_600..2_000).contains(&count.tokens), "{count:?}");
}

#[test]
fn a_name_that_is_a_word_of_the_protocol_is_a_name() {
    let named = |name: &str| {
        let messages = json!([{"role": "user", "name": name, "content": "hi"}]);
        count(Endpoint::ChatCompletions, &chat("gpt-4o", &messages))
    };
    assert_eq!(named("user"), Count::exact(4 + 3 + 1 + 2));
    assert_eq!(named("user"), named("bob"));
}

#[test]
fn generated_text_counts_by_itself() {
    let counter = Counter::new(1);
    let text = "Things working well together will increase revenue.";
    assert_eq!(counter.text(&Encoding::O200k, text), Count::exact(8));
    let bound = counter.text(&Encoding::Claude, text);
    assert_eq!(bound.certainty, Certainty::UpperBound);
    assert!((8..=20).contains(&bound.tokens), "{bound:?}");
    assert_eq!(counter.text(&Encoding::Claude, "").tokens, 0);
}

/// Text in members that the view does not know is not free, wherever it stands.
#[test]
fn no_text_hides_between_the_blocks() {
    let text = "the quick brown fox ".repeat(500);
    let messages = json!([{"role": "user", "content": "hi"}]);
    let mut schema = chat("gpt-4o", &messages);
    schema["response_format"] =
        json!({"type": "json_schema", "json_schema": {"name": "a", "schema": {"enum": [text]}}});
    let mut unknown = chat("gpt-4o", &messages);
    unknown["x"] = json!({"y": [text]});
    let named = chat(
        "gpt-4o",
        &json!([{"role": "user", "name": text, "content": "hi"}]),
    );
    for body in [schema, unknown, named] {
        let count = count(Endpoint::ChatCompletions, &body);
        assert!((2_000..3_000).contains(&count.tokens), "{count:?}");
    }
}

#[test]
fn messages_without_content_are_framed_too() {
    let messages: Vec<_> = (0..100)
        .map(|_| json!({"role": "assistant", "content": []}))
        .collect();
    let count = count(Endpoint::ChatCompletions, &chat("gpt-4o", &json!(messages)));
    assert_eq!(count, Count::exact(100 * 4 + 3));
}

// === memory ===

#[test]
fn a_turn_tokenizes_its_new_blocks_alone() {
    let tokenizer = Arc::new(Bytewise::default());
    let encoding = Encoding::Own(Arc::clone(&tokenizer) as Arc<dyn TextTokenizer>);
    let counter = Counter::new(1_000);
    let mut messages = vec![json!({"role": "system", "content": "s".repeat(1_000)})];
    for turn in 0..20_u64 {
        messages.push(
            json!({"role": "user", "content": format!("question {turn} {}", "q".repeat(100))}),
        );
        let body = chat("local", &json!(messages)).to_string();
        let view = view(Endpoint::ChatCompletions, body.as_bytes());
        counter.clone().count(&encoding, &view, body.as_bytes());
        assert_eq!(
            tokenizer.texts.load(Ordering::Relaxed),
            turn + 2,
            "one new block a turn"
        );
    }
}

#[test]
fn encodings_do_not_share_what_they_remember() {
    let counter = Counter::new(10);
    let body = chat(
        "x",
        &json!([{"role": "user", "content": "お誕生日おめでとう"}]),
    )
    .to_string();
    let view = view(Endpoint::ChatCompletions, body.as_bytes());
    let texts = [Encoding::Cl100k, Encoding::O200k, Encoding::Cl100k]
        .map(|encoding| counter.count(&encoding, &view, body.as_bytes()).tokens - 7);
    assert_eq!(texts, [9, 8, 9]);
}

#[test]
fn a_view_of_another_body_does_no_harm() {
    let body = chat(
        "gpt-4o",
        &json!([{"role": "user", "content": "hello world"}]),
    )
    .to_string();
    let view = view(Endpoint::ChatCompletions, body.as_bytes());
    for other in [&b""[..], b"{", &[0xFF; 300]] {
        Counter::new(10).count(&Encoding::O200k, &view, other);
    }
}

// === anything ===

/// A text as a JSON string in which every character is an escape.
fn all_escaped(text: &str) -> String {
    let mut literal = String::from("\"");
    for unit in text.encode_utf16() {
        write!(literal, "\\u{unit:04x}").unwrap();
    }
    literal + "\""
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_bound_is_never_below_the_count(
        texts in prop::collection::vec(any::<String>(), 1..6),
        name in prop::option::of(".{0,100}"),
        escaped in any::<bool>(),
    ) {
        let literal = |text: &str| if escaped { all_escaped(text) } else { json!(text).to_string() };
        let name = name.map(|name| format!("\"name\":{},", literal(&name))).unwrap_or_default();
        let texts: Vec<_> = texts.iter().map(|text| literal(text)).collect();
        let messages: Vec<_> = texts.iter().map(|text| format!("{{\"role\":\"a\",{name}\"content\":{text}}}")).collect();
        let parts: Vec<_> = texts.iter().map(|text| format!("{{\"type\":\"text\",\"text\":{text}}}")).collect();
        let messages = messages.join(",");
        let parts = parts.join(",");
        let bodies = [
            (Endpoint::ChatCompletions, format!("{{\"model\":\"m\",\"messages\":[{messages}]}}")),
            (Endpoint::Responses, format!("{{\"model\":\"m\",\"input\":[{messages}],\"instructions\":{}}}", literal("x"))),
            (Endpoint::Messages, format!("{{\"messages\":[{{\"role\":\"user\",\"content\":[{parts}]}}],\"model\":\"m\"}}")),
        ];
        for (endpoint, body) in bodies {
            for encoding in [Encoding::O200k, Encoding::Cl100k, Encoding::Claude, Encoding::Bounded] {
                count_as(&encoding, endpoint, &body);
            }
        }
    }
}

/// Real conversations, if they are there: turn by turn the count grows, and is mostly remembered.
#[test]
fn agents_conversations_are_counted_from_memory() {
    let data = std::env::var_os("SKINFLINT_EVAL_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let path = data.join("tau_bench/airline_trajectories.json");
    let Ok(text) = std::fs::read(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return;
    };
    let tasks: Vec<Value> = serde_json::from_slice(&text).unwrap();
    let tokenizer = Arc::new(Bytewise::default());
    let encoding = Encoding::Own(Arc::clone(&tokenizer) as Arc<dyn TextTokenizer>);
    let counter = Counter::new(100_000);
    let mut sent = 0;
    for task in tasks.iter().take(20) {
        let messages = task["traj"].as_array().unwrap();
        let mut last = 0;
        for end in 1..=messages.len() {
            let body = chat("local", &json!(messages[..end])).to_string();
            let view = view(Endpoint::ChatCompletions, body.as_bytes());
            let count = counter.count(&encoding, &view, body.as_bytes());
            assert!(
                count.tokens > last,
                "turn {end} of task {}",
                task["task_id"]
            );
            last = count.tokens;
            sent += tokens(body.len());
        }
    }
    let work = tokenizer.bytes.load(Ordering::Relaxed);
    assert!(work * 10 < sent, "{work} of {sent} bytes were tokenized");
}
