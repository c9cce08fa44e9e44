//! Who calls: a gateway key names its tenant; without any keys, this machine alone may call.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::{self, Either, Ready};
use http::{HeaderMap, HeaderName, Request, Response};
use skinflint_policies::{Identity, Policies, Tenants, VirtualKey};
use skinflint_upstream::Provider;
use tower::{Layer, Service};

use crate::{
    body::Body,
    call::{Authenticated, Caller, Recorded},
    error::{AccessError, CallError},
    policy::LivePolicies,
    this_machine,
};

/// Puts [`Authenticate`] around a service.
#[derive(Debug, Clone)]
pub(crate) struct AuthenticateLayer {
    policies: LivePolicies,
}

/// Lets nobody through whom it cannot name.
#[derive(Debug, Clone)]
pub(crate) struct Authenticate<S> {
    inner: S,
    policies: LivePolicies,
}

/// Names the tenant where the provider's own headers carry the client's own key.
const OWN_KEY: HeaderName = HeaderName::from_static("x-skinflint-key");

// === impl AuthenticateLayer ===

impl AuthenticateLayer {
    /// Knows the tenants of these policies.
    pub(crate) fn new(policies: LivePolicies) -> Self {
        Self { policies }
    }
}

impl<S> Layer<S> for AuthenticateLayer {
    type Service = Authenticate<S>;

    fn layer(&self, inner: S) -> Authenticate<S> {
        Authenticate {
            inner,
            policies: self.policies.clone(),
        }
    }
}

// === impl Authenticate ===

impl<S, B> Service<Recorded<B>> for Authenticate<S>
where
    S: Service<Authenticated<B>, Response = Response<Body>, Error = CallError>,
{
    type Response = Response<Body>;
    type Error = CallError;
    type Future = Either<S::Future, Ready<Result<Response<Body>, CallError>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, recorded: Recorded<B>) -> Self::Future {
        let Recorded {
            mut request,
            receipt,
        } = recorded;
        match identify(self.policies.current(), &mut request) {
            Ok(caller) => {
                receipt.enter(|entries| {
                    entries.tenant = Some(caller.tenant.id.clone());
                    entries.key.clone_from(&caller.key);
                    entries.generation = caller.policies.generation;
                });
                Either::Left(self.inner.call(Authenticated {
                    request,
                    caller,
                    receipt,
                }))
            }
            Err(error) => Either::Right(future::ready(Err(error.into()))),
        }
    }
}

fn identify<B>(policies: Arc<Policies>, request: &mut Request<B>) -> Result<Caller, AccessError> {
    let Identity { tenant, key } = name(&policies.tenants, request)?;
    let headers = request.headers();
    Ok(Caller {
        tenant,
        key,
        brings_credential: headers.keys().any(Provider::is_credential),
        has_subscription: Provider::is_subscription(headers),
        policies,
    })
}

fn name<B>(tenants: &Tenants, request: &mut Request<B>) -> Result<Identity, AccessError> {
    let key = take_keys(request.headers_mut());
    Ok(match (tenants.keyless(), key) {
        // Without tenant files no key was ever issued; a client may well send one that it had before.
        (Some(everybody), key) if key.is_none() || !tenants.are_described() => {
            this_machine::refuse_others(request.uri(), request.headers())?;
            Identity {
                tenant: everybody.clone(),
                key: None,
            }
        }
        (_, Some(key)) => tenants
            .authenticate(&key)
            .map_err(|_| AccessError::Unknown)?,
        (_, None) => return Err(AccessError::Missing),
    })
}

/// Takes every gateway key out of the headers, so that none can reach a provider; the first one counts.
fn take_keys(headers: &mut HeaderMap) -> Option<String> {
    let own = headers.remove(&OWN_KEY);
    let mut found = own.and_then(|value| value.to_str().ok().map(str::to_owned));
    let places: Vec<HeaderName> = headers
        .keys()
        .filter(|name| Provider::is_credential(name))
        .cloned()
        .collect();
    for place in places {
        let key = headers
            .get(&place)
            .and_then(|value| value.to_str().ok())
            .map(|value| value.strip_prefix("Bearer ").unwrap_or(value).trim())
            .filter(|value| VirtualKey::is_one(value))
            .map(str::to_owned);
        if key.is_some() {
            headers.remove(&place);
            found = found.or(key);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &str)]) -> Request<()> {
        let mut request = Request::post("/v1/messages").body(()).unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        request
    }

    #[test]
    fn only_this_machine_calls_without_keys() {
        let tenants = Tenants::none();
        for host in [
            "localhost",
            "LOCALHOST:4100",
            "127.0.0.1:4100",
            "127.8.8.8",
            "[::1]:4100",
        ] {
            assert!(
                name(&tenants, &mut request(&[("host", host)])).is_ok(),
                "{host}"
            );
        }
        for host in [
            "evil.test",
            "localhost.evil.test",
            "10.0.0.1",
            "0.0.0.0:4100",
            "x/health?",
            "",
        ] {
            assert!(
                name(&tenants, &mut request(&[("host", host)])).is_err(),
                "{host}"
            );
        }
        assert!(name(&tenants, &mut request(&[])).is_err());
        for (origin, ours) in [
            ("http://localhost:3000", true),
            ("https://evil.test", false),
            ("null", false),
        ] {
            let mut request = request(&[("host", "localhost"), ("origin", origin)]);
            assert_eq!(name(&tenants, &mut request).is_ok(), ours, "{origin}");
        }
    }

    #[test]
    fn gateway_keys_are_taken_out_and_provider_keys_stay() {
        let mut request = request(&[
            ("x-skinflint-key", "sk-skf-a-1"),
            ("authorization", "Bearer sk-skf-b-2"),
            ("x-api-key", "sk-ant-real"),
        ]);
        let key = take_keys(request.headers_mut());
        assert_eq!(key.as_deref(), Some("sk-skf-a-1"));
        assert!(!request.headers().contains_key("authorization"));
        assert_eq!(request.headers()["x-api-key"], "sk-ant-real");
    }
}
