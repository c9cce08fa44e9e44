//! Models of Hugging Face, or of another hub that speaks its API.

use std::path::Path;

use http::StatusCode;
use indicatif::BinaryBytes;
use skinflint_local_model::{HubListing, HubName, HubPull};
use skinflint_policies::{ModelHub, ProcessEnvironment};
use skinflint_upstream::{DownloadError, Downloader, Transfer};

use super::{
    super::{Outcome, books, out},
    bar::Bar,
};
use crate::{clock, tls};

/// The hub that the environment names.
#[derive(Debug)]
pub(super) struct Hub {
    downloader: Downloader,
    /// Its address, without `/` at the end.
    address: String,
    has_token: bool,
}

/// Why a hub gives nothing.
#[derive(Debug, thiserror::Error)]
enum HubError {
    #[error(
        "`{repository}` is gated or private, or does not exist: accept its terms at {page} if it has some, and set HF_TOKEN to a token of your account"
    )]
    NoToken { repository: String, page: String },
    #[error("the hub does not accept the token in HF_TOKEN for `{repository}`")]
    BadToken { repository: String },
    #[error(
        "`{repository}` is gated: accept its terms at {page}, with the account to which the token in HF_TOKEN belongs"
    )]
    Gated { repository: String, page: String },
    #[error("`{repository}` has no revision `{revision}`")]
    NoRevision {
        repository: String,
        revision: String,
    },
    #[error("there is no `{repository}` at {address}, or no revision `{revision}` of it")]
    NoRepository {
        repository: String,
        revision: String,
        address: String,
    },
    #[error(transparent)]
    Download(DownloadError),
}

// === impl Hub ===

impl Hub {
    /// Prepares to ask it; nothing is sent yet.
    pub(super) fn open() -> Result<Self, Box<dyn std::error::Error>> {
        let hub = ModelHub::of(&ProcessEnvironment)
            .map_err(|invalid| format!("{}: {}", invalid.field, invalid.message))?;
        tls::install_provider()?;
        Ok(Self {
            downloader: Downloader::new(&hub)?,
            address: hub.endpoint.as_str().trim_end_matches('/').to_owned(),
            has_token: hub.token.is_some(),
        })
    }

    /// Fetches a model, and prints where it lies.
    pub(super) fn pull(&self, name: &HubName, folder: &Path) -> Outcome {
        books::run(self.fetch(name, folder))
    }

    async fn fetch(&self, name: &HubName, folder: &Path) -> Outcome {
        let explain = |error| self.explain(name, error);
        let answer = self
            .downloader
            .get(&name.listing_path(), Some("blobs=true"))
            .await
            .map_err(explain)?;
        let listing = HubListing::parse(name, &answer)?;
        let files = listing.choose(name)?;
        let pull = HubPull::begin(name, &self.address, &listing, files, folder)?;
        let total = pull.wanted().iter().map(|wanted| wanted.file.size).sum();
        let missing: Vec<_> = pull.missing().cloned().collect();
        out::note(format_args!(
            "{name} at {}: {} files, {}, from {}; its terms are at {}/{}",
            listing.commit,
            pull.wanted().len(),
            BinaryBytes(total),
            self.address,
            self.address,
            name.repository()
        ));
        if missing.is_empty() {
            out::note("already here");
        }
        let mut bar = Bar::new(name.repository(), total);
        let lacking: u64 = missing.iter().map(|wanted| wanted.file.size).sum();
        let mut there = total - lacking;
        for wanted in &missing {
            let file = &wanted.file;
            bar.doing(format!("fetching {}", file.path));
            let mut show = |transfer| match transfer {
                Transfer::At(bytes) => bar.at(there + bytes),
                Transfer::Again { reason, wait } => {
                    bar.note(format_args!("{reason}; trying again in {wait:?}"));
                }
            };
            let path = name.file_path(&listing.commit, &file.path);
            self.downloader
                .fetch(&path, &wanted.part, file.size, &mut show)
                .await
                .map_err(explain)?;
            pull.keep(wanted)?;
            there += file.size;
        }
        drop(bar);
        let path = pull.finish(clock::rfc3339_of(clock::unix_millis()))?;
        out::note("sizes, and the checksums that the hub states, are right");
        out::line(path.display());
        Ok(())
    }

    /// Says what a hub means by a status, and what can be done.
    fn explain(&self, name: &HubName, error: DownloadError) -> HubError {
        let DownloadError::Refused { status, code, .. } = &error else {
            return HubError::Download(error);
        };
        let repository = name.repository().to_owned();
        let revision = name.revision().to_owned();
        let page = format!("{}/{repository}", self.address);
        match (*status, code.as_deref()) {
            (StatusCode::UNAUTHORIZED, _) if self.has_token => HubError::BadToken { repository },
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) if !self.has_token => {
                HubError::NoToken { repository, page }
            }
            (StatusCode::FORBIDDEN, _) => HubError::Gated { repository, page },
            (StatusCode::NOT_FOUND, Some("RevisionNotFound")) => HubError::NoRevision {
                repository,
                revision,
            },
            (StatusCode::NOT_FOUND, None | Some("RepoNotFound")) => HubError::NoRepository {
                repository,
                revision,
                address: self.address.clone(),
            },
            _ => HubError::Download(error),
        }
    }
}
