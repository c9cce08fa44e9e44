//! Where it is kept what conversations were made into.

use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    file::Invalid,
    secret::{self, Environment},
};

/// Where it is kept what conversations were made into: in a file of this gateway's in any case.
#[derive(Debug, Default)]
pub struct Decisions {
    /// `redis://` URL of a server by which several gateways share it.
    pub redis: Option<SecretString>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    redis_url_env: Option<String>,
}

// === impl Decisions ===

impl Decisions {
    pub(super) fn validate(raw: Raw, environment: &impl Environment) -> Result<Self, Invalid> {
        let redis = raw
            .redis_url_env
            .map(|name| secret::named_url("redis_url_env", &name, &["redis"], environment))
            .transpose()?;
        Ok(Self { redis })
    }
}
