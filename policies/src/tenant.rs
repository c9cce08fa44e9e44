//! One tenant and its file.

mod budget;
mod compress;
mod id;
mod rate_limit;
mod scope;
mod window;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;

pub use self::{
    budget::{Budget, OnExceed},
    compress::{Compress, CompressMode, Prose, ProseMethod},
    id::TenantId,
    rate_limit::RateLimit,
    scope::BudgetScope,
    window::Window,
};
use crate::{
    file::{FileError, Invalid, Source},
    key::{KeyError, KeyHash, KeyId},
    pattern::{self, ModelPattern},
    share::Share,
};

/// One customer of the gateway.
#[derive(Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its name.
    pub id: TenantId,
    /// What becomes of a provider credential that its clients send along.
    pub client_credentials: ClientCredentials,
    /// The models that it may call.
    pub models: AllowedModels,
    /// How fast all its calls together may come.
    pub rate_limit: Option<RateLimit>,
    /// How fast the calls of each of its keys may come.
    pub key_rate_limit: Option<RateLimit>,
    /// The part of its tasks that runs unoptimised, to compare with; at most half.
    pub holdout: Share,
    /// What may be done to its requests to make them smaller.
    pub compress: Compress,
    /// Whether providers' prompt caches are switched on where the client has not done so.
    pub cache_hints: bool,
    /// What it may spend.
    pub budgets: Vec<Budget>,
}

/// Whether a client's own provider key or OAuth token may be passed on to the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientCredentials {
    /// Dropped; only the key configured for the upstream is used.
    #[default]
    Never,
    /// Passed on if the upstream has no key of its own.
    WhenUnset,
    /// Passed on whenever the client sends one.
    Always,
}

/// Which models a tenant may call, by the names that its clients use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedModels {
    /// Every one.
    All,
    /// Those that one of the patterns covers.
    Only(Vec<ModelPattern>),
}

/// A key as its policy file lists it.
#[derive(Debug, Clone)]
pub struct KeyRecord {
    /// Its public part.
    pub id: KeyId,
    /// SHA-256 of the whole key.
    pub hash: KeyHash,
}

