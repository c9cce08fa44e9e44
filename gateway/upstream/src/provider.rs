//! One provider origin.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header, uri::PathAndQuery};
use secrecy::{ExposeSecret, SecretString};
use skinflint_policies::{Timeouts, Upstream, UpstreamProtocol};
use url::Url;

use crate::{
    body::ProviderBody,
    error::{BuildError, SendError},
    guard::GuardedResolver,
    headers::{CREDENTIALS, strip_request},
    in_flight::InFlight,
};

/// A client for one configured origin; cheap to clone.
#[derive(Debug, Clone)]
pub struct Provider(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    protocol: UpstreamProtocol,
    base_url: Url,
    /// The configured key, ready to send.
    own: Option<(HeaderName, HeaderValue)>,
    client: reqwest::Client,
    first_byte: Duration,
    idle: Duration,
    in_flight: InFlight,
}

/// A request on its way out.
#[derive(Debug)]
pub struct Outbound {
    /// Its method.
    pub method: Method,
    /// Path and query below the provider's base URL.
    pub path: PathAndQuery,
    /// The client's headers; what must not leave is removed here.
    pub headers: HeaderMap,
    /// The body, exactly.
    pub body: Bytes,
    /// Whose key it carries.
    pub credential: Credential,
}

/// A request that can be sent, and sent again.
#[derive(Debug)]
pub struct Prepared {
    provider: Provider,
    request: Outbound,
}

/// Whose key a request carries to the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// The one configured for the upstream, if there is one; never the client's.
    Own,
    /// The one that the client sent.
    Client,
}

/// HTTP/2 pings on a connection in use, so that a dead one is found before the idle timeout.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// Providers close idle connections after a minute or more; ours go first.
const POOL_IDLE: Duration = Duration::from_secs(50);

// === impl Provider ===

impl Provider {
    /// Makes the client for an upstream; no connection is opened yet.
    pub fn new(
        upstream: &Upstream,
        timeouts: &Timeouts,
        in_flight: InFlight,
    ) -> Result<Self, BuildError> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .dns_resolver(Arc::new(GuardedResolver {
                private_network: upstream.private_network,
            }))
            .connect_timeout(timeouts.connect)
            .tcp_nodelay(true)
            .pool_idle_timeout(POOL_IDLE)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_adaptive_window(true)
            .build()
            .map_err(|source| BuildError {
                name: upstream.name.clone(),
                source,
            })?;
        Ok(Self(Arc::new(Inner {
            name: upstream.name.clone(),
            protocol: upstream.protocol,
            base_url: upstream.base_url.clone(),
            own: upstream
                .api_key
                .as_ref()
                .and_then(|key| credential_header(upstream.protocol, key)),
            client,
            first_byte: timeouts.first_byte,
            idle: timeouts.idle,
            in_flight,
        })))
    }

    /// The name that the configuration gives it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The wire format that it speaks.
    pub fn protocol(&self) -> UpstreamProtocol {
        self.0.protocol
    }

    /// Whether it has a key of its own.
    pub fn has_credential(&self) -> bool {
        self.0.own.is_some()
    }

    /// Whether a client's request carries a provider credential.
    pub fn is_credential(name: &HeaderName) -> bool {
        CREDENTIALS.contains(name)
    }

    /// Whether the client's credential is the token of a subscription, for which no call is billed by itself: Anthropic's
    /// OAuth tokens, or the signed token of a `ChatGPT` account.
    pub fn is_subscription(headers: &HeaderMap) -> bool {
        const SUBSCRIPTIONS: [&str; 2] = ["Bearer sk-ant-oat", "Bearer eyJ"];
        headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| SUBSCRIPTIONS.iter().any(|start| value.starts_with(start)))
    }

    /// Makes a request ready to be sent, with the right credential and without what must not leave.
    pub fn prepare(&self, mut request: Outbound) -> Prepared {
        strip_request(
            &mut request.headers,
            request.credential == Credential::Client,
        );
        if request.credential == Credential::Own
            && let Some((name, value)) = &self.0.own
        {
            request.headers.insert(name.clone(), value.clone());
        }
        Prepared {
            provider: self.clone(),
            request,
        }
    }

    fn url(&self, path: &PathAndQuery) -> Url {
        let mut url = self.0.base_url.clone();
        let prefix = self.0.base_url.path().trim_end_matches('/');
        if prefix.is_empty() {
            url.set_path(path.path());
        } else {
            url.set_path(&format!("{prefix}{}", path.path()));
        }
        url.set_query(path.query());
        url
    }
}

// === impl Prepared ===

impl Prepared {
    /// Sends the request once and waits for the response headers.
    pub async fn send(&self) -> Result<Response<ProviderBody>, SendError> {
        let Self { provider, request } = self;
        let inner = &provider.0;
        let url = provider.url(&request.path);
        let mut outgoing = reqwest::Request::new(request.method.clone(), url);
        *outgoing.headers_mut() = request.headers.clone();
        if !request.body.is_empty() || request.method == Method::POST {
            *outgoing.body_mut() = Some(request.body.clone().into());
        }
        let held = inner.in_flight.hold();
        let response = tokio::time::timeout(inner.first_byte, inner.client.execute(outgoing))
            .await
            .map_err(|_| SendError::FirstByte(inner.first_byte))?
            .map_err(SendError::classify)?;
        let idle = inner.idle;
        Ok(http::Response::from(response).map(|body| ProviderBody::new(body, idle, held)))
    }
}

fn credential_header(
    protocol: UpstreamProtocol,
    key: &SecretString,
) -> Option<(HeaderName, HeaderValue)> {
    let key = key.expose_secret();
    let (name, value) = match protocol {
        UpstreamProtocol::OpenAi => (header::AUTHORIZATION, format!("Bearer {key}")),
        UpstreamProtocol::Anthropic => (HeaderName::from_static("x-api-key"), key.to_owned()),
    };
    let mut value = HeaderValue::from_str(&value).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}
