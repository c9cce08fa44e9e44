//! Compressed request bodies.

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::error::ReadError;

/// The codings that are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// Decompressed bytes for each compressed one, beyond which nothing honest goes for long.
const MAX_RATIO: u64 = 100;
/// Up to here any ratio will do: small bodies of repeated text compress well.
const RATIO_FREE: u64 = 1 << 20;

// === impl Encoding ===

impl Encoding {
    /// The coding of a body; `None` if it is sent as it is. More than one coding is refused: nobody needs it but attackers.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, ReadError> {
        let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
        let Some(first) = values.next() else {
            return Ok(None);
        };
        let text = first.to_str().unwrap_or("?").trim().to_ascii_lowercase();
        let encoding = match text.as_str() {
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            "identity" | "" => None,
            _ => return Err(ReadError::Encoding { encoding: text }),
        };
        match values.next() {
            None => Ok(encoding),
            Some(_) => Err(ReadError::Encoding {
                encoding: format!("{text}, …"),
            }),
        }
    }

    /// The body without its coding; given up as soon as it passes the limit, or inflates beyond reason.
    pub(super) async fn decode(self, body: Bytes, limit: u64) -> Result<Bytes, ReadError> {
        let inflated = (body.len() as u64).saturating_mul(MAX_RATIO);
        let limit = limit.min(inflated.max(RATIO_FREE));
        let input = &body[..];
        match self {
            Self::Gzip => read(GzipDecoder::new(input), limit).await,
            Self::Deflate => read(ZlibDecoder::new(input), limit).await,
            Self::Brotli => read(BrotliDecoder::new(input), limit).await,
            Self::Zstd => read(ZstdDecoder::new(input), limit).await,
        }
    }
}

async fn read(decoder: impl AsyncRead + Unpin, limit: u64) -> Result<Bytes, ReadError> {
    let mut output = BytesMut::new();
    let mut decoder = decoder.take(limit.saturating_add(1));
    while decoder
        .read_buf(&mut output)
        .await
        .map_err(ReadError::Decompression)?
        > 0
    {}
    if output.len() as u64 > limit {
        return Err(ReadError::Inflated { limit });
    }
    Ok(output.freeze())
}
