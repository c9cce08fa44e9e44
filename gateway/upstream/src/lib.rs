#![doc = include_str!("../README.md")]

mod body;
mod download;
mod error;
mod guard;
mod headers;
mod in_flight;
mod provider;
mod retry;
mod webhook;

pub use body::{BodyError, ProviderBody};
pub use download::{DownloadError, Downloader, Transfer};
pub use error::{BuildError, SendError};
pub use headers::relay_response_headers;
pub use in_flight::InFlight;
pub use provider::{Credential, Outbound, Prepared, Provider};
pub use retry::wait_before_retry;
pub use webhook::{Webhook, WebhookError};
