//! Where the gateway listens, and who may use the admin side.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    file::Invalid,
    secret::{self, Environment},
};

/// The two listeners.
#[derive(Debug)]
pub struct Listen {
    /// Calls of agents and SDKs.
    pub calls: SocketAddr,
    /// Health, metrics.
    pub admin: SocketAddr,
    /// Threads that carry calls.
    pub threads: NonZeroUsize,
    /// How calls arrive.
    pub transport: Transport,
    /// Who may read the admin side.
    pub admin_access: AdminAccess,
    /// Whether a stream ends with a comment that says what it cost.
    pub cost_comments: bool,
    /// Whether `/health` is answered beside the calls.
    pub health: bool,
}

/// Plain TCP or TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// HTTP/1.1 and h2c.
    Plain,
    /// HTTP/1.1 and h2 over TLS 1.2 or 1.3.
    Tls {
        /// PEM file of the certificate chain, leaf first.
        cert: PathBuf,
        /// PEM file of the private key.
        key: PathBuf,
    },
}

/// What the admin listener asks of a caller.
#[derive(Debug)]
pub enum AdminAccess {
    /// Nothing: it is on loopback.
    Loopback,
    /// `Authorization: Bearer` with this token, but for `/healthz` and `/readyz`.
    Token(SecretString),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    calls: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    threads: Option<NonZeroUsize>,
    tls: Option<RawTls>,
    admin_token_env: Option<String>,
    cost_comments: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTls {
    cert: PathBuf,
    key: PathBuf,
}

/// Calls, on loopback: a gateway without keys must not be reachable from elsewhere.
const DEFAULT_CALLS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4100);
/// Admin, on loopback.
const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4101);

/// Half the cores: one thread carries thousands of calls a second, a call that changes threads is slower for it, and the local model computes on the rest.
fn default_threads() -> NonZeroUsize {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    NonZeroUsize::new(cores / 2).unwrap_or(NonZeroUsize::MIN)
}

// === impl Raw ===

impl Raw {
    /// These two addresses.
    pub(super) fn at(calls: SocketAddr, admin: SocketAddr) -> Self {
        Self {
            calls: Some(calls),
            admin: Some(admin),
            ..Self::default()
        }
    }
}

// === impl Listen ===

impl Listen {
    pub(super) fn validate(
        raw: Raw,
        base: &Path,
        environment: &impl Environment,
    ) -> Result<Self, Invalid> {
        let calls = raw.calls.unwrap_or(DEFAULT_CALLS);
        let admin = raw.admin.unwrap_or(DEFAULT_ADMIN);
        if calls == admin && calls.port() != 0 {
            return Err(Invalid::new(
                "admin",
                "expected another address than `calls`",
            ));
        }
        let admin_access = match raw.admin_token_env {
            Some(name) => AdminAccess::Token(secret::named("admin_token_env", &name, environment)?),
            None if admin.ip().is_loopback() => AdminAccess::Loopback,
            None => {
                return Err(Invalid::new(
                    "admin",
                    "a public admin listener needs `admin_token_env`, the name of an environment variable that holds its token",
                ));
            }
        };
        let threads = raw.threads.unwrap_or_else(default_threads);
        let transport = raw.tls.map_or(Transport::Plain, |tls| Transport::Tls {
            cert: base.join(tls.cert),
            key: base.join(tls.key),
        });
        Ok(Self {
            calls,
            admin,
            threads,
            transport,
            admin_access,
            cost_comments: raw.cost_comments.unwrap_or(true),
            health: false,
        })
    }
}
