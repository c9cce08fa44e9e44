//! More calls at once than a budget has room for.

use bytes::Bytes;
use http::Request;
use serde_json::Value;
use skinflint_tests::{Answer, BillLine, FakeProvider, Load, Reply, Script, Usage};

use crate::{
    api::Api,
    money::{self, CENT, budget, monthly, total},
};

/// Calls that come at once.
const CALLS: usize = 10_000;
/// How many of a cent each fit a dollar.
const FITTING: usize = 100;

/// A call that costs exactly a cent.
fn cent(_: usize) -> Request<Bytes> {
    let body = money::ask(Api::Chat, 10, false).to_string();
    Load::post(Api::Chat.path(), body)
}

#[tokio::test]
async fn a_hundred_cents_fit_a_dollar() {
    let provider = FakeProvider::start().await;
    provider.script_by(|_| Some(Script::tokens(10)));
    let gateway = money::gateway(&provider, &monthly("1.00"))
        .limit("in_flight", "20000")
        .start()
        .await;
    let replies = gateway.load().run(CALLS, CALLS, cent).await;
    let with = |status: u16| replies.iter().filter(move |one| one.status == Some(status));
    assert_eq!(with(200).count(), FITTING);
    assert_eq!(with(429).count(), CALLS - FITTING);
    let refused = with(429).all(|one| one.error_type.as_deref() == Some("budget_exceeded"));
    assert!(refused, "refused for another reason");
    assert_eq!(provider.exchanges().len(), FITTING);

    let next = money::chat(&gateway, 10).await;
    next.assert_refused();
    assert_eq!(next.budget(), "tenant: 1.00 + 0.00 of 1.00");
    let attempts = money::settled(&gateway).await;
    assert_eq!(attempts.len(), FITTING);
    assert_eq!(total(&attempts), 100 * CENT);
    money::wait_receipts(&gateway, 10_001).await;
    gateway.finish().await;
}

/// Tokens of the answers that teach the gateway what to expect, and of those that come then.
const TAUGHT: usize = 64;
const REAL: usize = 640;
/// Calls that come at once, and dollars that they may cost together: those of 25,000 tokens.
const LONG_CALLS: usize = 1_000;
const CAP: &str = "0.25";
const CAP_NANOS: u64 = 250_000_000;
/// Nano-dollars of a token of prompt and of answer.
const INPUT: u64 = 1_000;
const OUTPUT: u64 = 10_000;
/// Tokens of a prompt, by the provider's account; what is sent has more, so that the gateway's count is a bound.
const PROMPT: u64 = 5;

const PRICES: &str = r#"
[[price]]
model = "gpt-long"
input = 1
output = 10
hidden_reasoning = false

[[price]]
model = "claude-long"
input = 1
output = 10
hidden_reasoning = false
"#;

/// Protocol of the call with this index, and whether it streams.
fn kind(index: usize) -> (Api, bool) {
    (Api::ALL[index % 3], (index / 3).is_multiple_of(2))
}

fn long(index: usize, tag: &'static str) -> Request<Bytes> {
    let (api, stream) = kind(index);
    let mut body = api.body(stream);
    body["model"] = match api {
        Api::Messages => "claude-long".into(),
        _ => "gpt-long".into(),
    };
    body[money::limit_name(api)] = REAL.into();
    let mut request = Load::post(api.path(), body.to_string());
    let headers = request.headers_mut();
    headers.insert("x-skinflint-tags", http::HeaderValue::from_static(tag));
    request
}

fn says(tokens: usize) -> Answer {
    Answer {
        tokens: Some(tokens),
        usage: Usage {
            input: Some(PROMPT),
            ..Usage::default()
        },
        ..Answer::default()
    }
}

/// How a stream says that it ended at its limit of length, and how that it ended well.
fn ends(api: Api) -> (&'static str, &'static str) {
    match api {
        Api::Chat => ("\"finish_reason\":\"length\"", "\"finish_reason\":\"stop\""),
        Api::Messages => (
            "\"stop_reason\":\"max_tokens\"",
            "\"stop_reason\":\"end_turn\"",
        ),
        Api::Responses => ("\"response.incomplete\"", "\"response.completed\""),
    }
}

