//! What models cost: the shipped table, what the operator overrides in it, and what holds for the rest.

mod name;
mod raw;
mod settings;
mod table;

use std::sync::Arc;

use skinflint_money::{Price, Tariff};

pub use self::{name::provider_of_host, table::PriceTable};
pub(crate) use self::{raw::Raw, settings::RawSettings};
use crate::file::Invalid;

/// Every price that the gateway knows.
#[derive(Debug, Clone)]
pub struct Prices {
    /// The shipped prices and the overrides.
    pub table: PriceTable,
    /// What happens to a call for a model without a price.
    pub unknown: UnknownPrice,
    /// What the model in this process costs.
    pub local: Tariff,
}

/// What happens to a call for a model without a price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnknownPrice {
    /// It is refused.
    Refuse,
    /// It is billed at this price, which is meant to be above any.
    Worst(Arc<Price>),
}

/// Where a price comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PriceSource {
    /// The shipped table.
    Table,
    /// A `[[price]]` of the configuration.
    Override,
    /// The configured price of models without one.
    Worst,
}

// === impl PriceSource ===

impl PriceSource {
    /// The source's name, for ledgers and receipts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Override => "override",
            Self::Worst => "worst",
        }
    }
}

// === impl Prices ===

impl Prices {
    /// The price of a model; `None` if it is unknown and such calls are refused. For `provider` and the rules by which
    /// names match, see [`PriceTable::find`].
    pub fn find(&self, provider: Option<&str>, model: &str) -> Option<(Arc<Price>, PriceSource)> {
        if let Some((price, source)) = self.table.find_with_source(provider, model) {
            return Some((Arc::clone(price), source));
        }
        match &self.unknown {
            UnknownPrice::Refuse => None,
            UnknownPrice::Worst(price) => Some((Arc::clone(price), PriceSource::Worst)),
        }
    }

    /// Stamped on every row of the ledger: the shipped table's version and, if anything is configured, a hash of that.
    pub fn version(&self) -> &str {
        self.table.version()
    }
}

/// Checks the `[[price]]` tables and the `[prices]` table of a configuration.
pub(crate) fn validate(overrides: &[Raw], settings: RawSettings) -> Result<Prices, Invalid> {
    let stamp = table::stamp(overrides, &settings)?;
    let table = PriceTable::with_overrides(overrides, stamp)?;
    let (unknown, local) = settings
        .validate()
        .map_err(|invalid| invalid.under("prices"))?;
    Ok(Prices {
        table,
        unknown,
        local,
    })
}

#[cfg(test)]
mod tests;
