//! HTTP/1.1 that two servers could read in two ways: refused, or read in exactly one.

use skinflint_tests::{FakeProvider, Gateway, RawResponse};

use crate::api::Api;

/// A chunked body that holds the small request.
fn chunked(size: &str) -> String {
    let body = Api::Messages.text(false);
    let size = size.replace("SIZE", &format!("{:x}", body.len()));
    format!("{size}\r\n{body}\r\n0\r\n\r\n")
}

/// What comes back for `request` on a connection of its own, and the bytes after it until the connection closes.
async fn exchange(gateway: &Gateway, request: &str) -> (RawResponse, Vec<u8>) {
    let mut connection = gateway.raw().await;
    connection.send(request).await;
    let response = connection
        .response()
        .await
        .expect("an answer, not a closed connection");
    let rest = connection.closed().await;
    (response, rest)
}

const HEAD: &str =
    "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";

/// Each is refused with 400 and a closed connection, and nothing of it reaches the provider.
async fn refused(requests: impl IntoIterator<Item = String>) {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    for request in requests {
        let (response, rest) = exchange(&gateway, &request).await;
        assert_eq!(response.status, 400, "{}\n{request}", response.text());
        assert!(
            rest.is_empty(),
            "answered twice: {}\n{request}",
            rest.escape_ascii()
        );
        assert!(
            provider.exchanges().is_empty(),
            "reached the provider:\n{request}"
        );
    }
    gateway.finish().await;
}

#[tokio::test]
async fn ambiguous_lengths_are_refused() {
    let body = Api::Messages.text(false);
    let n = body.len();
    let lengths = [
        // Two of them, or a list.
        format!("content-length: {n}\r\ncontent-length: {}", n - 1),
        format!("content-length: {n}, {}", n + 1),
        // No plain decimal number.
        format!("content-length: +{n}"),
        format!("content-length: -{n}"),
        format!("content-length: 0x{n:x}"),
        // Beyond 64 bits.
        "content-length: 36893488147419103232".to_owned(),
        format!("content-length : {n}"),
    ];
    refused(lengths.map(|fields| format!("{HEAD}{fields}\r\n\r\n{body}"))).await;

    let second = "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    let both = n + second.len();
    refused([format!(
        "{HEAD}content-length: {n}\r\ncontent-length: {both}\r\n\r\n{body}{second}"
    )])
    .await;
}

#[tokio::test]
async fn ambiguous_codings_are_refused() {
    let codings = [
        "xchunked",
        "chunked, identity",
        "identity",
        "\u{b}chunked",
        "\"chunked\"",
    ];
    let chunks = chunked("SIZE");
    refused(codings.map(|coding| format!("{HEAD}transfer-encoding: {coding}\r\n\r\n{chunks}")))
        .await;
    let sizes = [
        "fffffffffffffffff",
        "+SIZE",
        "-1",
        "0xSIZE",
        "xyz",
        "SIZE \u{b}",
        "",
    ];
    let bodies =
        sizes.map(|size| format!("{HEAD}transfer-encoding: chunked\r\n\r\n{}", chunked(size)));
    refused(bodies).await;
    // HTTP/1.0 has no transfer coding, so what stands before it may read another body.
    let old = HEAD.replace("HTTP/1.1", "HTTP/1.0");
    refused([format!("{old}transfer-encoding: chunked\r\n\r\n{chunks}")]).await;
}

#[tokio::test]
async fn malformed_fields_are_refused() {
    let body = Api::Messages.text(false);
    let n = body.len();
    let fields = [
        "x-folded: a\r\n b",
        "x-nul: a\0b",
        "x space: a",
        "x-no-colon",
        ": nameless",
        "x-return: a\rb",
    ];
    refused(fields.map(|field| format!("{HEAD}{field}\r\ncontent-length: {n}\r\n\r\n{body}")))
        .await;
}