/// Ends as its protocol ends a stream; true if that was at its limit of length.
fn is_cut(api: Api, reply: &Reply) -> bool {
    assert!(reply.is_whole, "{reply:?}");
    assert_eq!(reply.error_type, None, "{reply:?}");
    let tail = String::from_utf8_lossy(&reply.tail);
    let (cut, well) = ends(api);
    assert_ne!(tail.contains(cut), tail.contains(well), "{api:?}: {tail}");
    let last = match api {
        Api::Chat => "data: [DONE]\n\n",
        Api::Messages => "{\"type\":\"message_stop\"}\n\n",
        Api::Responses => "}\n\n",
    };
    assert!(tail.ends_with(last), "{api:?}: {tail}");
    tail.contains(cut)
}

#[tokio::test]
async fn answers_ten_times_as_long_as_expected_stay_within_the_cap() {
    let provider = FakeProvider::start().await;
    let gateway = skinflint_tests::Gateway::builder(&provider)
        .tenant(
            "acme",
            &money::tenant("", &budget("tag:real", "month", CAP, "")),
        )
        .append(PRICES)
        .start()
        .await;
    provider.script_by(|request| {
        let is_lesson = !request.header("x-fake-lesson").is_empty();
        is_lesson.then(|| Script::answer(says(TAUGHT)))
    });
    let lesson = |index| {
        let mut request = long(index, "lesson");
        let mark = http::HeaderValue::from_static("1");
        request.headers_mut().insert("x-fake-lesson", mark);
        request
    };
    let lessons = gateway.load().run(600, 50, lesson).await;
    assert!(lessons.iter().all(|reply| reply.status == Some(200)));
    let taught = provider.exchanges().len();

    let folder = tempfile::tempdir().unwrap();
    let bill = folder.path().join("bill.tsv");
    provider.bill(&bill).unwrap();
    // Slowly, so that nothing is on its way of which the gateway has not heard yet.
    let slow = Script {
        token_delay_ms: 20,
        ..Script::answer(says(REAL))
    };
    provider.script_by(move |_| Some(slow.clone()));
    let replies = gateway
        .load()
        .run(LONG_CALLS, LONG_CALLS, |index| long(index, "real"))
        .await;
    provider.wait_idle().await;

    let (mut cut, mut streams) = (0, 0);
    for (index, reply) in replies.iter().enumerate() {
        let (api, stream) = kind(index);
        match reply.status {
            Some(200) if stream => {
                streams += 1;
                cut += usize::from(is_cut(api, reply));
            }
            Some(200) => {}
            _ => assert_eq!(reply.error_type.as_deref(), Some("budget_exceeded")),
        }
    }
    assert!(
        streams > 0 && cut > 0,
        "{cut} of {streams} streams were cut"
    );
    let billed: u64 = BillLine::read(&bill)
        .iter()
        .map(|line| line.input * INPUT + line.output * OUTPUT)
        .sum();
    assert!(billed <= CAP_NANOS, "billed {billed} nano-dollars");
    let attempts = money::settled(&gateway).await;
    let spent = total(&attempts) - lesson_cost(taught);
    assert!(spent <= CAP_NANOS, "{spent} nano-dollars in the ledger");
    assert!(spent >= billed, "{billed} billed, {spent} in the ledger");
    assert!(spent > CAP_NANOS / 2, "only {spent} of {CAP_NANOS} spent");

    for sent in &provider.exchanges()[taught..] {
        let body = sent.json();
        let limits = [&body["max_tokens"], &body["max_output_tokens"]];
        let limit = limits.into_iter().find_map(Value::as_u64).expect("a limit");
        let asked = REAL as u64;
        let is_cut = limit < asked && body["stream"] != true;
        assert!(limit == asked || is_cut, "{body}");
    }
    gateway.finish().await;
}

fn lesson_cost(calls: usize) -> u64 {
    calls as u64 * (PROMPT * INPUT + TAUGHT as u64 * OUTPUT)
}
