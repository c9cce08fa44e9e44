//! Large files from a model hub, for an operator's command.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use secrecy::ExposeSecret;
use skinflint_policies::ModelHub;
use url::Url;

use self::{
    part::{Part, Range},
    redirect::Redirects,
};
use crate::{error::BuildError, guard::GuardedResolver};

mod error;
mod part;
mod redirect;

use self::error::Broken;
pub use self::error::DownloadError;

/// A client of one hub.
///
/// Unlike a [`Provider`](crate::Provider) it follows redirects, for hubs keep large files elsewhere: five at most, to HTTPS alone where the
/// hub is on HTTPS, and without the token on another origin. The public hub leads to public addresses only; one that the
/// operator named may be on any network.
#[derive(Debug)]
pub struct Downloader {
    client: reqwest::Client,
    endpoint: Url,
    authorization: Option<HeaderValue>,
    redirects: Redirects,
}

/// How a file comes along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transfer {
    /// So many bytes of it are there.
    At(u64),
    /// The connection broke; the rest is asked for after this wait.
    Again {
        /// What happened.
        reason: String,
        /// Before the next try.
        wait: Duration,
    },
}

/// Longer than the slowest hub takes to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// A server that sends nothing for so long has forgotten us.
const SILENCE: Duration = Duration::from_mins(1);
/// Waits before the next tries of a file after failures that may pass.
const WAITS: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(15),
];
/// How many of them a question is worth, for whose answer somebody waits.
const FEW: usize = 2;
/// The longest wait that a server may ask for.
const MAX_WAIT: Duration = Duration::from_mins(1);
/// A try that brings so many bytes has not failed in vain: the count of tries begins anew. A mebibyte, so that a server that dribbles is
/// given up.
const PROGRESS: u64 = 1 << 20;
/// The longest description of a repository: some have tens of thousands of files.
const MAX_ANSWER: usize = 32 << 20;

// === impl Downloader ===

