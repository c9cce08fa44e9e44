//! A file that is there in part.

use std::{
    io,
    path::{Path, PathBuf},
};

use http::{HeaderMap, HeaderValue, header};
use tokio::{
    fs::{self, File, OpenOptions},
    io::{AsyncWriteExt, BufWriter},
};

use super::{DownloadError, error::Broken, redirect::shown};

/// Where the bytes go, and the entity tag of the file that they are of beside them.
#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    tag: PathBuf,
    /// Bytes of the whole file.
    pub(super) size: u64,
}

/// What is to be asked for.
#[derive(Debug)]
pub(super) enum Range {
    /// All of it.
    Whole,
    /// What follows the bytes that are there, if the file is still the one of this tag (RFC 9110 §13.1.5).
    Rest { from: u64, tag: HeaderValue },
    /// Everything is there.
    Nothing,
}

/// A part that is being written.
#[derive(Debug)]
pub(super) struct Open<'a> {
    part: &'a Part,
    /// Where the bytes come from, for errors.
    url: String,
    file: BufWriter<File>,
    /// Bytes that are there.
    pub(super) written: u64,
}

/// Beside the name of the part.
const TAG: &str = "etag";
/// What is gathered before it is written, in bytes.
const BUFFER: usize = 1 << 20;

// === impl Part ===

impl Part {
    pub(super) fn new(path: &Path, size: u64) -> Self {
        Self {
            path: path.to_owned(),
            tag: path.with_added_extension(TAG),
            size,
        }
    }

    /// What is lacking. A part without a tag could be of another file, and one that is too long is.
    pub(super) async fn range(&self) -> Result<Range, DownloadError> {
        let there = match fs::metadata(&self.path).await {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(source) => return Err(self.cannot_write(source)),
        };
        if there == self.size && there > 0 {
            return Ok(Range::Nothing);
        }
        if there == 0 || there > self.size {
            return Ok(Range::Whole);
        }
        let tag = fs::read(&self.tag).await.ok();
        let tag = tag.and_then(|tag| HeaderValue::from_bytes(&tag).ok());
        Ok(tag.map_or(Range::Whole, |tag| Range::Rest { from: there, tag }))
    }

    /// The whole file comes: what was there goes.
    pub(super) async fn begin(
        &self,
        response: &reqwest::Response,
    ) -> Result<Open<'_>, DownloadError> {
        if let Some(actual) = response.content_length()
            && actual != self.size
        {
            return Err(self.other_size(shown(response.url()), actual));
        }
        // Without bytes there is nothing that an old tag could be taken for, and the other way round.
        let file = File::create(&self.path)
            .await
            .map_err(|error| self.cannot_write(error))?;
        match strong_tag(response.headers()) {
            Some(tag) => fs::write(&self.tag, tag.as_bytes()).await,
            None => remove(&self.tag).await,
        }
        .map_err(|error| self.cannot_write(error))?;
        Ok(self.open(file, 0, response))
    }

    /// The rest comes; `None` if it is something else.
    pub(super) async fn go_on(
        &self,
        response: &reqwest::Response,
        asked: &Range,
    ) -> Result<Option<Open<'_>>, DownloadError> {
        let (Range::Rest { from, .. }, Some((first, total))) =
            (asked, content_range(response.headers()))
        else {
            return Ok(None);
        };
        if total.is_some_and(|total| total != self.size) || first != *from {
            return Ok(None);
        }
        let file = OpenOptions::new()
            .append(true)
            .open(&self.path)
            .await
            .map_err(|error| self.cannot_write(error))?;
        Ok(Some(self.open(file, *from, response)))
    }

    /// Gives up what is there, so that the next try begins anew.
    pub(super) async fn discard(&self, why: &str) -> Broken {
        if let Err(error) = remove(&self.path).await {
            return self.cannot_write(error).into();
        }
        self.forget_tag().await;
        Broken::passing(format!("{why}: it is fetched anew"))
    }

    /// The tag of a file that is whole is of no use.
    pub(super) async fn forget_tag(&self) {
        // One that stays is overwritten or ignored.
        let _ = remove(&self.tag).await;
    }

    fn open(&self, file: File, written: u64, response: &reqwest::Response) -> Open<'_> {
        Open {
            part: self,
            url: shown(response.url()),
            file: BufWriter::with_capacity(BUFFER, file),
            written,
        }
    }

    fn cannot_write(&self, source: io::Error) -> DownloadError {
        DownloadError::Write {
            path: self.path.clone(),
            source,
        }
    }

    fn other_size(&self, url: String, actual: u64) -> DownloadError {
        DownloadError::Size {
            url,
            expected: self.size,
            actual,
        }
    }
}

// === impl Range ===

impl Range {
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Self::Rest { from, tag } = self
            && let Ok(range) = HeaderValue::from_str(&format!("bytes={from}-"))
        {
            headers.insert(header::RANGE, range);
            headers.insert(header::IF_RANGE, tag.clone());
        }
        headers
    }

    pub(super) fn is_rest(&self) -> bool {
        matches!(self, Self::Rest { .. })
    }
}

// === impl Open ===

impl Open<'_> {
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), DownloadError> {
        let after = self.written + bytes.len() as u64;
        if after > self.part.size {
            return Err(self.part.other_size(self.url.clone(), after));
        }
        let written = self.file.write_all(bytes).await;
        written.map_err(|error| self.part.cannot_write(error))?;
        self.written = after;
        Ok(())
    }

    pub(super) async fn flush(&mut self) -> Result<(), DownloadError> {
        let flushed = self.file.flush().await;
        flushed.map_err(|error| self.part.cannot_write(error))
    }
}

/// A weak tag says that two files mean the same, not that their bytes are: it is of no use here.
fn strong_tag(headers: &HeaderMap) -> Option<&HeaderValue> {
    let tag = headers.get(header::ETAG)?;
    tag.as_bytes().starts_with(b"\"").then_some(tag)
}

/// The first byte of a range, and the bytes of the whole if they are said: `bytes 7-9/10`.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let range = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let first = range.split_once('-')?.0.parse().ok()?;
    let total = match total {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    Some((first, total))
}

async fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn ranges_are_read() {
        let read = |text| content_range(&headers(header::CONTENT_RANGE, text));
        assert_eq!(read("bytes 7-9/10"), Some((7, Some(10))));
        assert_eq!(read("bytes 0-9/*"), Some((0, None)));
        for text in [
            "",
            "bytes */10",
            "bytes 7/10",
            "items 7-9/10",
            "bytes 7-9",
            "bytes 7-9/x",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn only_a_strong_tag_vouches_for_bytes() {
        assert!(strong_tag(&headers(header::ETAG, "\"a\"")).is_some());
        assert!(strong_tag(&headers(header::ETAG, "W/\"a\"")).is_none());
        assert!(strong_tag(&headers(header::ETAG, "a")).is_none());
        assert!(strong_tag(&HeaderMap::new()).is_none());
    }
}
