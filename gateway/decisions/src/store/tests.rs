use std::{process::Stdio, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use super::*;
use crate::Rewrite;

pub(crate) fn key(name: &str) -> ChainHash {
    ChainHash::start("acme").followed_by(&[name.as_bytes()])
}

pub(crate) fn replace(text: &str) -> Record {
    Record::Replace(Arc::new(Rewrite {
        text: text.to_owned(),
        stages: vec!["jton".to_owned()],
        normalised: Vec::new(),
        omitted: None,
        tokens_before: 9,
        tokens_after: 4,
        version: 1,
        literal: crate::Literal::default(),
    }))
}

#[tokio::test]
async fn the_first_decision_wins() {
    let store = DecisionStore::in_memory(1 << 20);
    assert_eq!(store.find(&key("a")).await, None);
    assert_eq!(store.settle(key("a"), replace("x")).await, replace("x"));
    assert_eq!(store.settle(key("a"), replace("y")).await, replace("x"));
    assert_eq!(store.settle(key("a"), Record::Keep).await, replace("x"));
    assert_eq!(store.settle(key("b"), Record::Keep).await, Record::Keep);
    assert_eq!(store.settle(key("b"), replace("y")).await, Record::Keep);
    assert_eq!(store.find(&key("a")).await, Some(replace("x")));
}

#[tokio::test]
async fn what_it_takes_is_bounded() {
    let store = DecisionStore::in_memory(100 * 1024);
    let text = "x".repeat(1024);
    for number in 0..1000 {
        store.settle(key(&number.to_string()), replace(&text)).await;
    }
    store.records.run_pending_tasks();
    assert!(store.records.weighted_size() <= 100 * 1024);
    assert!(store.records.entry_count() > 0);
}

async fn redis(folder: &std::path::Path) -> (Child, String) {
    let socket = folder.join("redis.sock");
    let mut child = Command::new("redis-server")
        .args(["--port", "0", "--save", "", "--unixsocket"])
        .arg(&socket)
        .arg("--dir")
        .arg(folder)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("start `redis-server` of the Debian package `redis-server`");
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(line) = output.next_line().await.unwrap() {
        if line.contains("ready to accept connections") {
            break;
        }
    }
    (child, format!("unix://{}", socket.display()))
}

fn node(url: &str) -> DecisionStore {
    let shared = SharedRecords::new(url).unwrap();
    DecisionStore::in_memory(1 << 20).shared_through(shared)
}

#[tokio::test]
async fn gateways_share_what_they_decide() {
    let folder = tempfile::tempdir().unwrap();
    let (mut server, url) = redis(folder.path()).await;
    let (one, other) = (node(&url), node(&url));
    assert_eq!(one.settle(key("a"), replace("x")).await, replace("x"));
    assert_eq!(other.settle(key("a"), replace("y")).await, replace("x"));
    one.settle(key("b"), Record::Offer(true)).await;
    let known = other.find_all(&[key("c"), key("b"), key("a")]).await;
    assert_eq!(known, [None, Some(Record::Offer(true)), Some(replace("x"))]);

    // Without the server nothing new is decided, and what is known holds.
    server.kill().await.unwrap();
    assert_eq!(one.settle(key("d"), replace("z")).await, Record::Keep);
    assert_eq!(one.find(&key("d")).await, None);
    assert_eq!(other.find(&key("a")).await, Some(replace("x")));
    std::fs::remove_file(folder.path().join("redis.sock")).ok();
    let (_server, _) = redis(folder.path()).await;
    let again = async {
        while one.settle(key("d"), replace("z")).await == Record::Keep {
            tokio::task::yield_now().await;
        }
        while other.find(&key("d")).await.is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), again)
        .await
        .unwrap();
    assert_eq!(other.find(&key("d")).await, Some(replace("z")));
}
