//! Content codings: a compressed request reaches the provider plain.

use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use skinflint_tests::{Encoding, FakeProvider, Gateway, Script};
use tokio::io::AsyncWriteExt;

use crate::{api::Api, told::told};

macro_rules! encode {
    ($encoder:ident, $bytes:expr) => {{
        let mut encoder = $encoder::new(Vec::new());
        encoder.write_all($bytes).await.unwrap();
        encoder.shutdown().await.unwrap();
        encoder.into_inner()
    }};
}

pub(crate) async fn gzip(bytes: &[u8]) -> Vec<u8> {
    encode!(GzipEncoder, bytes)
}

#[tokio::test]
async fn a_compressed_request_reaches_the_provider_plain() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let plain = Api::Messages.text(false);
    let bytes = plain.as_bytes();
    let coded = [
        ("gzip", gzip(bytes).await),
        ("deflate", encode!(ZlibEncoder, bytes)),
        ("br", encode!(BrotliEncoder, bytes)),
        ("zstd", encode!(ZstdEncoder, bytes)),
        ("identity", bytes.to_vec()),
    ];
    for (coding, body) in coded {
        let request = gateway
            .post("/v1/messages", body)
            .header("content-encoding", coding);
        assert_eq!(request.send().await.unwrap().status(), 200, "{coding}");
        let sent = provider.exchanges().pop().unwrap();
        assert_eq!(sent.body, plain, "{coding}");
        assert_eq!(sent.header("content-encoding"), "", "{coding}");
        assert_eq!(
            sent.header("content-length"),
            plain.len().to_string(),
            "{coding}"
        );
    }
    gateway.finish().await;
}

#[tokio::test]
async fn a_compressed_answer_that_nobody_asked_for_is_no_answer() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    for stream in [false, true] {
        provider.script(Script {
            encoding: Some(Encoding::Gzip),
            ..Script::default()
        });
        let request = gateway
            .post("/v1/messages", Api::Messages.text(stream))
            .header("accept-encoding", "gzip, br");
        let told = told(request.send().await.unwrap()).await;
        let sent = provider.exchanges().pop().unwrap();
        assert_eq!(sent.header("accept-encoding"), "identity");
        let says_so = told.starts_with("502 ") || told.contains("event: error\n");
        assert!(says_so, "{stream}: {told:?}");
    }
    gateway.finish().await;
}