impl Downloader {
    /// Makes the client; nothing is sent yet.
    pub fn new(hub: &ModelHub) -> Result<Self, BuildError> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .dns_resolver(Arc::new(GuardedResolver {
                private_network: hub.is_named,
            }))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(SILENCE)
            .http2_adaptive_window(true)
            .user_agent(concat!("skinflint/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|source| BuildError {
                name: "model hub".to_owned(),
                source,
            })?;
        let authorization = hub.token.as_ref().and_then(|token| {
            let mut value =
                HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        Ok(Self {
            client,
            redirects: Redirects::of(hub),
            endpoint: hub.endpoint.clone(),
            authorization,
        })
    }

    /// A short answer, whole. `path` are the components of the path below the hub's address, not yet percent-encoded.
    pub async fn get(&self, path: &[String], query: Option<&str>) -> Result<Bytes, DownloadError> {
        let url = self.url(path, query);
        retrying(&WAITS[..FEW], &mut |_| (), async |_| {
            let mut response = self.follow(url.clone(), &HeaderMap::new()).await?;
            if response.status() != StatusCode::OK {
                return Err(Broken::of_status(&response));
            }
            let mut body = BytesMut::new();
            while let Some(chunk) = response.chunk().await.map_err(Broken::sent)? {
                if body.len() + chunk.len() > MAX_ANSWER {
                    let url = redirect::shown(response.url());
                    return Err(DownloadError::TooLong {
                        url,
                        limit: MAX_ANSWER as u64,
                    }
                    .into());
                }
                body.extend_from_slice(&chunk);
            }
            Ok(body.freeze())
        })
        .await
    }

    /// A file of `size` bytes, written to `part`. What is there already of it is kept and the rest fetched, if the server says that the file has
    /// not changed since; `part.etag` beside it has the entity tag that this is known by. A connection that breaks is made anew,
    /// some times. Whatever is at `part` when this is dropped or fails can be gone on with.
    pub async fn fetch(
        &self,
        path: &[String],
        part: &Path,
        size: u64,
        progress: &mut dyn FnMut(Transfer),
    ) -> Result<(), DownloadError> {
        let url = self.url(path, None);
        let part = Part::new(part, size);
        retrying(&WAITS, progress, async |progress| {
            self.fetch_rest(&url, &part, progress).await
        })
        .await?;
        part.forget_tag().await;
        Ok(())
    }

    /// One try.
    async fn fetch_rest(
        &self,
        url: &Url,
        part: &Part,
        progress: &mut dyn FnMut(Transfer),
    ) -> Result<(), Broken> {
        let range = part.range().await?;
        if let Range::Nothing = range {
            progress(Transfer::At(part.size));
            return Ok(());
        }
        let mut response = self.follow(url.clone(), &range.headers()).await?;
        let mut open = match response.status() {
            StatusCode::OK => part.begin(&response).await?,
            StatusCode::PARTIAL_CONTENT => match part.go_on(&response, &range).await? {
                Some(open) => open,
                None => return Err(part.discard("the server sends another range").await),
            },
            StatusCode::RANGE_NOT_SATISFIABLE if range.is_rest() => {
                return Err(part.discard("the server has no more of the file").await);
            }
            _ => return Err(Broken::of_status(&response)),
        };
        let from = open.written;
        progress(Transfer::At(from));
        let arrived = async {
            while let Some(chunk) = response.chunk().await.map_err(Broken::sent)? {
                open.write(&chunk).await?;
                progress(Transfer::At(open.written));
            }
            Ok(())
        };
        let arrived: Result<(), Broken> = arrived.await;
        // What has come is kept, whatever happened then.
        open.flush().await?;
        let short = || {
            Broken::passing(format!(
                "it ended after {} of {} bytes",
                open.written, part.size
            ))
        };
        match arrived {
            Ok(()) if open.written == part.size => Ok(()),
            Ok(()) => Err(short().after(open.written - from)),
            Err(broken) => Err(broken.after(open.written - from)),
        }
    }

    /// Sends a `GET`, and again to wherever the answers lead.
    async fn follow(&self, mut url: Url, headers: &HeaderMap) -> Result<reqwest::Response, Broken> {
        for _ in 0..=redirect::MOST {
            let mut request = reqwest::Request::new(http::Method::GET, url.clone());
            let sent = request.headers_mut();
            sent.extend(headers.clone());
            // Sizes and ranges are those of the file, not of a compressed form of it.
            sent.insert(
                header::ACCEPT_ENCODING,
                HeaderValue::from_static("identity"),
            );
            if let Some(token) = &self.authorization
                && self.redirects.may_have_token(&url)
            {
                sent.insert(header::AUTHORIZATION, token.clone());
            }
            let response = self.client.execute(request).await.map_err(Broken::sent)?;
            match redirect::location(&response) {
                Some(location) => url = self.redirects.next(&url, location)?,
                None => return Ok(response),
            }
        }
        Err(DownloadError::Redirects {
            url: redirect::shown(&url),
        }
        .into())
    }

    fn url(&self, path: &[String], query: Option<&str>) -> Url {
        let mut url = self.endpoint.clone();
        // An HTTP URL has a path.
        if let Ok(mut components) = url.path_segments_mut() {
            components.pop_if_empty().extend(path);
        }
        url.set_query(query);
        url
    }
}

/// Tries until it works, the failure is for good, or there were too many in a row.
async fn retrying<T, F>(
    waits: &[Duration],
    progress: &mut dyn FnMut(Transfer),
    mut attempt: F,
) -> Result<T, DownloadError>
where
    F: AsyncFnMut(&mut dyn FnMut(Transfer)) -> Result<T, Broken>,
{
    let mut failed = 0;
    loop {
        let broken = match attempt(progress).await {
            Ok(done) => return Ok(done),
            Err(broken) => broken,
        };
        if broken.brought >= PROGRESS {
            failed = 0;
        }
        let Some(own) = waits.get(failed).filter(|_| broken.may_pass) else {
            return Err(broken.error);
        };
        failed += 1;
        let wait = broken.wait.unwrap_or(*own).min(MAX_WAIT);
        progress(Transfer::Again {
            reason: broken.error.to_string(),
            wait,
        });
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests;
