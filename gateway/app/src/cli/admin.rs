//! A running gateway, asked through its admin side on this machine.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use skinflint_policies::{AdminAccess, Listen};
use tokio::{net::TcpStream, time::timeout};

/// The admin side of a gateway that may be running.
#[derive(Debug)]
pub(super) struct AdminSide<'a> {
    address: SocketAddr,
    token: &'a SecretString,
}

/// Why a gateway did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdminError {
    /// It said so.
    #[error("the gateway at {address} answers {status}: {message}")]
    Refused {
        /// Where it listens.
        address: SocketAddr,
        /// Of its answer.
        status: StatusCode,
        /// What it said.
        message: String,
    },
    /// It did not answer in time.
    #[error("whoever listens at {address} does not answer within {ANSWER_WITHIN:?}")]
    Silent {
        /// Where.
        address: SocketAddr,
    },
    /// The connection broke.
    #[error("the gateway at {address} cannot be asked")]
    Connection {
        /// Where it listens.
        address: SocketAddr,
        /// How.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

#[derive(Deserialize)]
struct Told {
    error: Fault,
}

#[derive(Deserialize)]
struct Fault {
    message: String,
}

/// Longer than a ledger may take to write.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// An answer about one task is far smaller.
const MAX_ANSWER: usize = 1 << 20;

// === impl AdminSide ===

impl<'a> AdminSide<'a> {
    /// The admin side that a configuration describes; none if it has no API that could be found.
    pub(super) fn of(listen: &'a Listen) -> Option<Self> {
        let AdminAccess::Token(token) = &listen.admin_access else {
            return None;
        };
        let mut address = listen.admin;
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        (address.port() != 0).then_some(Self { address, token })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Posts JSON and returns the answer; none if nobody listens.
    pub(super) async fn post(&self, path: &str, json: String) -> Result<Option<Bytes>, AdminError> {
        let address = self.address;
        let stream = match TcpStream::connect(address).await {
            Ok(stream) => stream,
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(None),
            Err(error) => return Err(self.broken(error)),
        };
        let answer = timeout(ANSWER_WITHIN, self.exchange(stream, path, json))
            .await
            .map_err(|_| AdminError::Silent { address })?;
        let (status, body) = answer?;
        if status.is_success() {
            return Ok(Some(body));
        }
        let message = match serde_json::from_slice::<Told>(&body) {
            Ok(told) => told.error.message,
            Err(_) => "it is no gateway of this version".to_owned(),
        };
        Err(AdminError::Refused {
            address,
            status,
            message,
        })
    }

    async fn exchange(
        &self,
        stream: TcpStream,
        path: &str,
        json: String,
    ) -> Result<(StatusCode, Bytes), AdminError> {
        let request = Request::post(path)
            .header(header::HOST, self.address.to_string())
            .header(header::CONTENT_TYPE, "application/json")
            .header(
                header::AUTHORIZATION,
                format!("Bearer {}", self.token.expose_secret()),
            )
            .body(Full::new(Bytes::from(json)))
            .map_err(|error| self.broken(error))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.broken(error))?;
        let asked = async {
            let response = sender
                .send_request(request)
                .await
                .map_err(|error| self.broken(error))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER)
                .collect()
                .await
                .map_err(|error| self.broken(error))?;
            Ok((status, body.to_bytes()))
        };
        let mut asked = std::pin::pin!(asked);
        tokio::select! {
            answer = asked.as_mut() => answer,
            // The connection ends before its answer is read only if the answer is wholly there.
            _ended = connection => asked.await,
        }
    }

    fn broken(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> AdminError {
        AdminError::Connection {
            address: self.address,
            source: error.into(),
        }
    }
}

/// A name as one segment of a path. Every byte that could mean anything else is escaped, dots too.
pub(super) fn segment(name: &str) -> String {
    use std::fmt::Write;

    let mut segment = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            // A string takes everything.
            let _infallible = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_whatever_it_holds() {
        for (name, expected) in [
            ("fix-bug_1", "fix-bug_1"),
            ("a/b?c#d", "a%2Fb%3Fc%23d"),
            ("..", "%2E%2E"),
            ("é 100%", "%C3%A9%20100%25"),
        ] {
            assert_eq!(segment(name), expected);
        }
    }
}
