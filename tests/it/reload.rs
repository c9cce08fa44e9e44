//! Policies change while the gateway runs: all at once, or not at all.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
};

use futures_util::future::join_all;
use serde_json::Value;
use sha2::{Digest, Sha256};
use skinflint_tests::{FakeProvider, Gateway, Script};

use crate::{
    api::Api,
    money::{self, Told, budget, chat, monthly},
};

const RELOADS: &str = "skinflint_policy_reloads_total";
const STALE: &str = "skinflint_policy_stale";
const TENANT: &str = "policies/acme.toml";

async fn provider() -> FakeProvider {
    let provider = FakeProvider::start().await;
    provider.script_by(|_| Some(Script::tokens(10)));
    provider
}

/// Puts a new tenant file in place, and waits until it holds.
async fn reload(gateway: &Gateway, file: &str) {
    let before = gateway.metric(RELOADS).await.unwrap_or(0.0);
    gateway.replace(TENANT, file);
    gateway.wait_metric(RELOADS, before + 1.0).await;
}

#[tokio::test]
async fn a_raised_limit_admits_the_next_call() {
    let provider = provider().await;
    let gateway = money::gateway(&provider, &monthly("0.01")).start().await;
    chat(&gateway, 10).await.assert_answered();
    chat(&gateway, 10).await.assert_refused();
    reload(&gateway, &money::tenant("", &monthly("0.02"))).await;
    chat(&gateway, 10).await.assert_answered();
    let refused = chat(&gateway, 10).await;
    refused.assert_refused();
    assert_eq!(refused.budget(), "tenant: 0.02 + 0.00 of 0.02");
    reload(&gateway, &money::tenant("", &monthly("0.01"))).await;
    let refused = chat(&gateway, 10).await;
    refused.assert_refused();
    assert_eq!(refused.budget(), "tenant: 0.02 + 0.00 of 0.01");
    gateway.finish().await;
}

#[tokio::test]
async fn a_new_budget_counts_what_was_spent_before_it() {
    let provider = provider().await;
    let gateway = money::gateway(&provider, "").start().await;
    for _ in 0..3 {
        chat(&gateway, 10).await.assert_answered();
    }
    reload(&gateway, &money::tenant("", &monthly("0.04"))).await;
    chat(&gateway, 10).await.assert_answered();
    let refused = chat(&gateway, 10).await;
    refused.assert_refused();
    assert_eq!(refused.budget(), "tenant: 0.04 + 0.00 of 0.04");
    let others = [
        budget("model:gpt-*", "week", "0.04", ""),
        budget("model", "rolling:24h", "0.04", ""),
        budget("task", "task", "0.04", ""),
    ];
    for other in others {
        reload(&gateway, &money::tenant("", &other)).await;
        let refused = chat(&gateway, 10).await;
        refused.assert_refused();
        assert!(
            refused.budget().ends_with(": 0.04 + 0.00 of 0.04"),
            "{refused:?}"
        );
    }
    reload(&gateway, &money::tenant("", "")).await;
    chat(&gateway, 10).await.assert_answered();
    gateway.finish().await;
}

/// What is wrong with a file, and the field and the line that the log has to name.
fn wrong_files() -> Vec<(String, &'static str, u32)> {
    let file = |budgets: &str| money::tenant("", budgets);
    let double = monthly("1") + &monthly("2");
    vec![
        ("[tenant]\nid = \"ac".into(), "", 2),
        (file("speed = 3"), "speed", 5),
        (
            file(&budget("tenant", "month", "-1", "")),
            "budget[0].limit_usd",
            9,
        ),
        (
            file(&budget("tenant", "fortnight", "1", "")),
            "budget[0].window",
            8,
        ),
        (
            file(&budget("planet", "month", "1", "")),
            "budget[0].scope",
            7,
        ),
        (file(&double), "budget[1].window", 14),
        (
            file("keys = [{ id = \"k1\", hash = \"sk-skf-in-clear-text\" }]"),
            "keys[0]",
            5,
        ),
    ]
}

