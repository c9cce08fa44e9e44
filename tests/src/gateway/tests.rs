use std::collections::HashSet;

use crate::{FakeProvider, Gateway, Load};

const CALL: &str =
    r#"{"model":"claude-fake-1","max_tokens":5,"messages":[{"role":"user","content":"hello"}]}"#;

#[tokio::test]
async fn a_killed_gateway_starts_again_in_its_folder() {
    let provider = FakeProvider::start().await;
    let mut gateway = Gateway::start(&provider).await;
    gateway.replace("kept.txt", "before");
    let first = gateway.calls();
    gateway.kill().await;
    assert!(tokio::net::TcpStream::connect(first).await.is_err());
    gateway.start_again().await;
    let answer = gateway.post("/v1/messages", CALL).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.bytes().await.unwrap();
    let kept = std::fs::read_to_string(gateway.path("kept.txt")).unwrap();
    assert_eq!(kept, "before");
    gateway.finish().await;
}

#[tokio::test]
async fn another_command_reads_the_same_configuration() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .append("[[model]]\nname = \"mine-*\"\nupstream = \"fake-openai\"")
        .start()
        .await;
    let checked = gateway.cli(&["check"]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    gateway.replace("skinflint.toml", "[nothing]");
    let checked = gateway.cli(&["check"]).await;
    assert_eq!(checked.code, Some(1), "{checked:?}");
    gateway.finish().await;
}

#[tokio::test]
async fn a_load_goes_through_the_gateway() {
    let provider = FakeProvider::start().await;
    let folder = tempfile::tempdir().unwrap();
    let bill = folder.path().join("bill.tsv");
    provider.bill(&bill).unwrap();
    let gateway = Gateway::start(&provider).await;
    let call = |index: usize| {
        let mut call = Load::post("/v1/messages", CALL);
        let headers = call.headers_mut();
        headers.insert("x-client-request-id", index.into());
        call
    };
    let replies = gateway.load().run(400, 200, call).await;
    let is_well = |status| status == Some(200);
    assert!(
        replies.iter().all(|reply| is_well(reply.status)),
        "{replies:?}"
    );
    let ids: HashSet<&str> = replies.iter().map(|reply| &*reply.request_id).collect();
    assert_eq!(ids.len(), 400);
    let lines = crate::BillLine::read(&bill);
    let calls: HashSet<&str> = lines.iter().map(|line| &*line.call).collect();
    assert_eq!((lines.len(), calls.len()), (400, 400));
    assert!(lines.iter().all(|line| line.output == 5), "{lines:?}");
    gateway.finish().await;
}
