use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;

use crate::{
    Answer, BillLine, CutAt, Ending, FakeProvider, RawConnection, Script, Usage, gateway::client,
};

struct Shop {
    provider: FakeProvider,
    bill: PathBuf,
    _folder: TempDir,
}

impl Shop {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bill = folder.path().join("bill.tsv");
        let provider = FakeProvider::start().await;
        provider.bill(&bill).unwrap();
        Self {
            provider,
            bill,
            _folder: folder,
        }
    }

    /// Sends a call, and reads its answer.
    async fn buy(&self, call: &str, path: &str, body: serde_json::Value) -> (u16, String) {
        let request = client(None)
            .post(format!("{}{path}", self.provider.url()))
            .header("x-client-request-id", call)
            .body(body.to_string());
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.text().await.unwrap())
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.bill).unwrap()
    }
}

fn rich() -> Script {
    Script::answer(Answer {
        tokens: Some(2),
        usage: Usage {
            input: Some(7),
            cached: 3,
            write_5m: 2,
            write_1h: 1,
            reasoning: 4,
            ..Usage::default()
        },
        ..Answer::default()
    })
}

#[tokio::test]
async fn each_answer_is_charged_once_as_its_provider_counts() {
    let shop = Shop::open().await;
    shop.provider.script_by(|request| {
        let is_refused = request.header("x-client-request-id") == "refused";
        Some(Script {
            status: is_refused.then_some(500),
            ..rich()
        })
    });
    for (call, path, stream) in [
        ("a", "/v1/chat/completions", false),
        ("b", "/v1/chat/completions", true),
        ("c", "/v1/responses", false),
        ("d", "/v1/responses", true),
        ("e", "/v1/messages", false),
        ("f", "/v1/messages", true),
        ("free", "/v1/messages/count_tokens", false),
        ("refused", "/v1/messages", false),
        ("g", "/v1/embeddings", false),
    ] {
        let body = json!({ "model": "m", "stream": stream, "input": "twelve bytes" });
        let (status, _) = shop.buy(call, path, body).await;
        assert_eq!(status == 500, call == "refused", "{call}: {status}");
    }
    insta::assert_snapshot!(shop.text().replace('\t', " "), @"
    a m 7 3 0 0 6 4
    b m 7 3 0 0 6 4
    c m 7 3 0 0 6 4
    d m 7 3 0 0 6 4
    e m 7 3 2 1 6 0
    f m 7 3 2 1 6 0
    g m 3 0 0 0 0 0
    ");
    let lines = BillLine::read(&shop.bill);
    let again: Vec<String> = lines.iter().map(ToString::to_string).collect();
    assert_eq!(again.join("\n") + "\n", shop.text());
    assert!("a\tb\t1".parse::<BillLine>().is_err());
}

#[tokio::test]
async fn the_requests_limit_ends_the_answer() {
    let shop = Shop::open().await;
    shop.provider.script_by(|_| Some(Script::tokens(30)));
    for (path, limit, told) in [
        (
            "/v1/chat/completions",
            "max_completion_tokens",
            r#""finish_reason":"length""#,
        ),
        (
            "/v1/chat/completions",
            "max_tokens",
            r#""finish_reason":"length""#,
        ),
        (
            "/v1/responses",
            "max_output_tokens",
            r#""reason":"max_output_tokens""#,
        ),
        (
            "/v1/messages",
            "max_tokens",
            r#""stop_reason":"max_tokens""#,
        ),
    ] {
        for stream in [false, true] {
            let body = json!({ "model": "m", "stream": stream, limit: 3 });
            let (_, answer) = shop.buy("", path, body).await;
            assert!(answer.contains(told), "{path} {limit}: {answer}");
            assert_eq!(answer.matches("dogs").count(), 0, "{path}: {answer}");
        }
    }
    let lines = BillLine::read(&shop.bill);
    assert_eq!(lines.len(), 8);
    assert!(lines.iter().all(|line| line.output == 3), "{lines:?}");
}

#[tokio::test]
async fn a_stream_that_is_given_up_is_charged_as_far_as_it_came() {
    let shop = Shop::open().await;
    // Three of them tell the start.
    let stalled = Script::tokens(9).cut(CutAt::Events(3 + 5), Ending::Stall);
    shop.provider.script_by(move |_| Some(stalled.clone()));
    let mut peer = RawConnection::open(shop.provider.address()).await;
    peer.post("/v1/messages", r#"{"model":"m","stream":true}"#)
        .await;
    peer.read_past("jumps").await;
    assert_eq!(shop.text(), "");
    peer.close();
    shop.provider.wait_idle().await;
    assert_eq!(BillLine::read(&shop.bill)[0].output, 5);
}

#[tokio::test]
async fn a_paced_answer_ends_where_the_peer_leaves() {
    let shop = Shop::open().await;
    let slow = Script {
        token_delay_ms: 1,
        ..Script::tokens(1_000_000)
    };
    shop.provider.script_by(move |_| Some(slow.clone()));
    for stream in [false, true] {
        let mut peer = RawConnection::open(shop.provider.address()).await;
        let body = json!({ "model": "m", "stream": stream, "max_tokens": 100_000 });
        peer.post("/v1/chat/completions", &body.to_string()).await;
        if stream {
            peer.read_past("lazy").await;
        } else {
            shop.provider
                .wait_until("the request is in", |all| {
                    !all.is_empty() && all.iter().all(|e| e.body_complete)
                })
                .await;
        }
        peer.close();
        shop.provider.wait_idle().await;
    }
    let lines = BillLine::read(&shop.bill);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| line.output < 100_000), "{lines:?}");
    assert!(lines[1].output >= 7, "{lines:?}");
}

#[tokio::test]
async fn many_calls_share_an_fsync() {
    let shop = Shop::open().await;
    let calls = (0..200).map(|call| {
        let shop = &shop;
        async move {
            let body = json!({ "model": "m" });
            shop.buy(&call.to_string(), "/v1/messages", body).await
        }
    });
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(|(status, _)| *status == 200));
    let mut calls: Vec<u32> = BillLine::read(&shop.bill)
        .iter()
        .map(|line| line.call.parse().unwrap())
        .collect();
    calls.sort_unstable();
    assert_eq!(calls, (0..200).collect::<Vec<_>>());
}
