//! HTTP/1.1 by hand, for requests that no client would send. See [`RawConnection`].

use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::patience::within;

/// A TCP connection that sends exactly what it is told.
#[derive(Debug)]
pub struct RawConnection {
    stream: TcpStream,
    /// Received and not yet asked for.
    buffer: BytesMut,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct RawResponse {
    /// Status code.
    pub status: u16,
    /// Header fields; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body without transfer coding.
    pub body: Vec<u8>,
}

impl RawResponse {
    /// Value of the first field of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.headers.iter();
        fields
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl RawConnection {
    /// Connects.
    ///
    /// # Panics
    /// If nothing listens there.
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("connect");
        stream.set_nodelay(true).expect("set TCP_NODELAY");
        Self {
            stream,
            buffer: BytesMut::new(),
        }
    }

    /// Sends `bytes`. A peer that has closed already is no fault of the test, so the outcome is not looked at.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Sends a JSON `POST`.
    pub async fn post(&mut self, path: &str, body: &str) {
        self.send(format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
    }

    /// The next answer, or `None` when the peer closes before its head is whole.
    ///
    /// # Panics
    /// If nothing comes in time, or no HTTP.
    pub async fn response(&mut self) -> Option<RawResponse> {
        let (status, headers) = self.head().await?;
        let field = |name: &str| {
            headers
                .iter()
                .find(|(field, _)| field == name)
                .map(|(_, value)| value.as_str())
        };
        let body = if field("transfer-encoding") == Some("chunked") {
            self.chunks().await
        } else if let Some(length) = field("content-length") {
            let length = length.parse().expect("a content-length is a number");
            self.fill(|buffer| buffer.len() >= length).await;
            let length = length.min(self.buffer.len());
            self.buffer.split_to(length).to_vec()
        } else {
            self.fill(|_| false).await;
            self.buffer.split().to_vec()
        };
        Some(RawResponse {
            status,
            headers,
            body,
        })
    }

    /// Status and header fields of the next answer; `None` when the peer closes before.
    ///
    /// # Panics
    /// If nothing comes in time, or no HTTP.
    pub async fn head(&mut self) -> Option<(u16, Vec<(String, String)>)> {
        let end = |buffer: &[u8]| buffer.windows(4).position(|window| window == b"\r\n\r\n");
        self.fill(|buffer| end(buffer).is_some()).await;
        let length = end(&self.buffer)? + 4;
        let head =
            String::from_utf8(self.buffer.split_to(length).to_vec()).expect("a head is text");
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let status = status
            .and_then(|status| status.parse().ok())
            .expect("a status line");
        let field = |line: &str| {
            let (name, value) = line.split_once(':').expect("a header field");
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        Some((status, lines.map(field).collect()))
    }

    /// Waits until bytes with `needle` have come, and takes everything up to its end.
    ///
    /// # Panics
    /// If they do not come.
    pub async fn read_past(&mut self, needle: &str) -> String {
        let find = |buffer: &[u8]| {
            buffer
                .windows(needle.len())
                .position(|window| window == needle.as_bytes())
        };
        self.fill(|buffer| find(buffer).is_some()).await;
        let Some(at) = find(&self.buffer) else {
            panic!(
                "closed before {needle:?}; got {:?}",
                String::from_utf8_lossy(&self.buffer)
            );
        };
        String::from_utf8_lossy(&self.buffer.split_to(at + needle.len())).into_owned()
    }

    /// Waits until the peer has closed, and gives what came before.
    ///
    /// # Panics
    /// If it does not close in time.
    pub async fn closed(&mut self) -> Vec<u8> {
        self.fill(|_| false).await;
        self.buffer.split().to_vec()
    }

    /// Closes with FIN.
    pub fn close(self) {
        drop(self.stream);
    }

    /// Closes with RST.
    ///
    /// # Panics
    /// If the socket option cannot be set.
    pub fn reset(self) {
        self.stream.set_zero_linger().expect("set SO_LINGER");
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.read_past("\r\n").await;
            let size = line.trim_end().split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(size, 16).expect("a chunk size");
            self.fill(|buffer| buffer.len() >= size + 2).await;
            assert!(self.buffer.len() >= size + 2, "closed inside a chunk");
            body.extend_from_slice(&self.buffer[..size]);
            self.buffer.advance(size + 2);
            if size == 0 {
                return body;
            }
        }
    }

    /// Reads until `enough` holds of the buffer or the peer closes.
    async fn fill(&mut self, enough: impl Fn(&[u8]) -> bool) {
        let reading = async {
            while !enough(&self.buffer) {
                match self.stream.read_buf(&mut self.buffer).await {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                }
            }
        };
        if within(reading).await.is_none() {
            let got = String::from_utf8_lossy(&self.buffer).into_owned();
            panic!("nothing more came, and the peer did not close; got {got:?}");
        }
    }
}