/// Where the grammar lets a server be lenient, it is one request, and the provider gets exactly its body, framed anew.
#[tokio::test]
async fn lenient_framing_is_one_request() {
    let body = Api::Messages.text(false);
    let length = body.len();
    let head = "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\n";
    let cases = [
        // RFC 9112, 6.3: the coding overrides the length; the connection must not be used again.
        (
            "a length and a coding",
            format!(
                "{head}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n{}",
                chunked("SIZE")
            ),
        ),
        (
            "a coding and a length",
            format!(
                "{head}transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n{}",
                chunked("SIZE")
            ),
        ),
        (
            "the same length twice",
            format!("{head}content-length: {length}\r\ncontent-length: {length}\r\n\r\n{body}"),
        ),
        (
            "bare line feeds",
            format!(
                "{}content-length: {length}\n\n{body}",
                head.replace("\r\n", "\n")
            ),
        ),
        (
            "a chunk extension",
            format!(
                "{head}transfer-encoding: chunked\r\n\r\n{}",
                chunked("SIZE;x=y")
            ),
        ),
    ];
    for (name, request) in cases {
        let provider = FakeProvider::start().await;
        let gateway = Gateway::start(&provider).await;
        let mut connection = gateway.raw().await;
        connection.send(&request).await;
        let response = connection.response().await.expect("an answer");
        let exchanges = provider.exchanges();
        if response.status == 400 {
            assert!(exchanges.is_empty(), "{name}: refused, and sent on");
        } else {
            assert_eq!(response.status, 200, "{name}: {}", response.text());
            assert_eq!(exchanges.len(), 1, "{name}");
            assert_eq!(exchanges[0].body, body, "{name}");
            assert_eq!(
                exchanges[0].header("content-length"),
                length.to_string(),
                "{name}"
            );
            assert_eq!(exchanges[0].header("transfer-encoding"), "", "{name}");
        }
        connection.close();
        gateway.finish().await;
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let request = |text: &str| {
        let body = format!(
            r#"{{"model":"claude-fake-1","max_tokens":1,"messages":[{{"role":"user","content":"hi"}}],"x":"{text}"}}"#
        );
        let length = body.len();
        format!(
            "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    };
    let mut connection = gateway.raw().await;
    connection.send(request("first") + &request("second")).await;
    for text in ["first", "second"] {
        assert_eq!(connection.response().await.unwrap().status, 200);
        let last = provider.exchanges().pop().unwrap();
        assert_eq!(last.json()["x"], text);
    }
    assert_eq!(provider.exchanges().len(), 2);
    connection.close();
    gateway.finish().await;
}

/// What follows a body that was refused unread is part of that body, never a request.
#[tokio::test]
async fn nothing_is_read_after_a_refused_body() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .limit("body", "\"1KiB\"")
        .start()
        .await;
    let hidden = Api::Messages.text(false);
    let hidden = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{hidden}",
        hidden.len()
    );
    let request = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n{hidden}"
    );
    let (response, rest) = exchange(&gateway, &request).await;
    assert_eq!(response.status, 413);
    assert!(rest.is_empty(), "{}", rest.escape_ascii());
    assert!(provider.exchanges().is_empty());
    gateway.finish().await;
}

#[tokio::test]
async fn too_large_heads_are_refused() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .limit("headers", "\"16KiB\"")
        .start()
        .await;
    let long = format!(
        "GET /v1/models HTTP/1.1\r\nhost: localhost\r\nx-long: {}\r\n\r\n",
        "x".repeat(40_000)
    );
    let many = format!(
        "GET /v1/models HTTP/1.1\r\nhost: localhost\r\n{}\r\n",
        "x-one: 1\r\n".repeat(300)
    );
    let target = format!(
        "GET /v1/models?{} HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "x".repeat(70_000)
    );
    for (name, request) in [("long", long), ("many", many), ("target", target)] {
        let mut connection = gateway.raw().await;
        connection.send(&request).await;
        let response = connection.response().await.expect("an answer");
        assert!(
            matches!(response.status, 414 | 431),
            "{name}: {}",
            response.status
        );
    }
    gateway.finish().await;
}

/// Header fields that steer one connection do not pass to the next.
#[tokio::test]
async fn hop_by_hop_fields_stay_on_their_hop() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let body = Api::Messages.text(false);
    let mut connection = gateway.raw().await;
    connection
        .send(format!(
            "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\nconnection: keep-alive, x-mine, anthropic-version\r\n\
             x-mine: 1\r\nkeep-alive: timeout=5\r\nte: trailers\r\nupgrade: websocket\r\nproxy-authorization: Basic eA==\r\n\
             anthropic-beta: kept\r\n\r\n{body}",
            body.len()
        ))
        .await;
    assert_eq!(connection.response().await.unwrap().status, 200);
    let sent = provider.only_exchange();
    for gone in [
        "x-mine",
        "keep-alive",
        "te",
        "upgrade",
        "proxy-authorization",
    ] {
        assert_eq!(sent.header(gone), "", "{gone}");
    }
    assert_eq!(sent.header("anthropic-beta"), "kept");
    connection.close();
    gateway.finish().await;
}
