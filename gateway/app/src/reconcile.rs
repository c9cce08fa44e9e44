//! The ledger held against what a provider says it billed.
//!
//! Both are added up by day (UTC) and model. The ledger counts a call on the day on which it was settled, so that a call around midnight may
//! stand on the other day than in the export. Models are matched by their names, and what is left over then without regard to dates of
//! snapshots and the order of words, so that `Claude Sonnet 4.5` is `claude-sonnet-4-5-20250929`.

mod comparison;
mod export;
mod figures;
mod layout;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{civil::Date, tz::TimeZone};
use skinflint_ledger::{BilledDay, LedgerError, Reader};
use skinflint_policies::Upstream;

pub(crate) use self::{
    comparison::{Line, Reconciliation},
    export::{Export, ExportError},
    figures::{Compared, Measure},
};

/// The upstreams of the configuration, each with the provider that bills it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Providers(BTreeMap<String, String>);

/// Why nothing was compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReconcileError {
    /// The export cannot be read.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// No upstream of this name.
    #[error("no upstream `{name}` is configured; there are: {known}")]
    UnknownUpstream {
        /// The name.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// Nobody is known to be billed by the export's provider.
    #[error(
        "no upstream's provider is `{provider}`; say with `upstream` which one the export is of"
    )]
    NoUpstream {
        /// The provider.
        provider: &'static str,
    },
    /// The ledger does not answer.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Holds the ledger against an export in CSV, over the days that the export is about.
///
/// Of the ledger, the calls of one upstream count, or without its name those of all upstreams of the export's provider.
pub(crate) async fn reconcile(
    reader: &Reader,
    csv: &[u8],
    upstream: Option<&str>,
    providers: &Providers,
) -> Result<Reconciliation, ReconcileError> {
    let export = Export::read(csv)?;
    let upstreams = providers.billed_by(export.provider, upstream)?;
    let days = reader
        .billed(midnight_ms(export.first), midnight_ms(export.last))
        .await?;
    let days: Vec<BilledDay> = days
        .into_iter()
        .filter(|day| upstreams.contains(&day.upstream))
        .collect();
    Ok(Reconciliation::of(&export, &days, upstreams))
}

fn midnight_ms(day: Date) -> i64 {
    day.to_zoned(TimeZone::UTC)
        .map_or(0, |midnight| midnight.timestamp().as_millisecond())
}

// === impl Providers ===

impl Providers {
    /// Those of a configuration.
    pub(crate) fn of(upstreams: &[Upstream]) -> Self {
        upstreams
            .iter()
            .map(|upstream| (upstream.name.clone(), upstream.provider.clone()))
            .collect()
    }

    /// The provider of an upstream.
    pub(crate) fn get(&self, upstream: &str) -> Option<&str> {
        self.0.get(upstream).map(String::as_str)
    }

    fn billed_by(
        &self,
        provider: Option<&'static str>,
        upstream: Option<&str>,
    ) -> Result<BTreeSet<String>, ReconcileError> {
        if let Some(name) = upstream {
            if self.0.contains_key(name) {
                return Ok(BTreeSet::from([name.to_owned()]));
            }
            return Err(ReconcileError::UnknownUpstream {
                name: name.to_owned(),
                known: self.0.keys().cloned().collect::<Vec<_>>().join(", "),
            });
        }
        let billed: BTreeSet<String> = self
            .0
            .iter()
            .filter(|(_, other)| provider.is_none_or(|provider| provider == *other))
            .map(|(upstream, _)| upstream.clone())
            .collect();
        match provider {
            Some(provider) if billed.is_empty() => Err(ReconcileError::NoUpstream { provider }),
            _ => Ok(billed),
        }
    }
}

impl FromIterator<(String, String)> for Providers {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(upstreams: I) -> Self {
        Self(upstreams.into_iter().collect())
    }
}

#[cfg(test)]
mod tests;
