//! Calls that a provider answers.

use http::{Response, StatusCode, uri::PathAndQuery};
use skinflint_policies::ClientCredentials;
use skinflint_protocol::EditList;
use skinflint_upstream::{Credential, Outbound, Provider, ProviderBody};

use crate::{
    body::Body,
    call::{Call, Caller, ModelCall, UpstreamTarget},
    error::{CallError, UpstreamFault},
    relay::Relay,
};

/// The providers, and how their answers are relayed.
#[derive(Debug)]
pub(crate) struct UpstreamRung {
    providers: Vec<Provider>,
    relay: Relay,
}

// === impl UpstreamRung ===

impl UpstreamRung {
    /// Answers from these providers, in the order of the configuration.
    pub(crate) fn new(providers: Vec<Provider>, relay: Relay) -> Self {
        Self { providers, relay }
    }

    /// Sends a call to its provider; of the body nothing changes but what was decided.
    pub(super) async fn answer(
        &self,
        model_call: ModelCall,
        target: UpstreamTarget,
    ) -> Result<Response<Body>, CallError> {
        let ModelCall {
            mut call,
            endpoint,
            view,
        } = model_call;
        let provider = &self.providers[target.index];
        let mut edits = EditList::new();
        if let Some(name) = &target.rename {
            edits.replace_with_text(view.model.span, name);
        }
        call.body = edits.apply(&call.body)?;
        let receipt = call.receipt.clone();
        let response = self.send(provider, call).await?;
        self.relay
            .answer(endpoint, provider.name(), response, &receipt)
            .await
    }

    /// Sends on what is not looked at.
    pub(super) async fn pass(&self, call: Call, index: usize) -> Result<Response<Body>, CallError> {
        let response = self.send(&self.providers[index], call).await?;
        Ok(Relay::unread(response))
    }

    async fn send(
        &self,
        provider: &Provider,
        call: Call,
    ) -> Result<Response<ProviderBody>, CallError> {
        let Call {
            parts,
            body,
            caller,
            receipt,
        } = call;
        let path = parts.uri.path_and_query().cloned();
        let outbound = Outbound {
            method: parts.method,
            path: path.unwrap_or_else(|| PathAndQuery::from_static("/")),
            headers: parts.headers,
            body,
            credential: credential(provider, &caller),
        };
        let sent = receipt.waiting(provider.send(outbound));
        let answered = tokio::select! {
            sent = sent => sent.map_err(UpstreamFault::from),
            () = self.relay.deadline.cancelled() => Err(UpstreamFault::Stopping),
        };
        answered
            .and_then(|response| match response.status() {
                // Unlike the others of its class, `304` leads nowhere.
                status if status.is_redirection() && status != StatusCode::NOT_MODIFIED => {
                    Err(UpstreamFault::Redirect(status))
                }
                _ => Ok(response),
            })
            .map_err(|fault| CallError::Upstream {
                name: provider.name().to_owned(),
                fault,
            })
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
