//! `skinflint.toml`: listeners, limits, upstreams, models, the ledger.

mod alerts;
mod counters;
mod decisions;
mod ledger;
mod limits;
mod listen;
mod local;
mod models;
mod reload;
mod serving;
mod timeouts;
mod upstream;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use self::reload::Surroundings;
pub use self::{
    alerts::{Alerts, Anomaly},
    counters::{Counters, WhenDown},
    decisions::Decisions,
    ledger::{Durability, Ledger, LedgerFile, LedgerSettings, LedgerStore},
    limits::Limits,
    listen::{AdminAccess, Listen, Transport},
    local::{
        ActivationBits, DEFAULT_EMBEDDER, Local, LocalClassifier, LocalEmbedder, LocalModel,
        LocalSettings, TRAINED_CLASSIFIER, Weights,
    },
    models::{ModelEntry, ModelTable, ModelTarget},
    reload::{Policies, PolicySource, Reload},
    serving::LocalServing,
    timeouts::Timeouts,
    upstream::{DrainCaps, OnDisconnect, Upstream, UpstreamProtocol},
};
use crate::{
    file::{self, FileError, Invalid},
    prices::{self, Prices},
    secret::Environment,
    tenants::Tenants,
};

/// Everything that the gateway was told, checked.
#[derive(Debug)]
pub struct Config {
    /// Where it comes from.
    pub source: Source,
    /// Where the gateway listens.
    pub listen: Listen,
    /// What a request may take up.
    pub limits: Limits,
    /// How long anything may take.
    pub timeouts: Timeouts,
    /// The providers.
    pub upstreams: Vec<Upstream>,
    /// Which model goes where.
    pub models: ModelTable,
    /// The models that run in this process.
    pub local: Local,
    /// Where it is written down what calls cost.
    pub ledger: Ledger,
    /// Where it is counted how much of each budget is left.
    pub counters: Counters,
    /// Where it is kept what conversations were made into.
    pub decisions: Decisions,
    /// Who is told of budgets that fill up.
    pub alerts: Alerts,
    /// Who may call, and what they may spend.
    pub tenants: Tenants,
    /// What models cost.
    pub prices: Prices,
    /// Where tenants and prices come from, to be read again while the gateway runs.
    pub policies: PolicySource,
}

/// Where a configuration comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The defaults in the binary.
    Defaults,
    /// A file.
    File(PathBuf),
}

/// A field whose value turned out to be wrong only when it was used; names file, line and field.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct FieldFault(String);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    policies: Option<PathBuf>,
    #[serde(default)]
    listen: listen::Raw,
    #[serde(default)]
    limits: limits::Raw,
    #[serde(default)]
    timeouts: timeouts::Raw,
    #[serde(default)]
    upstream: Vec<upstream::Raw>,
    #[serde(default)]
    model: Vec<models::Raw>,
    #[serde(default)]
    local: local::Raw,
    #[serde(default)]
    ledger: ledger::Raw,
    #[serde(default)]
    counters: counters::Raw,
    #[serde(default)]
    decisions: decisions::Raw,
    #[serde(default)]
    alerts: alerts::Raw,
    #[serde(default)]
    price: Vec<prices::Raw>,
    #[serde(default)]
    prices: prices::RawSettings,
}

/// Folder of tenant files when the configuration names none.
const DEFAULT_POLICIES: &str = "policies";

// === impl Source ===

impl Source {
    /// The error of a field whose value turned out to be wrong only when it was used.
    pub fn fault(&self, field: &str, message: &str) -> FieldFault {
        let invalid = Invalid::new(field, message);
        let told = match self {
            Self::Defaults => format!("`{field}`: {message}"),
            Self::File(path) => file::fault(path, invalid).to_string(),
        };
        FieldFault(told)
    }
}

// === impl Config ===

impl Config {
    /// Reads and checks a configuration file and the tenant files it points to.
    pub fn load(path: &Path, environment: &impl Environment) -> Result<Self, FileError> {
        let source = file::Source::read(path)?;
        let raw: Raw = source.parse()?;
        let config = Self::validate(raw, Source::File(path.to_owned()), environment)
            .map_err(|invalid| source.locate(invalid))?;
        Ok(Self {
            tenants: config.policies.tenants()?,
            policies: config.policies.started_with(source.parse()?),
            ..config
        })
    }

    /// The defaults in the binary: loopback listeners, no upstream, the local model.
    pub fn defaults(environment: &impl Environment) -> Result<Self, Invalid> {
        Self::validate(Raw::default(), Source::Defaults, environment)
    }

    /// All but the tenants, whose files are not read here.
    fn validate(raw: Raw, source: Source, environment: &impl Environment) -> Result<Self, Invalid> {
        let base = match &source {
            Source::File(path) => path.parent().unwrap_or(Path::new(".")),
            Source::Defaults => Path::new("."),
        };
        let listen = Listen::validate(raw.listen, base, environment)
            .map_err(|invalid| invalid.under("listen"))?;
        let limits = Limits::validate(&raw.limits).map_err(|invalid| invalid.under("limits"))?;
        let timeouts =
            Timeouts::validate(&raw.timeouts).map_err(|invalid| invalid.under("timeouts"))?;
        let upstreams = upstream::validate(raw.upstream, environment)?;
        let local = Local::validate(raw.local, base).map_err(|invalid| invalid.under("local"))?;
        let models = ModelTable::validate(raw.model, &upstreams, &local)?;
        let ledger = Ledger::validate(raw.ledger, base, environment)
            .map_err(|invalid| invalid.under("ledger"))?;
        let counters = Counters::validate(raw.counters, environment)
            .map_err(|invalid| invalid.under("counters"))?;
        let decisions = Decisions::validate(raw.decisions, environment)
            .map_err(|invalid| invalid.under("decisions"))?;
        let alerts =
            Alerts::validate(raw.alerts, environment).map_err(|invalid| invalid.under("alerts"))?;
        if matches!((&ledger, &counters), (Ledger::Off, Counters::Redis { .. })) {
            return Err(Invalid::new(
                "ledger.store",
                "counters in Redis are filled from the ledger, which is off",
            ));
        }
        let named = raw.policies.is_some();
        let folder = base.join(raw.policies.unwrap_or_else(|| DEFAULT_POLICIES.into()));
        if named && !folder.is_dir() {
            let message = format!("no folder `{}`", folder.display());
            return Err(Invalid::new("policies", message));
        }
        let surroundings = Surroundings {
            calls: listen.calls,
            local: matches!(local, Local::On(_)),
            ledger: matches!(ledger, Ledger::On(_)),
        };
        Ok(Self {
            policies: PolicySource::new(source.clone(), folder, named, surroundings),
            source,
            listen,
            limits,
            timeouts,
            upstreams,
            models,
            local,
            ledger,
            counters,
            decisions,
            alerts,
            tenants: Tenants::none(),
            prices: prices::validate(&raw.price, raw.prices)?,
        })
    }
}

#[cfg(test)]
mod tests;
