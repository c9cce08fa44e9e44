//! Who may call, and what becomes of the keys that a call carries.

use insta::assert_snapshot;
use sha2::{Digest, Sha256};
use skinflint_tests::{FakeProvider, Gateway, GatewayBuilder};

use crate::{
    api::Api,
    told::{request_id, told},
};

pub(crate) const KEY: &str = "sk-skf-acmekey1-0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

/// A tenant file with the one key.
pub(crate) fn tenant(client_credentials: &str) -> String {
    let hash = Sha256::digest(KEY)
        .iter()
        .fold(String::new(), |hash, byte| hash + &format!("{byte:02x}"));
    format!(
        "[tenant]\nid = \"acme\"\nkeys = [{{ id = \"acmekey1\", hash = \"sha256:{hash}\" }}]\nclient_credentials = \"{client_credentials}\"\n"
    )
}

fn keyed(provider: &FakeProvider) -> GatewayBuilder {
    Gateway::builder(provider).tenant("acme", &tenant("never"))
}

async fn ask(gateway: &Gateway, api: Api, headers: &[(&str, &str)]) -> reqwest::Response {
    let request = gateway.post(api.path(), api.text(false));
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    request.send().await.unwrap()
}

#[tokio::test]
async fn the_key_is_taken_from_each_place_and_names_the_tenant() {
    let provider = FakeProvider::start().await;
    let gateway = keyed(&provider).start().await;
    let bearer = format!("Bearer {KEY}");
    for (name, value) in [
        ("authorization", bearer.as_str()),
        ("x-api-key", KEY),
        ("x-skinflint-key", KEY),
    ] {
        for api in [Api::Chat, Api::Messages] {
            let response = ask(&gateway, api, &[(name, value)]).await;
            assert_eq!(response.status(), 200, "{name}");
            let id = request_id(&response);
            assert_eq!(gateway.call_line(&id).await["tenant"], "acme");
            let sent = provider.exchanges().pop().unwrap();
            assert!(
                !format!("{:?}", sent.headers).contains(KEY),
                "{name}: the gateway's key reached the provider"
            );
            match api {
                Api::Messages => {
                    assert_eq!(sent.header("x-api-key"), "canary-anthropic-upstream-key");
                }
                _ => assert_eq!(
                    sent.header("authorization"),
                    "Bearer canary-openai-upstream-key"
                ),
            }
        }
    }
    gateway.finish().await;
}