/// Waits until the log complains of a file with all of these words.
async fn complaint(gateway: &Gateway, words: &[&str]) {
    let wanted = |event: &Value| {
        let told = event["error"].as_str().unwrap_or_default();
        event["level"] == "ERROR" && words.iter().all(|word| told.contains(word))
    };
    gateway.log().wait(&format!("{words:?}"), wanted).await;
}

#[tokio::test]
async fn a_wrong_file_changes_nothing_and_is_told() {
    let provider = provider().await;
    let good = money::tenant("", &monthly("0.50"));
    let gateway = money::gateway(&provider, &monthly("0.50")).start().await;
    for (wrong, field, line) in wrong_files() {
        gateway.replace(TENANT, &wrong);
        gateway.wait_metric(STALE, 1.0).await;
        complaint(&gateway, &[&format!("policies/acme.toml:{line}"), field]).await;
        chat(&gateway, 10).await.assert_answered();
        gateway.replace(TENANT, &good);
        gateway.wait_metric(STALE, 0.0).await;
    }
    gateway.finish().await;
}

/// An editor that writes where the file is, and takes its time over it.
#[tokio::test]
async fn a_half_written_file_changes_nothing() {
    let provider = provider().await;
    let gateway = money::gateway(&provider, &monthly("0.01")).start().await;
    chat(&gateway, 10).await.assert_answered();
    let new = money::tenant("", &monthly("0.02"));
    let (half, rest) = new.split_at(new.find("limit_usd").expect("a limit") + 10);
    std::fs::write(gateway.path(TENANT), half).unwrap();
    gateway.wait_metric(STALE, 1.0).await;
    chat(&gateway, 10).await.assert_refused();
    std::fs::write(gateway.path(TENANT), half.to_owned() + rest).unwrap();
    gateway.wait_metric(STALE, 0.0).await;
    chat(&gateway, 10).await.assert_answered();
    gateway.finish().await;
}

#[tokio::test]
async fn a_file_that_goes_and_one_twice_change_nothing() {
    let provider = provider().await;
    let gateway = money::gateway(&provider, &monthly("0.50")).start().await;
    let file = std::fs::read_to_string(gateway.path(TENANT)).unwrap();
    // Without its last tenant, the gateway would let everybody in.
    std::fs::remove_file(gateway.path(TENANT)).unwrap();
    gateway.wait_metric(STALE, 1.0).await;
    complaint(&gateway, &["no tenant file is left"]).await;
    chat(&gateway, 10).await.assert_answered();
    gateway.replace(TENANT, &file);
    gateway.wait_metric(STALE, 0.0).await;
    gateway.replace("policies/again.toml", &file);
    gateway.wait_metric(STALE, 1.0).await;
    complaint(&gateway, &["again.toml", "acme"]).await;
    chat(&gateway, 10).await.assert_answered();
    std::fs::remove_file(gateway.path("policies/again.toml")).unwrap();
    gateway.wait_metric(STALE, 0.0).await;
    gateway.finish().await;
}

/// In the folder of the configuration, which is watched.
#[tokio::test]
async fn what_is_written_beside_the_policies_is_no_change_of_them() {
    let provider = provider().await;
    let gateway = money::gateway(&provider, &monthly("0.50"))
        .field("ledger", "path", "\"ledger.db\"")
        .start()
        .await;
    for _ in 0..20 {
        chat(&gateway, 10).await.assert_answered();
    }
    assert!(gateway.path("ledger.db").is_file());
    gateway.replace(TENANT, &money::tenant("", &monthly("0.10")));
    gateway.wait_metric(RELOADS, 1.0).await;
    chat(&gateway, 10).await.assert_refused();
    assert_eq!(gateway.metric(RELOADS).await, Some(1.0));
    gateway.finish().await;
}

const KEYS: [&str; 2] = [
    "sk-skf-firstkey-0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
    "sk-skf-otherkey-0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
];

