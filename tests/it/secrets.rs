//! Secrets appear in no output, at the most talkative log level, whatever goes wrong.

use skinflint_tests::{ChaosProxy, CutAt, Ending, FakeProvider, Gateway, Mode, Script};

use crate::{
    api::Api,
    auth::{KEY, tenant},
};

/// What must reach nobody but the provider (the first four), or nobody at all.
const CANARIES: [&str; 6] = [
    "canary-openai-upstream-key",
    "canary-anthropic-upstream-key",
    "canary-client-provider-key",
    "canary-cookie",
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
    "canary-prompt",
];

#[tokio::test]
async fn no_secret_is_written_anywhere() {
    let provider = FakeProvider::start().await;
    let proxy = ChaosProxy::start(provider.address());
    let gateway = Gateway::builder(&provider)
        .upstreams_at(&proxy.url())
        .tenant("acme", &tenant("always"))
        .arguments(&["--log", "trace"])
        .timeout("idle", "200ms")
        .timeout("first_byte", "500ms")
        .start()
        .await;
    let scripts = [
        Script::default(),
        Script::html(),
        Script::status(http::StatusCode::UNAUTHORIZED),
        Script::silent(),
        Script::tokens(5).cut(CutAt::Events(2), Ending::Reset),
        Script::tokens(5).cut(CutAt::InsideEvent(2), Ending::Stall),
    ];
    let mut told = String::new();
    let send = async |api: Api, key: &str| {
        let body = api.text(true).replace("hello", "canary-prompt");
        let request = gateway
            .post(api.path(), body)
            .header("x-skinflint-key", key)
            .header("authorization", "Bearer canary-client-provider-key")
            .header("cookie", "session=canary-cookie");
        let response = request.send().await.unwrap();
        format!(
            "{:?}\n{}",
            response.headers().clone(),
            response.text().await.unwrap()
        )
    };
    for script in scripts {
        for api in [Api::Chat, Api::Messages] {
            provider.script(script.clone());
            told += &send(api, KEY).await;
        }
    }
    told += &send(Api::Chat, &format!("{KEY}x")).await;
    proxy.set(Mode::Refuse).await;
    told += &send(Api::Messages, KEY).await;
    proxy.restore().await;
    told += &gateway.admin_get("/metrics").await.1;
    let lines = gateway.log().events().len();
    assert!(lines > 100, "the log is not talkative: {lines} lines");
    let written = gateway.output();
    for canary in CANARIES {
        assert!(!told.contains(canary), "{canary} was told to a client");
        let line = written.lines().find(|line| line.contains(canary));
        assert_eq!(line, None, "{canary} is in the log");
    }
    gateway.finish().await;
}
