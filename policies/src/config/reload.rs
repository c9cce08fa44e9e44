//! What may change while the gateway runs: read again, and checked against what may not.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use super::{Raw, Source};
use crate::{
    file::{self, FileError, Invalid},
    prices::{self, Prices},
    tenant::{OnExceed, PolicyFile},
    tenants::Tenants,
};

/// What may change while the gateway runs. A call sees one of these from its beginning to its end.
#[derive(Debug)]
pub struct Policies {
    /// Who may call, and what they may spend.
    pub tenants: Tenants,
    /// What models cost.
    pub prices: Prices,
    /// Counts up with each reload.
    pub generation: u64,
}

/// What a reload found.
#[derive(Debug)]
pub struct Reload {
    /// What holds from now on.
    pub policies: Policies,
    /// The top-level keys of the configuration that differ from those the gateway started with: they need a restart.
    pub needs_restart: Vec<String>,
}

/// The files that policies come from, and what the running gateway has that they must fit.
#[derive(Debug)]
pub struct PolicySource {
    config: Source,
    folder: PathBuf,
    /// Whether the configuration names the folder, which then has to exist.
    named: bool,
    surroundings: Surroundings,
    /// The configuration that the gateway started with.
    started: toml::Table,
}

/// What tenant files are checked against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings {
    /// Where calls arrive.
    pub(super) calls: SocketAddr,
    /// Whether a local model could answer.
    pub(super) local: bool,
    /// Whether there is a ledger.
    pub(super) ledger: bool,
}

/// Top-level keys of the configuration that a reload puts into effect.
const RELOADED: [&str; 2] = ["price", "prices"];

// === impl PolicySource ===

impl PolicySource {
    pub(super) fn new(
        config: Source,
        folder: PathBuf,
        named: bool,
        surroundings: Surroundings,
    ) -> Self {
        Self {
            config,
            folder,
            named,
            surroundings,
            started: toml::Table::new(),
        }
    }

    /// Remembers the configuration that the gateway starts with.
    pub(super) fn started_with(self, started: toml::Table) -> Self {
        Self { started, ..self }
    }

    /// The folder of tenant files; it need not exist.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files and folders in which a change may matter.
    pub fn watched(&self) -> impl Iterator<Item = &Path> {
        let config = match &self.config {
            Source::Defaults => None,
            Source::File(path) => Some([path.as_path(), self.folder()]),
        };
        config.into_iter().flatten()
    }

    /// Reads tenants and prices again. On an error the last policies hold on: nothing has changed.
    ///
    /// Changes elsewhere in the configuration are reported and not put into effect.
    pub fn reload(&self, last: &Policies) -> Result<Reload, FileError> {
        let (prices, needs_restart) = match &self.config {
            Source::Defaults => (last.prices.clone(), Vec::new()),
            Source::File(path) => {
                let source = file::Source::read(path)?;
                let Raw { price, prices, .. } = source.parse()?;
                let prices =
                    prices::validate(&price, prices).map_err(|invalid| source.locate(invalid))?;
                (prices, self.changed(&source.parse()?))
            }
        };
        let tenants = self.tenants()?;
        if last.tenants.are_described() && !tenants.are_described() {
            // A folder that is empty for a moment must not open the door to everybody.
            return Err(FileError::NoTenants {
                folder: self.folder.clone(),
            });
        }
        Ok(Reload {
            policies: Policies {
                tenants,
                prices,
                generation: last.generation.saturating_add(1),
            },
            needs_restart,
        })
    }

    /// Reads the tenant files and checks them against one another and against their surroundings.
    pub(super) fn tenants(&self) -> Result<Tenants, FileError> {
        let Source::File(config) = &self.config else {
            return Ok(Tenants::none());
        };
        let files = if self.named || self.folder.is_dir() {
            PolicyFile::load_all(&self.folder)?
        } else {
            Vec::new()
        };
        let tenants = Tenants::of(&files)?;
        if files.is_empty() && self.surroundings.are_public() {
            return Err(file::fault(
                config,
                Invalid::new(
                    "listen.calls",
                    "a public listener needs keys: add a tenant with `skinflint keys new`, or listen on 127.0.0.1",
                ),
            ));
        }
        for file in &files {
            self.surroundings
                .suit(file)
                .map_err(|invalid| file::fault(&file.path, invalid))?;
            self.surroundings
                .keep_books_for(file)
                .map_err(|invalid| file::fault(config, invalid))?;
        }
        Ok(tenants)
    }

    fn changed(&self, now: &toml::Table) -> Vec<String> {
        let mut changed: Vec<String> = self
            .started
            .keys()
            .chain(now.keys())
            .filter(|key| !RELOADED.contains(&key.as_str()))
            .filter(|key| self.started.get(*key) != now.get(*key))
            .cloned()
            .collect();
        changed.sort();
        changed.dedup();
        changed
    }
}

// === impl Surroundings ===

impl Surroundings {
    fn are_public(&self) -> bool {
        !self.calls.ip().is_loopback()
    }

    /// Whether a tenant file asks for something that this gateway does not have; names a field of the tenant file.
    fn suit(&self, file: &PolicyFile) -> Result<(), Invalid> {
        if file.keyless && self.are_public() {
            let message = format!(
                "callers without a key must be on this machine, and `listen.calls` is the public {}",
                self.calls
            );
            return Err(Invalid::new("tenant.keyless", message));
        }
        let downgrades = file
            .tenant
            .budgets
            .iter()
            .position(|budget| budget.on_exceed == OnExceed::Downgrade);
        match downgrades {
            Some(index) if !self.local => Err(Invalid::new(
                format!("budget[{index}].on_exceed"),
                "there is no local model to answer instead: it is switched off by `local.enabled`",
            )),
            _ => Ok(()),
        }
    }

    /// Whether a budget that holds calls back is written down anywhere; names a field of the configuration.
    fn keep_books_for(&self, file: &PolicyFile) -> Result<(), Invalid> {
        let hard = file.tenant.budgets.iter().find(|budget| budget.is_hard());
        match hard {
            Some(budget) if !self.ledger => Err(Invalid::new(
                "ledger.store",
                format!(
                    "the budget `{}` of tenant `{}` holds calls back, for which there must be a ledger",
                    budget.name, file.tenant.id
                ),
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
