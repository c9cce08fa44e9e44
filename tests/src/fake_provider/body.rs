//! An answer's body: paced, cut, and recorded as it is sent.

use std::{collections::VecDeque, time::Duration};

use async_compression::tokio::write::GzipEncoder;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use tokio::{io::AsyncWriteExt, time::Instant};

use super::{Cut, CutAt, End, Ending, Gate, record::Recording, socket::ResetSwitch};

/// What the server gives to hyper.
pub(super) type AnswerBody = UnsyncBoxBody<Bytes, Aborted>;

/// Makes hyper break the connection off.
#[derive(Debug, thiserror::Error)]
#[error("cut by the script")]
pub(super) struct Aborted;

/// Everything about a body but its record.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) parts: VecDeque<Bytes>,
    /// Parts up to the first that tells the end, before which the whole answer is charged.
    pub(super) before_end: usize,
    /// Output tokens that the model has to produce for each part; none for the parts beyond.
    pub(super) tokens: VecDeque<u64>,
    pub(super) ending: Ending,
    /// Before each part.
    pub(super) delay: Duration,
    /// For each token.
    pub(super) token_delay: Duration,
    pub(super) gate: Option<Gate>,
    pub(super) reset: ResetSwitch,
}

impl Plan {
    /// The body. Dropped before its end, it leaves `recording` to say that the peer closed.
    pub(super) fn into_body(self, recording: Recording) -> AnswerBody {
        let frames = stream::unfold((self, recording), |(mut plan, mut recording)| async move {
            let item = plan.next(&mut recording).await?;
            Some((item.map(Frame::data), (plan, recording)))
        });
        BodyExt::boxed_unsync(StreamBody::new(frames))
    }

    async fn next(&mut self, recording: &mut Recording) -> Option<Result<Bytes, Aborted>> {
        // Lets hyper flush what it has, so that a part is a write of its own and nothing is lost at a cut.
        tokio::task::yield_now().await;
        if let Some(part) = self.parts.pop_front() {
            if let Some(gate) = &self.gate {
                gate.pass().await;
            }
            if !self.delay.is_zero() {
                tokio::time::sleep(self.delay).await;
            }
            self.produce(recording).await;
            if self.tells_end() {
                recording.charge().await;
            }
            recording.sent(part.clone());
            if self.parts.is_empty() && self.ending == Ending::Finish {
                // Now, because hyper asks no more once the content-length is reached.
                recording.end(End::Finished);
            }
            return Some(Ok(part));
        }
        match self.ending {
            Ending::Stall => std::future::pending().await,
            Ending::Finish => {
                recording.charge().await;
                recording.end(End::Finished);
                None
            }
            Ending::Close => {
                recording.end(End::Cut);
                Some(Err(Aborted))
            }
            Ending::Reset => {
                recording.end(End::Cut);
                self.reset.set();
                Some(Err(Aborted))
            }
        }
    }

    /// Takes the time that the next part's tokens need.
    async fn produce(&mut self, recording: &mut Recording) {
        let tokens = self.tokens.pop_front().unwrap_or(0);
        pace(recording, tokens, self.token_delay).await;
    }

    /// True once, or more often, when everything has been produced that will be.
    fn tells_end(&mut self) -> bool {
        let last = self.parts.is_empty() && self.ending == Ending::Finish;
        let told = self.before_end == 0;
        self.before_end = self.before_end.saturating_sub(1);
        told || last
    }
}

/// Produces so many tokens, each in its time.
pub(super) async fn pace(recording: &mut Recording, tokens: u64, each: Duration) {
    if each.is_zero() {
        return recording.produce(tokens);
    }
    let mut due = Instant::now();
    for _ in 0..tokens {
        due += each;
        tokio::time::sleep_until(due).await;
        recording.produce(1);
    }
}

/// What is left of `parts` up to the cut; `terminal` is the index of the first part that tells the end.
pub(super) fn cut(parts: Vec<Bytes>, terminal: usize, cut: Option<Cut>) -> (Vec<Bytes>, Ending) {
    let Some(Cut { at, then }) = cut else {
        return (parts, Ending::Finish);
    };
    let whole = |events: usize| parts.iter().take(events).map(Bytes::len).sum::<usize>();
    let keep = match at {
        CutAt::Events(events) => whole(events),
        CutAt::BeforeTerminal => whole(terminal),
        CutAt::Bytes(bytes) => bytes,
        CutAt::InsideEvent(index) => {
            whole(index) + parts.get(index).map_or(0, |part| part.len() / 2)
        }
        CutAt::InsideCharacter(index) => inside_character(&parts.concat(), index),
    };
    (prefix(parts, keep), then)
}

/// Offset after the first byte of the character with this index among those of several bytes; the length when there is none.
fn inside_character(bytes: &[u8], index: usize) -> usize {
    let leads = bytes.iter().enumerate().filter(|(_, byte)| **byte >= 0xC0);
    leads
        .map(|(at, _)| at + 1)
        .nth(index)
        .unwrap_or(bytes.len())
}

/// The first `keep` bytes, with the boundaries kept.
fn prefix(parts: Vec<Bytes>, keep: usize) -> Vec<Bytes> {
    let mut left = keep;
    let mut kept = Vec::new();
    for mut part in parts {
        part.truncate(left);
        left -= part.len();
        if part.is_empty() {
            break;
        }
        kept.push(part);
    }
    kept
}

/// The parts as one gzip stream, flushed after each part.
pub(super) async fn gzip(parts: Vec<Bytes>) -> std::io::Result<Vec<Bytes>> {
    let mut encoder = GzipEncoder::new(Vec::new());
    let mut coded = Vec::new();
    let last = parts.len().saturating_sub(1);
    for (index, part) in parts.iter().enumerate() {
        encoder.write_all(part).await?;
        if index == last {
            encoder.shutdown().await?;
        } else {
            encoder.flush().await?;
        }
        coded.push(Bytes::from(std::mem::take(encoder.get_mut())));
    }
    Ok(coded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Vec<Bytes> {
        ["one\n\n", "t\u{e9}\n\n", "end\n\n"]
            .map(Bytes::from)
            .into()
    }

    fn kept(at: CutAt) -> String {
        let (left, then) = cut(
            parts(),
            2,
            Some(Cut {
                at,
                then: Ending::Reset,
            }),
        );
        assert_eq!(then, Ending::Reset);
        left.concat().escape_ascii().to_string()
    }

    #[test]
    fn cuts_fall_where_they_are_named() {
        assert_eq!(kept(CutAt::Events(1)), r"one\n\n");
        assert_eq!(kept(CutAt::Bytes(7)), r"one\n\nt\xc3");
        assert_eq!(kept(CutAt::InsideEvent(1)), r"one\n\nt\xc3");
        assert_eq!(kept(CutAt::InsideCharacter(0)), r"one\n\nt\xc3");
        assert_eq!(kept(CutAt::BeforeTerminal), r"one\n\nt\xc3\xa9\n\n");
        assert_eq!(kept(CutAt::Events(9)).len(), kept(CutAt::Bytes(999)).len());
    }

    #[test]
    fn without_a_cut_everything_is_sent() {
        let (left, then) = cut(parts(), 2, None);
        assert_eq!((left, then), (parts(), Ending::Finish));
    }
}
