use std::io;

use async_compression::tokio::write::GzipEncoder;
use futures_util::stream;
use http_body_util::StreamBody;
use tokio::io::AsyncWriteExt;

use super::*;

fn rules() -> Rules {
    Rules {
        body: 1_000,
        decompressed: 200_000,
        json: JsonLimits::default(),
        whole: Duration::from_mins(5),
        idle: Duration::from_secs(30),
    }
}

async fn collected(chunks: &[&'static str], headers: &HeaderMap) -> Result<Bytes, ReadError> {
    let frames = chunks
        .iter()
        .map(|chunk| {
            Ok::<_, io::Error>(http_body::Frame::data(Bytes::from_static(chunk.as_bytes())))
        })
        .collect::<Vec<_>>();
    collect(StreamBody::new(stream::iter(frames)), headers, &rules()).await
}

#[tokio::test]
async fn a_body_is_put_together_from_its_pieces() {
    let none = HeaderMap::new();
    assert_eq!(collected(&[], &none).await.unwrap(), "");
    assert_eq!(collected(&["one"], &none).await.unwrap(), "one");
    assert_eq!(
        collected(&["one", "", "two", "three"], &none)
            .await
            .unwrap(),
        "onetwothree"
    );
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_announced_or_not() {
    const LONG: &str = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";
    let none = HeaderMap::new();
    assert_eq!(collected(&[LONG; 10], &none).await.unwrap().len(), 1_000);
    let error = collected(&[LONG; 11], &none).await.unwrap_err();
    assert!(matches!(error, ReadError::TooLarge { limit: 1_000 }));
    let mut announced = HeaderMap::new();
    announced.insert("content-length", "1001".parse().unwrap());
    let error = collected(&[], &announced).await.unwrap_err();
    assert!(matches!(error, ReadError::TooLarge { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_given_up() {
    let silence = StreamBody::new(stream::pending::<Result<http_body::Frame<Bytes>, io::Error>>());
    let error = collect(silence, &HeaderMap::new(), &rules())
        .await
        .unwrap_err();
    assert!(matches!(error, ReadError::Idle(_)));
}

async fn gzip(data: &[u8]) -> Bytes {
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(data).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_inner().into()
}

async fn decode(body: Bytes, limit: u64) -> Result<Bytes, ReadError> {
    let mut headers = HeaderMap::new();
    headers.insert("content-encoding", "gzip".parse().unwrap());
    let encoding = decode::Encoding::of(&headers).unwrap().unwrap();
    encoding.decode(body, limit).await
}

#[tokio::test]
async fn compressed_bodies_come_out_whole_or_not_at_all() {
    let text = b"some text ".repeat(1_000);
    let packed = gzip(&text).await;
    assert_eq!(decode(packed.clone(), 10_000).await.unwrap(), text);
    assert!(matches!(
        decode(packed.clone(), 9_999).await,
        Err(ReadError::Inflated { .. })
    ));
    let cut = packed.slice(..packed.len() - 9);
    assert!(matches!(
        decode(cut, 10_000).await,
        Err(ReadError::Decompression(_))
    ));
}

#[tokio::test]
async fn a_bomb_is_stopped_by_its_ratio() {
    let bomb = gzip(&vec![0; 64 << 20]).await;
    let error = decode(bomb, u64::MAX).await.unwrap_err();
    let ReadError::Inflated { limit } = error else {
        panic!("{error}");
    };
    assert!(limit < 8 << 20, "{limit}");
}

#[test]
fn codings_are_named_or_refused() {
    let encoding = |values: &[&str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("content-encoding", value.parse().unwrap());
        }
        decode::Encoding::of(&headers).map_err(|error| error.to_string())
    };
    assert_eq!(encoding(&[]), Ok(None));
    assert_eq!(encoding(&["identity"]), Ok(None));
    assert_eq!(encoding(&["GZIP"]), Ok(Some(decode::Encoding::Gzip)));
    insta::assert_snapshot!(encoding(&["gzip, gzip"]).unwrap_err(), @"unsupported content-encoding `gzip, gzip`");
    insta::assert_snapshot!(encoding(&["gzip", "br"]).unwrap_err(), @"unsupported content-encoding `gzip, …`");
}
