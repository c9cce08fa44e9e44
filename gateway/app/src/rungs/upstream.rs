//! Calls that a provider answers.

use std::sync::Arc;

use http::{Response, StatusCode, uri::PathAndQuery};
use skinflint_policies::ClientCredentials;
use skinflint_protocol::EditList;
use skinflint_upstream::{
    Credential, Outbound, Prepared, Provider, ProviderBody, SendError, wait_before_retry,
};

use crate::{
    accounting::Spending,
    body::Body,
    call::{Call, Caller, ModelCall, UpstreamTarget},
    error::{CallError, UpstreamFault},
    failpoint,
    receipt::{Decision, Receipt},
    relay::{From, LeftBehind, Relay},
};

/// The providers, and how their answers are relayed; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct UpstreamRung {
    origins: Arc<[Origin]>,
    relay: Relay,
}

/// A provider, and what becomes of its answers when the client is gone.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The provider.
    pub provider: Provider,
    /// What becomes of its answers when the client is gone.
    pub left: LeftBehind,
}

type Sent = Result<Response<ProviderBody>, SendError>;

// === impl UpstreamRung ===

impl UpstreamRung {
    /// Answers from these providers, in the order of the configuration.
    pub(crate) fn new(origins: Vec<Origin>, relay: Relay) -> Self {
        Self {
            origins: origins.into(),
            relay,
        }
    }

    /// Sends a call to its provider; of the body nothing changes but what was decided.
    pub(super) async fn answer(
        &self,
        model_call: ModelCall,
        target: UpstreamTarget,
        spending: Spending,
    ) -> Result<Response<Body>, CallError> {
        let (this, index) = (self.clone(), target.index);
        let work = async move { this.send_and_relay(model_call, target, spending).await };
        let answer = self.origins[index].left.outlive(work).await;
        // Work that nobody waits for any more has nobody to answer.
        answer.unwrap_or_else(|| Err(self.fault(index, UpstreamFault::Stopping)))
    }

    async fn send_and_relay(
        &self,
        model_call: ModelCall,
        target: UpstreamTarget,
        mut spending: Spending,
    ) -> Result<Response<Body>, CallError> {
        let ModelCall {
            mut call,
            endpoint,
            view,
            attribution: _,
            offer: _,
            reservation: _,
            spared: _,
        } = model_call;
        let mut edits = EditList::new();
        if let Some(name) = &target.rename {
            edits.replace_with_text(view.model.span.clone(), name);
        }
        let amended = spending.amend(&call.body, &mut edits);
        match amended.and_then(|()| edits.apply(&call.body)) {
            Ok(body) => call.body = body,
            Err(error) => {
                spending.settle_declined(None);
                return Err(error.into());
            }
        }
        let receipt = call.receipt.clone();
        let origin = &self.origins[target.index];
        let request = prepare(&origin.provider, call);
        let sent = tokio::select! {
            sent = attempts(&request, &receipt, &mut spending) => sent?,
            () = self.relay.deadline.cancelled() => {
                return Err(self.fault(target.index, UpstreamFault::Stopping));
            }
        };
        let response = match sent {
            Ok(response) => response,
            Err(error) => {
                if error.nothing_accepted() {
                    spending.settle_declined(None);
                }
                return Err(self.fault(target.index, error));
            }
        };
        let response = follow_none(response).map_err(|fault| self.fault(target.index, fault))?;
        let from = From {
            upstream: origin.provider.name(),
            left: &origin.left,
            include_usage: view.include_usage,
        };
        self.relay
            .answer(endpoint, from, response, &receipt, spending)
            .await
    }

    /// Sends on what is not looked at.
    pub(super) async fn pass(&self, call: Call, index: usize) -> Result<Response<Body>, CallError> {
        let receipt = call.receipt.clone();
        let request = prepare(&self.origins[index].provider, call);
        let mut nothing = Spending::nothing();
        let sent = tokio::select! {
            sent = attempts(&request, &receipt, &mut nothing) => sent?,
            () = self.relay.deadline.cancelled() => {
                return Err(self.fault(index, UpstreamFault::Stopping));
            }
        };
        let response = sent.map_err(|error| self.fault(index, error))?;
        let response = follow_none(response).map_err(|fault| self.fault(index, fault))?;
        Ok(Relay::unread(response))
    }

    fn fault(&self, index: usize, fault: impl Into<UpstreamFault>) -> CallError {
        CallError::Upstream {
            name: self.origins[index].provider.name().to_owned(),
            fault: fault.into(),
        }
    }
}

/// Sends a request, and once more where that cannot bill it twice. Each attempt has a row of its own in the ledger.
async fn attempts(
    request: &Prepared,
    receipt: &Receipt,
    spending: &mut Spending,
) -> Result<Sent, CallError> {
    let first = send(request, receipt).await;
    let Some(wait) = wait_before_retry(&first) else {
        return Ok(first);
    };
    tracing::debug!(?wait, "sending the request again");
    let status = first.as_ref().ok().map(Response::status);
    receipt.decide(Decision::TriedAgain {
        status: status.map(|status| status.as_u16()),
    });
    spending.declined(status);
    // The declined answer is let go before the wait, and its connection with it.
    drop(first);
    receipt.waiting(tokio::time::sleep(wait)).await;
    spending.again().await?;
    Ok(send(request, receipt).await)
}

async fn send(request: &Prepared, receipt: &Receipt) -> Sent {
    failpoint::before_send();
    let sent = receipt.waiting(request.send()).await;
    failpoint::after_send();
    sent
}

fn prepare(provider: &Provider, call: Call) -> Prepared {
    let path = call.parts.uri.path_and_query().cloned();
    let credential = credential(provider, &call.caller);
    provider.prepare(Outbound {
        method: call.parts.method,
        path: path.unwrap_or_else(|| PathAndQuery::from_static("/")),
        headers: call.parts.headers,
        body: call.body,
        credential,
    })
}

fn follow_none(response: Response<ProviderBody>) -> Result<Response<ProviderBody>, UpstreamFault> {
    match response.status() {
        // Unlike the others of its class, `304` leads nowhere.
        status if status.is_redirection() && status != StatusCode::NOT_MODIFIED => {
            Err(UpstreamFault::Redirect(status))
        }
        _ => Ok(response),
    }
}

fn credential(provider: &Provider, caller: &Caller) -> Credential {
    let passes_on = match caller.tenant.client_credentials {
        ClientCredentials::Never => false,
        ClientCredentials::WhenUnset => !provider.has_credential(),
        ClientCredentials::Always => true,
    };
    if passes_on && caller.brings_credential {
        Credential::Client
    } else {
        Credential::Own
    }
}
