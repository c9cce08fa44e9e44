//! The beginning of a connection, before it is known which HTTP it speaks.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

/// A stream that must bring its first bytes in time.
///
/// The server tells HTTP/1 from HTTP/2 by the preface, and waits for that without a limit of its own.
#[derive(Debug)]
pub(super) struct FirstBytes<I> {
    io: I,
    /// What is still awaited; none once it is there.
    awaited: Option<Awaited>,
}

#[derive(Debug)]
struct Awaited {
    missing: usize,
    deadline: Pin<Box<Sleep>>,
}

/// Length of the HTTP/2 client preface (RFC 9113 §3.4), which is shorter than any HTTP/1.1 request with a `Host`.
const PREFACE: usize = 24;

// === impl FirstBytes ===

impl<I> FirstBytes<I> {
    pub(super) fn new(io: I, within: Duration) -> Self {
        Self {
            io,
            awaited: Some(Awaited {
                missing: PREFACE,
                deadline: Box::pin(tokio::time::sleep(within)),
            }),
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for FirstBytes<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buffer);
        let Some(awaited) = &mut self.awaited else {
            return polled;
        };
        let brought = buffer.filled().len() - before;
        if brought >= awaited.missing {
            self.awaited = None;
            return polled;
        }
        awaited.missing -= brought;
        if polled.is_pending() && awaited.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for FirstBytes<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_too_little_is_let_go() {
        for said in ["", "P", "PRI * HTTP/2.0"] {
            let (mut client, server) = duplex(64);
            client.write_all(said.as_bytes()).await.unwrap();
            let mut server = FirstBytes::new(server, Duration::from_secs(10));
            let mut heard = Vec::new();
            let error = server.read_to_end(&mut heard).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert_eq!(heard, said.as_bytes());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_first_bytes_silence_is_for_others_to_judge() {
        let (mut client, server) = duplex(64);
        client.write_all(&[b'x'; PREFACE]).await.unwrap();
        let mut server = FirstBytes::new(server, Duration::from_secs(10));
        let mut heard = [0; PREFACE + 1];
        server.read_exact(&mut heard[..PREFACE]).await.unwrap();
        tokio::time::sleep(Duration::from_mins(1)).await;
        client.write_all(b"x").await.unwrap();
        server.read_exact(&mut heard[PREFACE..]).await.unwrap();
    }
}
