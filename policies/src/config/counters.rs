//! Where it is counted how much of each budget is left.

use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    file::Invalid,
    secret::{self, Environment},
    share::Share,
};

/// Where budgets are counted.
#[derive(Debug)]
pub enum Counters {
    /// In this process: it is the only gateway.
    InProcess,
    /// In Redis, for several gateways.
    Redis {
        /// `redis://` URL of a server that evicts nothing.
        url: SecretString,
        /// What becomes of hard budgets while it cannot be reached.
        when_down: WhenDown,
    },
}

/// What becomes of hard budgets while Redis cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenDown {
    /// Nothing may be spent.
    Closed,
    /// This gateway may spend this part of what was left.
    Share(Share),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    redis_url_env: Option<String>,
    when_down: Option<RawWhenDown>,
    share: Option<Share>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawWhenDown {
    Closed,
    Share,
}

// === impl Counters ===

impl Counters {
    pub(super) fn validate(raw: Raw, environment: &impl Environment) -> Result<Self, Invalid> {
        let when_down = WhenDown::validate(raw.when_down, raw.share)?;
        match raw.redis_url_env {
            Some(name) => Ok(Self::Redis {
                url: secret::named_url("redis_url_env", &name, &["redis"], environment)?,
                when_down,
            }),
            None if raw.when_down.is_some() => Err(Invalid::new(
                "when_down",
                "budgets are counted in this process: there is no `redis_url_env`",
            )),
            None => Ok(Self::InProcess),
        }
    }
}

// === impl WhenDown ===

impl WhenDown {
    fn validate(raw: Option<RawWhenDown>, share: Option<Share>) -> Result<Self, Invalid> {
        match (raw, share) {
            (None | Some(RawWhenDown::Closed), None) => Ok(Self::Closed),
            (None | Some(RawWhenDown::Closed), Some(_)) => Err(Invalid::new(
                "share",
                "only `when_down = \"share\"` leaves something to spend",
            )),
            (Some(RawWhenDown::Share), None) => Err(Invalid::new(
                "when_down",
                "expected `share`, this gateway's part of what was left",
            )),
            (Some(RawWhenDown::Share), Some(share)) => {
                if share == Share::NONE || share > Share::WHOLE {
                    return Err(Invalid::new("share", "expected more than 0 and at most 1"));
                }
                Ok(Self::Share(share))
            }
        }
    }
}
