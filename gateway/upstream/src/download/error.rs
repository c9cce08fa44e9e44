//! Why a file did not come.

use std::{io, path::PathBuf, time::Duration};

use http::{StatusCode, header};

use super::redirect::shown;

/// A file or an answer that did not come. Addresses are shown without their query, which may hold a signature.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// The server did not want to.
    #[error("{url} answers {status}")]
    Refused {
        /// What was asked for.
        url: String,
        /// The answer's status.
        status: StatusCode,
        /// What the hub calls the reason, such as `GatedRepo`.
        code: Option<String>,
    },
    /// No connection, or one that broke.
    #[error("{message}")]
    Connection {
        /// How.
        message: String,
        /// What the client library said.
        #[source]
        source: Option<reqwest::Error>,
    },
    /// A redirect that is not followed.
    #[error("{from} leads to {to}, which is not followed: {reason}")]
    Redirect {
        /// Who answered.
        from: String,
        /// Where it leads.
        to: String,
        /// Why not.
        reason: &'static str,
    },
    /// A redirect leads to a redirect, and so on.
    #[error("too many redirects, the last to {url}")]
    Redirects {
        /// The last.
        url: String,
    },
    /// The server's file has another size than the hub has stated.
    #[error("{url} has {actual} bytes, but the hub has stated {expected}")]
    Size {
        /// The file.
        url: String,
        /// Bytes that were stated.
        expected: u64,
        /// Bytes that the server says, or has sent so far.
        actual: u64,
    },
    /// An answer without end.
    #[error("the answer of {url} is longer than {limit} bytes")]
    TooLong {
        /// What was asked for.
        url: String,
        /// Bytes that it may have.
        limit: u64,
    },
    /// What has come cannot be written.
    #[error("cannot write to {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A try that failed.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) error: DownloadError,
    /// Whether another try can help.
    pub(super) may_pass: bool,
    /// Bytes that it has brought.
    pub(super) brought: u64,
    /// How long the server asks to be left alone.
    pub(super) wait: Option<Duration>,
}

// === impl Broken ===

impl Broken {
    /// A failure that passes.
    pub(super) fn passing(message: String) -> Self {
        Self {
            may_pass: true,
            ..Self::from(DownloadError::Connection {
                message,
                source: None,
            })
        }
    }

    /// No answer, or one that broke off.
    pub(super) fn sent(error: reqwest::Error) -> Self {
        let host = error
            .url()
            .and_then(|url| url.host_str())
            .unwrap_or("the server");
        let message = if error.is_connect() {
            format!("cannot connect to {host}")
        } else if error.is_timeout() {
            format!("{host} is silent")
        } else {
            format!("the connection to {host} broke")
        };
        Self {
            may_pass: !error.is_builder(),
            ..Self::from(DownloadError::Connection {
                message,
                source: Some(error.without_url()),
            })
        }
    }

    /// An answer that is no file.
    pub(super) fn of_status(response: &reqwest::Response) -> Self {
        let status = response.status();
        let text = |name: header::HeaderName| {
            Some(response.headers().get(name)?.to_str().ok()?.to_owned())
        };
        let may_pass = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
        ) || status.is_server_error();
        let seconds = text(header::RETRY_AFTER).and_then(|text| text.parse().ok());
        Self {
            may_pass,
            wait: seconds.map(Duration::from_secs),
            ..Self::from(DownloadError::Refused {
                url: shown(response.url()),
                status,
                code: text(header::HeaderName::from_static("x-error-code")),
            })
        }
    }

    pub(super) fn after(mut self, brought: u64) -> Self {
        self.brought = brought;
        self
    }
}

impl From<DownloadError> for Broken {
    fn from(error: DownloadError) -> Self {
        Self {
            error,
            may_pass: false,
            brought: 0,
            wait: None,
        }
    }
}
