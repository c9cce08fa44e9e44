//! HTTP/1.1 messages on a kept-alive connection, read without allocating; the load and the origin must cost less than what is measured.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

/// A connection that stays open from one message to the next.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    /// Received and not yet taken.
    buffer: BytesMut,
}

/// A message as it was last read. Its memory is used again for the next one.
#[derive(Debug, Default)]
pub(super) struct Message {
    /// Request or status line.
    pub(super) start: String,
    /// The body without transfer coding; no more of it than is kept.
    pub(super) body: Vec<u8>,
    /// Bytes of the body that are kept; the others are read and let go.
    pub(super) keep: usize,
    /// When the first bytes of the body were there.
    pub(super) body_began: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
}

/// Bytes asked of the socket at once.
const READ: usize = 64 << 10;

// === impl Wire ===

impl Wire {
    /// Takes over a connection.
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: BytesMut::with_capacity(READ),
        })
    }

    /// Sends bytes as they are.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Reads the next message; false if the peer has closed the connection before it.
    pub(super) async fn receive(&mut self, message: &mut Message) -> io::Result<bool> {
        message.start.clear();
        message.body.clear();
        message.body_began = None;
        let Some(end) = self.find(b"\r\n\r\n").await? else {
            return Ok(false);
        };
        let framing = read_head(&self.buffer[..end], &mut message.start)?;
        self.buffer.advance(end + 4);
        match framing {
            Framing::Length(length) => self.take(length, message).await?,
            Framing::Chunked => self.take_chunks(message).await?,
        }
        Ok(true)
    }

    async fn take(&mut self, mut length: usize, message: &mut Message) -> io::Result<()> {
        while length > 0 {
            if self.buffer.is_empty() {
                self.fill().await?;
            }
            let piece = length.min(self.buffer.len());
            message.append(&self.buffer[..piece]);
            self.buffer.advance(piece);
            length -= piece;
        }
        Ok(())
    }

    async fn take_chunks(&mut self, message: &mut Message) -> io::Result<()> {
        loop {
            let Some(end) = self.find(b"\r\n").await? else {
                return Err(cut_off());
            };
            let size = std::str::from_utf8(&self.buffer[..end]).ok();
            let size = size
                .and_then(|line| usize::from_str_radix(line, 16).ok())
                .ok_or_else(|| malformed("no chunk size"))?;
            self.buffer.advance(end + 2);
            self.take(size, message).await?;
            while self.buffer.len() < 2 {
                self.fill().await?;
            }
            if !self.buffer.starts_with(b"\r\n") {
                return Err(malformed("a chunk is longer than it says"));
            }
            self.buffer.advance(2);
            if size == 0 {
                return Ok(());
            }
        }
    }

    /// Where `needle` begins in what was received; none if the peer closed with nothing left.
    async fn find(&mut self, needle: &[u8]) -> io::Result<Option<usize>> {
        let mut searched = 0;
        loop {
            let fresh = &self.buffer[searched..];
            let found = fresh.windows(needle.len()).position(|part| part == needle);
            if let Some(at) = found {
                return Ok(Some(searched + at));
            }
            searched = self.buffer.len().saturating_sub(needle.len() - 1);
            if !self.read().await? {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(cut_off())
                };
            }
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        if self.read().await? {
            Ok(())
        } else {
            Err(cut_off())
        }
    }

    async fn read(&mut self) -> io::Result<bool> {
        self.buffer.reserve(READ);
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }
}

// === impl Message ===

impl Message {
    /// Keeps so many bytes of the body.
    pub(super) fn keeping(keep: usize) -> Self {
        Self {
            keep,
            ..Self::default()
        }
    }

    fn append(&mut self, data: &[u8]) {
        if self.body_began.is_none() {
            self.body_began = Some(Instant::now());
        }
        let room = self.keep - self.body.len();
        self.body.extend_from_slice(&data[..data.len().min(room)]);
    }
}

/// Puts the first line into `start`, and says how the body is framed.
fn read_head(head: &[u8], start: &mut String) -> io::Result<Framing> {
    let head = std::str::from_utf8(head).map_err(|_| malformed("a head that is no text"))?;
    let mut lines = head.split("\r\n");
    start.push_str(lines.next().unwrap_or_default());
    let mut framing = Framing::Length(0);
    for line in lines {
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| malformed("a header line without a colon"))?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            let length = value.parse().map_err(|_| malformed("a content-length"))?;
            framing = Framing::Length(length);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.eq_ignore_ascii_case("chunked") {
                return Err(malformed("an unknown transfer coding"));
            }
            framing = Framing::Chunked;
        } else if name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close") {
            return Err(malformed("the connection is to be closed"));
        }
    }
    Ok(framing)
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn cut_off() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// A wire, and the other end of its connection.
    async fn pair() -> (Wire, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (far, _) = listener.accept().await.unwrap();
        (Wire::new(near).unwrap(), far)
    }

    /// What is read of `sent` when its bytes come one by one.
    async fn received(sent: &[u8], keep: usize) -> io::Result<Vec<(String, Vec<u8>)>> {
        let (mut wire, mut far) = pair().await;
        let sending = async {
            for byte in sent {
                far.write_all(&[*byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
            drop(far);
        };
        let receiving = async {
            let mut message = Message::keeping(keep);
            let mut all = Vec::new();
            while wire.receive(&mut message).await? {
                assert_eq!(message.body_began.is_some(), !message.body.is_empty());
                all.push((message.start.clone(), message.body.clone()));
            }
            Ok(all)
        };
        tokio::join!(sending, receiving).1
    }

    #[tokio::test]
    async fn messages_of_both_framings_follow_each_other() {
        let sent = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc\
            HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\nA\r\n0123456789\r\n0\r\n\r\n\
            HTTP/1.1 204 No Content\r\n\r\n";
        let messages = received(sent, 64).await.unwrap();
        let expected = [
            ("HTTP/1.1 200 OK", &b"abc"[..]),
            ("HTTP/1.1 200 OK", b"de0123456789"),
            ("HTTP/1.1 204 No Content", b""),
        ]
        .map(|(start, body)| (start.to_owned(), body.to_vec()));
        assert_eq!(messages, expected);
    }

    #[tokio::test]
    async fn what_is_not_kept_is_read_all_the_same() {
        let sent =
            b"POST /a HTTP/1.1\r\ncontent-length: 5\r\n\r\n12345GET /b HTTP/1.1\r\nhost: x\r\n\r\n";
        let messages = received(sent, 2).await.unwrap();
        let expected = [("POST /a HTTP/1.1", &b"12"[..]), ("GET /b HTTP/1.1", b"")]
            .map(|(start, body)| (start.to_owned(), body.to_vec()));
        assert_eq!(messages, expected);
    }

    #[tokio::test]
    async fn half_a_message_is_an_error() {
        for sent in [
            &b"HTTP/1.1 200 OK\r\ncontent-le"[..],
            b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
        ] {
            assert!(received(sent, 64).await.is_err(), "{sent:?}");
        }
    }
}