/// One tenant file, read and checked.
#[derive(Debug)]
pub struct PolicyFile {
    /// Where it stands.
    pub path: PathBuf,
    /// The tenant it describes.
    pub tenant: Arc<Tenant>,
    /// The keys that authenticate as this tenant.
    pub keys: Vec<KeyRecord>,
    /// Whether callers on this machine that have no key are this tenant.
    pub keyless: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    tenant: RawTenant,
    #[serde(default)]
    budget: Vec<budget::Raw>,
    #[serde(default)]
    compress: compress::Raw,
    #[serde(default)]
    cache: RawCache,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCache {
    hints: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTenant {
    id: String,
    #[serde(default)]
    keys: Vec<RawKey>,
    #[serde(default)]
    keyless: bool,
    #[serde(default)]
    client_credentials: ClientCredentials,
    models: Option<Vec<String>>,
    rate_limit: Option<rate_limit::Raw>,
    key_rate_limit: Option<rate_limit::Raw>,
    #[serde(default)]
    holdout: Share,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    id: String,
    hash: String,
}

/// Reading a prefix again costs a tenth; writing one that is not read again, a quarter more.
const DEFAULT_CACHE_HINTS: bool = true;
/// With more than half left alone there is little to save.
const MAX_HOLDOUT: Share = Share::millionths(500_000);

// === impl Tenant ===

impl Tenant {
    /// Who calls while no tenant is described: everything is allowed, and a client may bring its own provider key.
    pub(crate) fn of_everybody() -> Self {
        Self {
            id: TenantId::of_everybody(),
            client_credentials: ClientCredentials::WhenUnset,
            models: AllowedModels::All,
            rate_limit: None,
            key_rate_limit: None,
            holdout: Share::NONE,
            compress: Compress::default(),
            cache_hints: DEFAULT_CACHE_HINTS,
            budgets: Vec::new(),
        }
    }

    /// Whether it may call the model that a client names so.
    pub fn allows(&self, model: &str) -> bool {
        match &self.models {
            AllowedModels::All => true,
            AllowedModels::Only(patterns) => patterns.iter().any(|known| known.matches(model)),
        }
    }

    fn validate(raw: RawTenant, compress: Compress, budgets: Vec<Budget>) -> Result<Self, Invalid> {
        let id = TenantId::parse(&raw.id).ok_or_else(|| {
            Invalid::new(
                "id",
                "expected 1 to 64 ASCII letters, digits, `-`, `_` or `.`, not starting with `.`",
            )
        })?;
        if raw.holdout > MAX_HOLDOUT {
            return Err(Invalid::new(
                "holdout",
                format!("expected a share of at most {MAX_HOLDOUT}"),
            ));
        }
        let limit = |field: &str, raw: Option<rate_limit::Raw>| {
            raw.map(|raw| RateLimit::validate(&raw).map_err(|invalid| invalid.under(field)))
                .transpose()
        };
        Ok(Self {
            id,
            client_credentials: raw.client_credentials,
            models: AllowedModels::validate(raw.models)?,
            rate_limit: limit("rate_limit", raw.rate_limit)?,
            key_rate_limit: limit("key_rate_limit", raw.key_rate_limit)?,
            holdout: raw.holdout,
            compress,
            cache_hints: DEFAULT_CACHE_HINTS,
            budgets,
        })
    }
}

// === impl AllowedModels ===

impl AllowedModels {
    fn validate(raw: Option<Vec<String>>) -> Result<Self, Invalid> {
        let Some(raw) = raw else {
            return Ok(Self::All);
        };
        if raw.is_empty() {
            return Err(Invalid::new(
                "models",
                "expected at least one model; leave it out to allow them all",
            ));
        }
        raw.iter()
            .enumerate()
            .map(|(index, text)| {
                ModelPattern::parse(text)
                    .ok_or_else(|| Invalid::new(format!("models[{index}]"), pattern::EXPECTED))
            })
            .collect::<Result<_, _>>()
            .map(Self::Only)
    }
}

// === impl PolicyFile ===

impl PolicyFile {
    /// Reads and checks one tenant file.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let source = Source::read(path)?;
        let raw: RawFile = source.parse()?;
        Self::validate(path, raw).map_err(|invalid| source.locate(invalid))
    }

    /// Reads every tenant file of a folder, in the order of their names.
    pub fn load_all(folder: &Path) -> Result<Vec<Self>, FileError> {
        toml_files(folder)?
            .iter()
            .map(|path| Self::load(path))
            .collect()
    }

    fn validate(path: &Path, raw: RawFile) -> Result<Self, Invalid> {
        let under = |invalid: Invalid| invalid.under("tenant");
        let keys = keys(&raw.tenant.keys).map_err(under)?;
        let ids: Vec<KeyId> = keys.iter().map(|key| key.id.clone()).collect();
        let keyless = raw.tenant.keyless;
        let budgets = budget::validate(raw.budget, &ids)?;
        let compress =
            Compress::validate(&raw.compress).map_err(|invalid| invalid.under("compress"))?;
        let tenant = Tenant {
            cache_hints: raw.cache.hints.unwrap_or(DEFAULT_CACHE_HINTS),
            ..Tenant::validate(raw.tenant, compress, budgets).map_err(under)?
        };
        Ok(Self {
            path: path.to_owned(),
            tenant: Arc::new(tenant),
            keys,
            keyless,
        })
    }
}

fn keys(raw: &[RawKey]) -> Result<Vec<KeyRecord>, Invalid> {
    let mut keys = Vec::with_capacity(raw.len());
    for (index, key) in raw.iter().enumerate() {
        let wrong = |field: &str, error: KeyError| {
            Invalid::new(format!("keys[{index}].{field}"), error.to_string())
        };
        keys.push(KeyRecord {
            id: KeyId::parse(&key.id).map_err(|error| wrong("id", error))?,
            hash: KeyHash::parse(&key.hash).map_err(|error| wrong("hash", error))?,
        });
    }
    Ok(keys)
}

/// The folder's `*.toml` files by name, so that errors do not depend on the order of the directory.
fn toml_files(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let unreadable = |source| FileError::Unreadable {
        path: folder.to_owned(),
        source,
    };
    // In a checkout of Skinflint itself this folder is a crate too.
    let is_crate = folder.join("Cargo.toml").is_file();
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_of_crate = is_crate
            && path
                .file_name()
                .is_some_and(|name| name == "Cargo.toml" || name == "prices.toml");
        let is_toml = path
            .extension()
            .is_some_and(|extension| extension == "toml");
        if is_toml && !is_of_crate {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests;
