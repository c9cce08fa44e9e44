//! Who is told of budgets that fill up and of spending out of the ordinary.

use secrecy::SecretString;
use serde::Deserialize;
use skinflint_money::NanoUsd;

use crate::{
    file::Invalid,
    secret::{self, Environment},
    share::Share,
};

/// Where alerts go, beside the log and the metrics.
#[derive(Debug)]
pub struct Alerts {
    /// URL that takes Slack-compatible JSON.
    pub webhook: Option<SecretString>,
    /// What spending is out of the ordinary.
    pub anomaly: Anomaly,
}

/// What five minutes of spending must exceed to be out of the ordinary for a tenant, or for one of its classes: both of
/// these, and three times the median of the five-minute slots of the day before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anomaly {
    /// So many standard deviations above that median, estimated from the median absolute deviation; more than 1.
    pub factor: Share,
    /// This much.
    pub min: NanoUsd,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    webhook_url_env: Option<String>,
    #[serde(default)]
    anomaly: RawAnomaly,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnomaly {
    factor: Option<Share>,
    min_usd: Option<NanoUsd>,
}

/// Twice what the method's authors take for an outlier (3.5): what agents spend has a longer tail than a normal distribution.
const DEFAULT_FACTOR: Share = Share::millionths(6_000_000);
/// Beyond this nothing is found.
const MAX_FACTOR: Share = Share::millionths(1_000_000_000);
/// Nobody should be woken for less than a dollar.
const DEFAULT_MIN: NanoUsd = NanoUsd::new(1_000_000_000);

// === impl Alerts ===

impl Alerts {
    pub(super) fn validate(raw: Raw, environment: &impl Environment) -> Result<Self, Invalid> {
        let webhook = raw
            .webhook_url_env
            .map(|name| {
                let schemes = ["https", "http"];
                secret::named_url("webhook_url_env", &name, &schemes, environment)
            })
            .transpose()?;
        let anomaly = Anomaly {
            factor: raw.anomaly.factor.unwrap_or(DEFAULT_FACTOR),
            min: raw.anomaly.min_usd.unwrap_or(DEFAULT_MIN),
        };
        if anomaly.factor <= Share::WHOLE || anomaly.factor > MAX_FACTOR {
            return Err(Invalid::new(
                "anomaly.factor",
                format!("expected more than 1 and at most {MAX_FACTOR}"),
            ));
        }
        Ok(Self { webhook, anomaly })
    }
}
