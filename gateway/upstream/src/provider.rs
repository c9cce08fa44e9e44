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
    retry,
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

    /// Sends a request and waits for the response headers; sends it again where that cannot bill twice.
    pub async fn send(&self, mut request: Outbound) -> Result<Response<ProviderBody>, SendError> {
        strip_request(
            &mut request.headers,
            request.credential == Credential::Client,
        );
        if request.credential == Credential::Own
            && let Some((name, value)) = &self.0.own
        {
            request.headers.insert(name.clone(), value.clone());
        }
        let first = self.attempt(&request).await;
        let wait = match &first {
            Ok(response) => retry::after_answer(response.status(), response.headers()),
            Err(error) => retry::after_error(error),
        };
        let Some(wait) = wait else { return first };
        tracing::debug!(upstream = self.name(), ?wait, "sending the request again");
        // The declined answer is let go before the wait, and its connection with it.
        drop(first);
        tokio::time::sleep(wait).await;
        self.attempt(&request).await
    }

    async fn attempt(&self, request: &Outbound) -> Result<Response<ProviderBody>, SendError> {
        let mut outgoing = reqwest::Request::new(request.method.clone(), self.url(&request.path));
        *outgoing.headers_mut() = request.headers.clone();
        if !request.body.is_empty() || request.method == Method::POST {
            *outgoing.body_mut() = Some(request.body.clone().into());
        }
        let held = self.0.in_flight.hold();
        let response = tokio::time::timeout(self.0.first_byte, self.0.client.execute(outgoing))
            .await
            .map_err(|_| SendError::FirstByte(self.0.first_byte))?
            .map_err(SendError::classify)?;
        let idle = self.0.idle;
        Ok(http::Response::from(response).map(|body| ProviderBody::new(body, idle, held)))
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
