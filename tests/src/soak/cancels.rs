//! Callers of the local model that go away at any moment. See [`run`].

use std::{path::Path, time::Duration};

use futures_util::{StreamExt, future::join_all};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{FakeProvider, Gateway};

/// How long callers come and go, and what decides about everything that is random.
#[derive(Debug, Clone, Copy)]
pub(super) struct CancelPlan {
    pub(super) length: Duration,
    pub(super) seed: u64,
}

/// What became of the calls.
#[derive(Debug, Default)]
pub(super) struct CancelTotals {
    pub(super) calls: usize,
    /// Read to their end.
    pub(super) whole: usize,
    /// Given up before.
    pub(super) dropped: usize,
    /// Told to come again.
    pub(super) refused: usize,
    /// What nobody should be answered.
    pub(super) faults: Vec<String>,
    /// Streams of the last burst that ran at the same time.
    pub(super) at_once: usize,
    /// Resident memory once everything was warm, in bytes.
    pub(super) warm: u64,
    /// The same at the end.
    pub(super) end: u64,
}

/// What a caller asks for, and when it goes away.
#[derive(Debug)]
struct Visit {
    path: &'static str,
    body: Value,
    patience: Patience,
}

#[derive(Debug, Clone, Copy)]
enum Patience {
    /// Reads to the end.
    Whole,
    /// Goes away after so long, wherever the answer is then.
    Until(Duration),
    /// Goes away when so many parts of the body have come.
    Parts(usize),
}

/// What became of one call.
#[derive(Debug)]
enum Fate {
    Whole,
    Dropped,
    Refused,
    Wrong(String),
}

const MODEL: &str = "gemma-3-270m";
/// As many as run at the same time, and some that wait.
const CALLERS: usize = 24;
/// Sequences that the engine runs at the same time.
pub(super) const AT_ONCE: usize = 8;
/// Before that, caches and pools still fill.
const WARM_SHARE: f64 = 0.2;
/// The longest time after which a caller goes away.
const LONGEST: Duration = Duration::from_secs(3);
/// A burst that takes longer has lost somebody.
const BURST: Duration = Duration::from_mins(2);
const WORDS: [&str; 12] = [
    "river",
    "stone",
    "the",
    "of",
    "seven",
    "café",
    "日本語",
    "{",
    "walks",
    "quickly",
    "\n",
    "why?",
];

/// Lets callers come and go for so long; `None` where there are no weights. `models` is the folder that they lie in.
pub(super) async fn run(plan: CancelPlan, models: &Path) -> Option<CancelTotals> {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .field("local", "enabled", "true")
        .arguments(&["--models", &models.display().to_string()])
        .start()
        .await;
    let first = gateway.post("/v1/chat/completions", long_answer(false).to_string());
    if first.send().await.ok()?.status() == http::StatusCode::SERVICE_UNAVAILABLE {
        return None;
    }
    let mut totals = CancelTotals::default();
    let warm_up = plan.length.mul_f64(WARM_SHARE);
    for (part, length) in [(0, warm_up), (1, plan.length.saturating_sub(warm_up))] {
        let deadline = Instant::now() + length;
        let callers = (0..CALLERS).map(|caller| {
            let number = u64::try_from(part * CALLERS + caller).unwrap_or_default();
            let random = StdRng::seed_from_u64(plan.seed.wrapping_add(number));
            call_until(&gateway, deadline, random)
        });
        for fates in join_all(callers).await {
            totals.add(fates);
        }
        gateway.wait_in_flight(0).await;
        // The same work before either look at the memory.
        totals.at_once = burst(&gateway).await;
        gateway.wait_in_flight(0).await;
        totals.end = gateway.resident();
        if part == 0 {
            totals.warm = totals.end;
        }
    }
    gateway.finish().await;
    Some(totals)
}

async fn call_until(gateway: &Gateway, deadline: Instant, mut random: StdRng) -> Vec<Fate> {
    let mut fates = Vec::new();
    while Instant::now() < deadline {
        let fate = visit(gateway, Visit::any(&mut random)).await;
        if matches!(fate, Fate::Refused) {
            sleep(Duration::from_millis(random.random_range(50..500))).await;
        }
        fates.push(fate);
    }
    fates
}

async fn visit(gateway: &Gateway, visit: Visit) -> Fate {
    let leaves = match visit.patience {
        Patience::Until(after) => Instant::now() + after,
        Patience::Whole | Patience::Parts(_) => Instant::now() + BURST,
    };
    let call = async {
        let sent = gateway
            .post(visit.path, visit.body.to_string())
            .send()
            .await;
        let response = match sent {
            Ok(response) => response,
            Err(error) => return Fate::Wrong(format!("{}: {error}", visit.path)),
        };
        let status = response.status().as_u16();
        let mut parts = response.bytes_stream();
        let mut body = Vec::new();
        let mut count = 0;
        while let Some(part) = parts.next().await {
            match part {
                Ok(part) => body.extend_from_slice(&part),
                Err(error) => return Fate::Wrong(format!("{}: {error}", visit.path)),
            }
            count += 1;
            if matches!(visit.patience, Patience::Parts(most) if count >= most) {
                return Fate::Dropped;
            }
        }
        let body = String::from_utf8_lossy(&body);
        match status {
            200 if !body.contains("\"error\":{") => Fate::Whole,
            429 | 503 => Fate::Refused,
            _ => Fate::Wrong(format!("{} {}: {status} {body}", visit.path, visit.body)),
        }
    };
    match (timeout_at(leaves, call).await, visit.patience) {
        (Ok(fate), _) => fate,
        (Err(_), Patience::Until(_)) => Fate::Dropped,
        (Err(_), _) => Fate::Wrong(format!("{} {}: no end", visit.path, visit.body)),
    }
}

