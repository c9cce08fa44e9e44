//! What a call may cost is reserved before it is sent; what becomes of one that finds no room is its budget's policy.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use http::Response;
use skinflint_money::Price;
use skinflint_policies::OnExceed;
use tokio::time::{Instant, timeout_at};
use tower::{Layer, Service};

use crate::{
    accounting::{Accounting, Answerer, Denied, Spending},
    body::Body,
    call::{Call, Funded, ModelCall, Routed, UpstreamTarget},
    error::{CallError, MoneyError},
    layers::route::RouteMap,
    receipt::{Decision, RouteTaken},
};

/// Puts [`Budget`] around a service.
#[derive(Debug, Clone)]
pub(crate) struct BudgetLayer {
    accounting: Accounting,
    map: Arc<RouteMap>,
}

/// Lets nothing through that is not paid for.
#[derive(Debug, Clone)]
pub(crate) struct Budget<S> {
    inner: S,
    layer: BudgetLayer,
}

// === impl BudgetLayer ===

impl BudgetLayer {
    /// Reserves there; the map says what a provider's prices are, and by what name the local model goes.
    pub(crate) fn new(accounting: Accounting, map: Arc<RouteMap>) -> Self {
        Self { accounting, map }
    }

    async fn fund(&self, routed: Routed) -> Result<Funded, CallError> {
        match routed {
            Routed::Models(call) => Ok(Funded::Models(call)),
            Routed::Compress(call) => Ok(Funded::Compress(call)),
            Routed::PassThrough(call, index) => {
                refuse_unmetered(&call)?;
                Ok(Funded::PassThrough(call, index))
            }
            Routed::Local(call, name) => self.fund_local(call, name, None).await,
            Routed::Upstream(call, target) => self.fund_upstream(call, target).await,
        }
    }

    async fn fund_local(
        &self,
        call: ModelCall,
        name: Arc<str>,
        instead_of: Option<Arc<Price>>,
    ) -> Result<Funded, CallError> {
        let answerer = Answerer::Local(&name);
        match self.accounting.admit(&call, answerer, instead_of).await {
            Ok(spending) => Ok(Funded::Local(call, name, spending)),
            Err(denied) => Err(denied.into_error()),
        }
    }

    async fn fund_upstream(
        &self,
        call: ModelCall,
        target: UpstreamTarget,
    ) -> Result<Funded, CallError> {
        let upstream = &self.map.upstreams[target.index];
        let model = target.rename.as_deref().unwrap_or(&call.view.model.value);
        let answerer = Answerer::Upstream(upstream, model);
        let mut admitted = self.accounting.admit(&call, answerer, None).await;
        if let Err(Denied::Full(_, OnExceed::Queue { up_to })) = &admitted {
            let until = Instant::now() + *up_to;
            admitted = self.wait(&call, answerer, admitted, until).await;
        }
        match admitted {
            Ok(spending) => Ok(Funded::Upstream(call, target, spending)),
            Err(Denied::Full(refusal, OnExceed::Downgrade)) => {
                let receipt = call.call.receipt.clone();
                receipt.decide(Decision::Downgraded {
                    budget: refusal.limit.to_string(),
                });
                receipt.enter(|entries| entries.route = Some(RouteTaken::Local));
                let price = answerer.price(&call.call.caller.policies).ok();
                self.fund_local(call, self.map.stand_in(), price).await
            }
            Err(denied) => Err(denied.into_error()),
        }
    }

    /// Asks again whenever there may be room, until it is there or the time is up.
    async fn wait(
        &self,
        call: &ModelCall,
        answerer: Answerer<'_>,
        mut last: Result<Spending, Denied>,
        until: Instant,
    ) -> Result<Spending, Denied> {
        let receipt = &call.call.receipt;
        let waiting = async {
            while matches!(&last, Err(Denied::Full(_, OnExceed::Queue { .. }))) {
                self.accounting.room().await;
                last = self.accounting.admit(call, answerer, None).await;
            }
        };
        // What was refused last stands if the time is up.
        let _in_time = receipt.waiting(timeout_at(until, waiting)).await;
        last
    }
}

impl<S> Layer<S> for BudgetLayer {
    type Service = Budget<S>;

    fn layer(&self, inner: S) -> Budget<S> {
        Budget {
            inner,
            layer: self.clone(),
        }
    }
}

// === impl Budget ===

impl<S> Service<Routed> for Budget<S>
where
    S: Service<Funded, Response = Response<Body>, Error = CallError> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = CallError;
    type Future = BoxFuture<'static, Result<Response<Body>, CallError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, routed: Routed) -> Self::Future {
        // The service that was found ready is the one that is called.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let layer = self.layer.clone();
        Box::pin(async move {
            let funded = layer.fund(routed).await?;
            inner.call(funded).await
        })
    }
}

/// What is passed through unread cannot be counted, and so not be held to a budget.
fn refuse_unmetered(call: &Call) -> Result<(), MoneyError> {
    let tenant = &call.caller.tenant;
    if tenant
        .budgets
        .iter()
        .any(skinflint_policies::Budget::is_hard)
    {
        return Err(MoneyError::Unmetered {
            what: "a path that is passed through unread",
        });
    }
    Ok(())
}

// === impl Denied ===

impl Denied {
    fn into_error(self) -> CallError {
        match self {
            Self::Full(refusal, _) => MoneyError::Full(refusal).into(),
            Self::Fault(error) => error.into(),
        }
    }
}
