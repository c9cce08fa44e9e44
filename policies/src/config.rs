//! `skinflint.toml`: listeners, limits, upstreams, models.

mod limits;
mod listen;
mod local;
mod models;
mod timeouts;
mod upstream;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use self::{
    limits::Limits,
    listen::{AdminAccess, Listen, Transport},
    local::{Local, LocalModel, Weights},
    models::{ModelEntry, ModelTable, ModelTarget},
    timeouts::Timeouts,
    upstream::{Upstream, UpstreamProtocol},
};
use crate::{
    file::{self, FileError, Invalid},
    secret::Environment,
    tenant::Tenants,
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
    /// The model that runs in this process.
    pub local: Local,
    /// Who may call.
    pub tenants: Tenants,
    /// The folder of tenant files; it need not exist when the configuration does not name it.
    pub policies: PathBuf,
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
            Self::File(path) => match file::Source::read(path) {
                Ok(source) => source.locate(invalid).to_string(),
                Err(unreadable) => unreadable.to_string(),
            },
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
        let base = path.parent().unwrap_or(Path::new("."));
        let policies = base.join(
            raw.policies
                .as_deref()
                .unwrap_or(Path::new(DEFAULT_POLICIES)),
        );
        if raw.policies.is_some() && !policies.is_dir() {
            let message = format!("no folder `{}`", policies.display());
            return Err(source.locate(Invalid::new("policies", message)));
        }
        let tenants = if raw.policies.is_some() || policies.is_dir() {
            Tenants::load(&policies)?
        } else {
            Tenants::none()
        };
        Self::validate(
            raw,
            Source::File(path.to_owned()),
            base,
            tenants,
            environment,
        )
        .map(|config| Self { policies, ..config })
        .map_err(|invalid| source.locate(invalid))
    }

    /// The defaults in the binary: loopback listeners, no upstream, the local model.
    pub fn defaults(environment: &impl Environment) -> Result<Self, Invalid> {
        Self::validate(
            Raw::default(),
            Source::Defaults,
            Path::new("."),
            Tenants::none(),
            environment,
        )
    }

    fn validate(
        raw: Raw,
        source: Source,
        base: &Path,
        tenants: Tenants,
        environment: &impl Environment,
    ) -> Result<Self, Invalid> {
        let listen = Listen::validate(raw.listen, base, environment)
            .map_err(|invalid| invalid.under("listen"))?;
        if tenants.keyless().is_some() && !listen.calls.ip().is_loopback() {
            return Err(Invalid::new(
                "listen.calls",
                "a public listener needs keys: add a tenant with `skinflint keys new`, or listen on 127.0.0.1",
            ));
        }
        let limits = Limits::validate(&raw.limits).map_err(|invalid| invalid.under("limits"))?;
        let timeouts =
            Timeouts::validate(&raw.timeouts).map_err(|invalid| invalid.under("timeouts"))?;
        let upstreams = upstream::validate(raw.upstream, environment)?;
        let local = Local::validate(raw.local, base).map_err(|invalid| invalid.under("local"))?;
        let models = ModelTable::validate(raw.model, &upstreams, &local)?;
        Ok(Self {
            source,
            listen,
            limits,
            timeouts,
            upstreams,
            models,
            local,
            tenants,
            policies: base.join(DEFAULT_POLICIES),
        })
    }
}

#[cfg(test)]
mod tests;