#[tokio::test]
async fn without_a_known_key_nobody_is_let_through() {
    let provider = FakeProvider::start().await;
    let gateway = keyed(&provider).start().await;
    assert_snapshot!(told(ask(&gateway, Api::Chat, &[]).await).await, @r#"401 {"error":{"message":"A gateway key is needed, as `Authorization: Bearer`, `x-api-key` or `x-skinflint-key`.","type":"authentication_error","param":null,"code":"missing_key"}}"#);
    assert_snapshot!(told(ask(&gateway, Api::Messages, &[]).await).await, @r#"401 {"type":"error","error":{"type":"authentication_error","message":"A gateway key is needed, as `Authorization: Bearer`, `x-api-key` or `x-skinflint-key`."},"request_id":"[id]"}"#);
    assert_snapshot!(told(ask(&gateway, Api::Messages, &[("x-api-key", "sk-ant-someone")]).await).await, @r#"401 {"type":"error","error":{"type":"authentication_error","message":"A gateway key is needed, as `Authorization: Bearer`, `x-api-key` or `x-skinflint-key`."},"request_id":"[id]"}"#);
    let mut wrong = KEY.to_owned();
    wrong.pop();
    assert_snapshot!(told(ask(&gateway, Api::Chat, &[("x-api-key", &wrong)]).await).await, @r#"401 {"error":{"message":"The gateway key is unknown or revoked.","type":"authentication_error","param":null,"code":"invalid_api_key"}}"#);
    let hash = tenant("never")
        .split('"')
        .find(|part| part.starts_with("sha256:"))
        .unwrap()
        .to_owned();
    let forged = [
        format!("{KEY}x"),
        KEY.replace("acmekey1", "acmekey2"),
        KEY.to_uppercase(),
        hash.clone(),
        hash.replace("sha256:", "sk-skf-acmekey1-"),
        "sk-skf-acmekey1-".to_owned(),
        "sk-skf-".to_owned(),
        "sk-skf-acmekey1' OR '1'='1".to_owned(),
    ];
    for key in forged {
        let response = ask(&gateway, Api::Chat, &[("x-skinflint-key", &key)]).await;
        assert_eq!(response.status(), 401, "{key}");
    }
    // The list of models and unknown paths are no exception.
    for path in ["/v1/models", "/v1/files", "/"] {
        let response = gateway
            .client()
            .get(gateway.url(path))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 401, "{path}");
    }
    assert!(provider.exchanges().is_empty());
    gateway.finish().await;
}

/// A body is not even read for a caller who is not known.
#[tokio::test]
async fn a_stranger_is_told_before_its_body() {
    let provider = FakeProvider::start().await;
    let gateway = keyed(&provider).start().await;
    let mut connection = gateway.raw().await;
    connection
        .send("POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n{")
        .await;
    assert_eq!(connection.response().await.unwrap().status, 401);
    connection.close();
    gateway.finish().await;
}

#[tokio::test]
async fn a_clients_own_provider_key_passes_only_where_the_tenant_may() {
    // Policy, whether the upstream has a key of its own, and what it gets when the client brings one too.
    let cases = [
        ("never", true, Some("own")),
        ("never", false, None),
        ("when-unset", true, Some("own")),
        ("when-unset", false, Some("client")),
        ("always", true, Some("client")),
        ("always", false, Some("client")),
    ];
    for (policy, has_key, expected) in cases {
        let provider = FakeProvider::start().await;
        let mut builder = Gateway::builder(&provider).tenant("acme", &tenant(policy));
        if !has_key {
            builder = builder.without_upstream_keys();
        }
        let gateway = builder.start().await;
        let headers = [
            ("x-skinflint-key", KEY),
            ("authorization", "Bearer sk-ant-oat-client"),
        ];
        let response = ask(&gateway, Api::Messages, &headers).await;
        let case = format!("{policy}, own key {has_key}");
        let Some(expected) = expected else {
            assert_snapshot!(told(response).await, @r#"401 {"type":"error","error":{"type":"authentication_error","message":"Neither the gateway nor this request has a key for the upstream `fake-anthropic`."},"request_id":"[id]"}"#);
            assert!(provider.exchanges().is_empty(), "{case}");
            gateway.finish().await;
            continue;
        };
        assert_eq!(response.status(), 200, "{case}");
        let sent = provider.only_exchange();
        let credentials = (sent.header("authorization"), sent.header("x-api-key"));
        match expected {
            "own" => assert_eq!(credentials, ("", "canary-anthropic-upstream-key"), "{case}"),
            _ => assert_eq!(credentials, ("Bearer sk-ant-oat-client", ""), "{case}"),
        }
        assert_eq!(sent.header("x-skinflint-key"), "", "{case}");
        gateway.finish().await;
    }
}

#[tokio::test]
async fn without_keys_only_this_machine_is_served() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let own = [
        ("host", "localhost"),
        ("host", "localhost:1"),
        ("host", "LOCALHOST:4100"),
        ("host", "127.0.0.1:4100"),
        ("host", "127.9.9.9"),
        ("host", "[::1]:4100"),
        ("origin", "http://localhost:3000"),
        ("origin", "http://127.0.0.1"),
        ("origin", "http://[::1]:8080"),
    ];
    for (name, value) in own {
        let response = ask(&gateway, Api::Messages, &[(name, value)]).await;
        assert_eq!(response.status(), 200, "{name}: {value}");
    }
    let served = provider.exchanges().len();
    let foreign = [
        ("host", "evil.example"),
        ("host", "evil.example:4100"),
        ("host", "localhost.evil.example"),
        ("host", "127.0.0.1.evil.example"),
        ("host", "128.0.0.1"),
        ("host", "0.0.0.0"),
        ("host", "[::2]"),
        ("host", "evil.example/localhost"),
        ("origin", "http://evil.example"),
        ("origin", "https://localhost.evil.example"),
        ("origin", "null"),
        ("origin", "chrome-extension://abcdef"),
        ("origin", "http://localhost@evil.example"),
    ];
    for (name, value) in foreign {
        for path in ["/v1/messages", "/v1/models", "/"] {
            let mut connection = gateway.raw().await;
            let host = if name == "host" {
                ""
            } else {
                "host: localhost\r\n"
            };
            connection
                .send(format!(
                    "GET {path} HTTP/1.1\r\n{host}{name}: {value}\r\n\r\n"
                ))
                .await;
            let status = connection.response().await.unwrap().status;
            // What is no authority at all may be refused as bad HTTP.
            assert!(
                matches!(status, 403 | 400),
                "{name}: {value} on {path} got {status}"
            );
        }
    }
    let refused = ask(&gateway, Api::Chat, &[("host", "evil.example")]).await;
    assert_snapshot!(told(refused).await, @r#"403 {"error":{"message":"Without keys the gateway serves only this machine, and the request's `host` header names another.","type":"permission_error","param":null,"code":null}}"#);
    let refused = ask(
        &gateway,
        Api::Messages,
        &[("origin", "http://evil.example")],
    )
    .await;
    assert_snapshot!(told(refused).await, @r#"403 {"type":"error","error":{"type":"permission_error","message":"Without keys the gateway serves only this machine, and the request's `origin` header names another."},"request_id":"[id]"}"#);
    assert_eq!(provider.exchanges().len(), served);
    gateway.finish().await;
}

/// With keys, the key decides, and a name on the network is nothing foreign.
#[tokio::test]
async fn with_keys_any_host_may_be_named() {
    let provider = FakeProvider::start().await;
    let gateway = keyed(&provider).start().await;
    let headers = [("x-skinflint-key", KEY), ("host", "gateway.example")];
    let response = ask(&gateway, Api::Messages, &headers).await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        provider.only_exchange().header("host"),
        provider.address().to_string()
    );
    gateway.finish().await;
}