/// As many streams as the engine runs at the same time, none of which can end before it has told some hundred numbers: how many had told their first
/// before any had ended. A place or memory that a caller has left taken would have one of them wait for the end of another.
async fn burst(gateway: &Gateway) -> usize {
    let ended = std::sync::atomic::AtomicBool::new(false);
    let order = std::sync::atomic::Ordering::SeqCst;
    let streams = (0..AT_ONCE).map(|_| async {
        let body = long_answer(true).to_string();
        let response = gateway
            .post("/v1/chat/completions", body)
            .send()
            .await
            .ok()?;
        let mut parts = response.error_for_status().ok()?.bytes_stream();
        let mut text = String::new();
        let mut in_time = None;
        while let Some(part) = parts.next().await {
            text.push_str(&String::from_utf8_lossy(&part.ok()?));
            if in_time.is_none() && has_told(&text) {
                in_time = Some(!ended.load(order));
            }
        }
        ended.store(true, order);
        in_time
    });
    let done = tokio::time::timeout(BURST, join_all(streams)).await;
    let in_time = |stream: &&Option<bool>| **stream == Some(true);
    done.map_or(0, |streams| streams.iter().filter(in_time).count())
}

/// Whether a stream has told anything: its first event names the role alone.
fn has_told(text: &str) -> bool {
    let contents = text.split("\"content\":\"").skip(1);
    contents
        .into_iter()
        .any(|rest| !rest.starts_with('"') && !rest.is_empty())
}

/// A call whose answer is long, whatever the model would like to say.
fn long_answer(stream: bool) -> Value {
    let numbers = json!({ "type": "array", "items": { "type": "integer" }, "minItems": 100, "maxItems": 200 });
    json!({
        "model": MODEL,
        "messages": [{ "role": "user", "content": "Count." }],
        "max_completion_tokens": if stream { 160 } else { 4 },
        "stream": stream,
        "response_format": { "type": "json_schema", "json_schema": { "name": "numbers", "schema": numbers, "strict": true } },
    })
}

// === impl Visit ===

impl Visit {
    fn any(random: &mut StdRng) -> Self {
        let words = random.random_range(1..300_usize);
        // Some of the words are blank, and a prompt of nothing else is refused.
        let text: Vec<&str> = std::iter::once("Go")
            .chain((0..words).map(|_| WORDS[random.random_range(0..WORDS.len())]))
            .collect();
        let messages = json!([{ "role": "user", "content": text.join(" ") }]);
        let tokens = random.random_range(1..120_u32);
        let schema = json!({
            "type": "object",
            "properties": { "city": { "type": "string", "enum": ["Paris", "Bern"] }, "days": { "type": "integer", "enum": [1, 2, 3] } },
            "required": ["city", "days"],
            "additionalProperties": false,
        });
        let form = random.random_range(0..4);
        let (path, mut body) = match random.random_range(0..3) {
            0 => {
                let mut body = json!({ "messages": messages, "max_completion_tokens": tokens });
                if form == 1 {
                    body["response_format"] = json!({ "type": "json_schema", "json_schema": { "name": "w", "schema": schema, "strict": true } });
                } else if form == 2 {
                    body["tools"] = json!([{ "type": "function", "function": { "name": "weather", "parameters": schema } }]);
                    body["tool_choice"] = "required".into();
                }
                ("/v1/chat/completions", body)
            }
            1 => {
                let mut body = json!({ "input": text.join(" "), "max_output_tokens": tokens.max(16), "store": false });
                if form == 1 {
                    body["text"] = json!({ "format": { "type": "json_schema", "name": "w", "schema": schema, "strict": true } });
                }
                ("/v1/responses", body)
            }
            _ => {
                let mut body = json!({ "messages": messages, "max_tokens": tokens });
                if form == 1 {
                    body["tools"] = json!([{ "name": "weather", "input_schema": schema }]);
                    body["tool_choice"] = json!({ "type": "any" });
                }
                ("/v1/messages", body)
            }
        };
        body["model"] = MODEL.into();
        body["stream"] = random.random_bool(0.6).into();
        body["temperature"] = json!(random.random_range(0.0..1.0_f64));
        let patience = match random.random_range(0..8) {
            0 => Patience::Whole,
            1..=3 => Patience::Parts(random.random_range(1..40)),
            _ => Patience::Until(LONGEST.mul_f64(random.random_range(0.0..1.0_f64).powi(2))),
        };
        Self {
            path,
            body,
            patience,
        }
    }
}

// === impl CancelTotals ===

impl CancelTotals {
    fn add(&mut self, fates: Vec<Fate>) {
        self.calls += fates.len();
        for fate in fates {
            match fate {
                Fate::Whole => self.whole += 1,
                Fate::Dropped => self.dropped += 1,
                Fate::Refused => self.refused += 1,
                Fate::Wrong(what) => self.faults.push(what),
            }
        }
    }
}
