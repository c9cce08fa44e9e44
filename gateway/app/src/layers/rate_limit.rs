//! How fast a tenant and a key may call: in requests, and in tokens.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::{self, Either, Ready};
use http::Response;
use skinflint_policies::RateLimit;
use skinflint_tokens::Encoding;
use tower::{Layer, Service};

use crate::{
    accounting::{Accounting, Rate, Taken},
    body::Body,
    call::{Ask, Asked, Caller},
    error::{CallError, RateLimited},
};

/// Puts [`RateLimits`] around a service.
#[derive(Debug, Clone)]
pub(crate) struct RateLimitLayer {
    accounting: Accounting,
}

/// Turns away who comes too fast.
#[derive(Debug, Clone)]
pub(crate) struct RateLimits<S> {
    inner: S,
    accounting: Accounting,
}

// === impl RateLimitLayer ===

impl RateLimitLayer {
    /// Takes from the rates of this accounting.
    pub(crate) fn new(accounting: Accounting) -> Self {
        Self { accounting }
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = RateLimits<S>;

    fn layer(&self, inner: S) -> RateLimits<S> {
        RateLimits {
            inner,
            accounting: self.accounting.clone(),
        }
    }
}

// === impl RateLimits ===

impl<S> Service<Asked> for RateLimits<S>
where
    S: Service<Asked, Response = Response<Body>, Error = CallError>,
{
    type Response = Response<Body>;
    type Error = CallError;
    type Future = Either<S::Future, Ready<Result<Response<Body>, CallError>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, asked: Asked) -> Self::Future {
        match self.take(&asked) {
            Ok(taken) => {
                if !taken.is_empty() {
                    asked
                        .call
                        .receipt
                        .enter(|entries| entries.rates_taken = taken);
                }
                Either::Left(self.inner.call(asked))
            }
            Err(limited) => Either::Right(future::ready(Err(limited.into()))),
        }
    }
}

impl<S> RateLimits<S> {
    /// Takes a request, and the tokens that it is sure to have, from every rate that holds the caller; what was taken of
    /// tokens is put right when it is known.
    fn take(&self, asked: &Asked) -> Result<Vec<Taken>, RateLimited> {
        let mut taken = Vec::new();
        let Caller { tenant, key, .. } = &asked.call.caller;
        if let Some(limit) = &tenant.rate_limit {
            self.take_from(asked, "the tenant", tenant.id.as_str(), limit, &mut taken)?;
        }
        if let (Some(limit), Some(key)) = (&tenant.key_rate_limit, key) {
            let account = format!("{}/{key}", tenant.id);
            self.take_from(asked, "the key", &account, limit, &mut taken)?;
        }
        Ok(taken)
    }

    fn take_from(
        &self,
        asked: &Asked,
        whose: &'static str,
        account: &str,
        limit: &RateLimit,
        taken: &mut Vec<Taken>,
    ) -> Result<(), RateLimited> {
        let rates = self.accounting.rates();
        let per_minute = |per_minute: u64| Rate {
            per_minute,
            burst: limit.burst,
        };
        if let Some(requests) = limit.requests_per_minute {
            let rate = per_minute(requests.get().into());
            let account: Arc<str> = format!("requests/{account}").into();
            rates
                .take(&account, rate, 1)
                .map_err(|refused| refused.of(whose, "requests", rate))?;
        }
        if let (Some(tokens), Ask::Model(_, view)) = (limit.tokens_per_minute, &asked.ask) {
            let rate = per_minute(tokens.get());
            let units = guess(self.accounting.counter().bound(
                &Encoding::Bounded,
                view,
                &asked.call.body,
            ));
            let account: Arc<str> = format!("tokens/{account}").into();
            rates
                .take(&account, rate, units)
                .map_err(|refused| refused.of(whose, "tokens", rate))?;
            taken.push(Taken {
                account,
                rate,
                units,
            });
        }
        Ok(())
    }
}

/// A third of a request's bytes: near enough until the real number is there.
fn guess(bound: skinflint_tokens::Count) -> u64 {
    const BYTES_PER_TOKEN: u64 = 3;
    bound.tokens.div_ceil(BYTES_PER_TOKEN)
}
