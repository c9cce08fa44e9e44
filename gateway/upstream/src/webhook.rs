//! Messages to the operator's chat or pager.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};

use crate::{error::BuildError, guard::GuardedResolver};

/// One address that takes JSON by `POST`; cheap to clone.
///
/// The address is a secret: whoever has it can write there.
#[derive(Debug, Clone)]
pub struct Webhook {
    address: SecretString,
    client: reqwest::Client,
}

/// A message that was not taken.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// No answer. Says nothing of the address.
    #[error("the webhook gave no answer: {0}")]
    NoAnswer(#[source] reqwest::Error),
    /// Another status than success.
    #[error("the webhook answered {0}")]
    Status(StatusCode),
}

/// A chat server that takes longer is down.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Waits between the tries of one message.
const WAITS: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
];

// === impl Webhook ===

impl Webhook {
    /// Makes the client; nothing is sent yet. `address` is an HTTP or HTTPS URL, on any network: the operator wrote it.
    pub fn new(address: SecretString) -> Result<Self, BuildError> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .dns_resolver(Arc::new(GuardedResolver {
                private_network: true,
            }))
            .timeout(TIMEOUT)
            .build()
            .map_err(|source| BuildError {
                name: "webhook".to_owned(),
                source,
            })?;
        Ok(Self { address, client })
    }

    /// Sends a message, again after failures that may pass; four times in all.
    pub async fn post(&self, json: Bytes) -> Result<(), WebhookError> {
        for wait in WAITS {
            match self.attempt(json.clone()).await {
                Err(error) if error.may_pass() => tokio::time::sleep(wait).await,
                done => return done,
            }
        }
        self.attempt(json).await
    }

    async fn attempt(&self, json: Bytes) -> Result<(), WebhookError> {
        let mut request = self
            .client
            .post(self.address.expose_secret())
            .body(json)
            .build()
            .map_err(|error| WebhookError::NoAnswer(error.without_url()))?;
        request.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        let response = self
            .client
            .execute(request)
            .await
            .map_err(|error| WebhookError::NoAnswer(error.without_url()))?;
        if response.status().is_success() {
            Ok(())
        } else {
            Err(WebhookError::Status(response.status()))
        }
    }
}

// === impl WebhookError ===

impl WebhookError {
    fn may_pass(&self) -> bool {
        match self {
            Self::NoAnswer(error) => !error.is_builder(),
            Self::Status(status) => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
        }
    }
}