fn with_keys(keys: &[&str]) -> String {
    let key = |key: &&str| {
        let hash = Sha256::digest(key);
        let hash = hash
            .iter()
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let id = key.split('-').nth(2).expect("the id of a key");
        format!("{{ id = {id:?}, hash = \"sha256:{hash}\" }}")
    };
    let keys: Vec<String> = keys.iter().map(key).collect();
    format!("[tenant]\nid = \"acme\"\nkeys = [{}]\n", keys.join(", "))
}

#[tokio::test]
async fn a_revoked_key_stops_working() {
    let provider = provider().await;
    let gateway = Gateway::builder(&provider)
        .tenant("acme", &with_keys(&KEYS))
        .start()
        .await;
    let call = async |key: &str| {
        let body = Api::Chat.body(false);
        let headers = [("x-skinflint-key", key)];
        money::call(&gateway, Api::Chat, &body, &headers)
            .await
            .status
    };
    assert_eq!((call(KEYS[0]).await, call(KEYS[1]).await), (200, 200));
    reload(&gateway, &with_keys(&KEYS[1..])).await;
    assert_eq!((call(KEYS[0]).await, call(KEYS[1]).await), (401, 200));
    reload(&gateway, &with_keys(&KEYS)).await;
    assert_eq!(call(KEYS[0]).await, 200);
    gateway.finish().await;
}

/// Changes from one configuration to the other.
const TURNS: u32 = 200;
/// Callers that never stop meanwhile.
const CALLERS: usize = 4;

/// The configuration's price, in dollars per million tokens.
fn at(input: u32, output: u32) -> String {
    format!(
        "[[price]]\nmodel = \"gpt-turns\"\ninput = {input}\noutput = {output}\nhidden_reasoning = false\n"
    )
}

async fn turns_call(gateway: &Gateway) -> Told {
    let mut body = money::ask(Api::Chat, 10, false);
    body["model"] = "gpt-turns".into();
    money::call(gateway, Api::Chat, &body, &[]).await
}

#[tokio::test]
async fn two_hundred_reloads_under_load_fail_no_call_and_mix_nothing() {
    let provider = provider().await;
    let gateway = Gateway::builder(&provider)
        .tenant("acme", &money::tenant("", &monthly("1000")))
        .append(&at(1, 10))
        .start()
        .await;
    let cheap = std::fs::read_to_string(gateway.path("skinflint.toml")).unwrap();
    let dear = cheap.replace(&at(1, 10), &at(10, 100));
    assert_ne!(cheap, dear);
    let over = AtomicBool::new(false);
    let callers = join_all((0..CALLERS).map(|_| async {
        let mut all = Vec::new();
        while !over.load(Ordering::Relaxed) {
            all.push(turns_call(&gateway).await);
        }
        all
    }));
    let reloading = async {
        for turn in 0..TURNS {
            let next = if turn % 2 == 0 { &dear } else { &cheap };
            gateway.replace("skinflint.toml", next);
            gateway.wait_metric(RELOADS, f64::from(turn + 1)).await;
        }
        over.store(true, Ordering::Relaxed);
    };
    let (told, ()) = tokio::join!(callers, reloading);
    let told = told.concat();
    for one in &told {
        one.assert_answered();
        // 25 tokens of prompt and 10 of answer.
        assert!(
            ["0.000125", "0.00125"].contains(&one.cost.as_str()),
            "{one:?}"
        );
    }
    let attempts = money::settled(&gateway).await;
    assert_eq!(attempts.len(), told.len());
    // Each table of prices has its own version, on each of its rows.
    let versions: BTreeSet<(&str, u64)> = attempts
        .iter()
        .map(|attempt| (attempt.price_version.as_str(), attempt.cost))
        .collect();
    assert_eq!(versions.len(), 2, "{versions:?}");
    let versions: BTreeSet<&str> = versions.iter().map(|(version, _)| *version).collect();
    assert_eq!(versions.len(), 2, "{versions:?}");
    gateway.wait_metric(STALE, 0.0).await;
    gateway.finish().await;
}
