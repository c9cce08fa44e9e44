//! The price table and how names are looked up in it.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use skinflint_money::Price;

use crate::{
    file::Invalid,
    prices::{
        PriceSource,
        name::{canonical_provider, lowercase, undated},
        raw::Raw,
        settings::RawSettings,
    },
};

/// The prices of models by provider: those that are shipped and those that the operator wrote.
#[derive(Debug, Clone)]
pub struct PriceTable {
    version: String,
    entries: Vec<Entry>,
    /// Entries by model name and alias, in lower case.
    by_name: HashMap<String, Vec<usize>>,
    /// The providers that the shipped table has entries of; a handful.
    shipped_providers: Vec<String>,
}

#[derive(Debug, Clone)]
struct Entry {
    /// None for an override that holds at any provider.
    provider: Option<String>,
    price: Arc<Price>,
    source: PriceSource,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTable {
    version: String,
    price: Vec<Raw>,
}

/// Parsed once; the text is compiled in, so that a test tells before any user does when it is wrong.
static SHIPPED: LazyLock<Result<PriceTable, String>> =
    LazyLock::new(|| PriceTable::parse(include_str!("../../prices.toml")));

/// Digits of the hash that stands for what is configured.
const HASH_DIGITS: usize = 8;
/// Prefix of the names of fine-tuned models.
const FINE_TUNED: &str = "ft:";

impl PriceTable {
    /// The table that comes with the gateway.
    pub fn shipped() -> Result<&'static Self, Invalid> {
        SHIPPED
            .as_ref()
            .map_err(|message| Invalid::new("", format!("the shipped price table: {message}")))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let raw: RawTable = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut table = Self {
            version: raw.version,
            entries: Vec::with_capacity(raw.price.len()),
            by_name: HashMap::new(),
            shipped_providers: Vec::new(),
        };
        for entry in &raw.price {
            table.insert(entry, PriceSource::Table, None).map_err(
                |Invalid { field, message }| {
                    let model = entry.model.as_deref().unwrap_or_default();
                    format!("`{model}`: `{field}`: {message}")
                },
            )?;
        }
        let mut providers: Vec<String> = table
            .entries
            .iter()
            .filter_map(|entry| entry.provider.clone())
            .collect();
        providers.sort_unstable();
        providers.dedup();
        table.shipped_providers = providers;
        Ok(table)
    }

    pub(super) fn with_overrides(
        overrides: &[Raw],
        stamp: Option<String>,
    ) -> Result<Self, Invalid> {
        let shipped = Self::shipped()?;
        let mut table = shipped.clone();
        for (index, raw) in overrides.iter().enumerate() {
            table
                .insert(raw, PriceSource::Override, Some(shipped))
                .map_err(|invalid| invalid.under(format_args!("price[{index}]")))?;
        }
        if let Some(stamp) = stamp {
            table.version = format!("{}+{stamp}", shipped.version);
        }
        Ok(table)
    }

    fn insert(
        &mut self,
        raw: &Raw,
        source: PriceSource,
        shipped: Option<&Self>,
    ) -> Result<(), Invalid> {
        let model = named("model", raw.model.as_deref().unwrap_or_default())?;
        let provider = match &raw.provider {
            Some(provider) => Some(canonical_provider(named("provider", provider)?).into_owned()),
            None => None,
        };
        let name = match &provider {
            Some(provider) => format!("{provider}/{model}"),
            None => model.to_owned(),
        };
        // The shipped table knows which models stream all that they think; an override that does not say may not.
        let hides_reasoning = source == PriceSource::Override;
        let price = Arc::new(raw.price(name, hides_reasoning, shipped)?);
        let entry = self.entries.len();
        self.index(
            "model".to_owned(),
            model,
            provider.as_deref(),
            source,
            entry,
        )?;
        for (index, alias) in raw.aliases.iter().enumerate() {
            let field = format!("aliases[{index}]");
            let alias = named(&field, alias)?;
            self.index(field, alias, provider.as_deref(), source, entry)?;
        }
        self.entries.push(Entry {
            provider,
            price,
            source,
        });
        Ok(())
    }

    fn index(
        &mut self,
        field: String,
        name: &str,
        provider: Option<&str>,
        source: PriceSource,
        entry: usize,
    ) -> Result<(), Invalid> {
        let namesakes = self
            .by_name
            .entry(lowercase(name).into_owned())
            .or_default();
        // Entries are pushed after their names, so that an index past the end is of the entry itself.
        let taken = namesakes.iter().any(|other| {
            self.entries
                .get(*other)
                .is_none_or(|other| other.source == source && other.provider.as_deref() == provider)
        });
        if taken {
            return Err(Invalid::new(field, format!("`{name}` already has a price")));
        }
        namesakes.push(entry);
        Ok(())
    }

    /// The version of the shipped table and, if anything is configured, `+` and a hash of that.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How many prices there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no price.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Every price, with its provider unless it holds at any.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&str>, &Arc<Price>)> {
        self.entries
            .iter()
            .map(|entry| (entry.provider.as_deref(), &entry.price))
    }

    /// The price of a model; `None` if it is not known.
    ///
    /// `provider` is a provider of the table, by any of its usual names, or the name of an upstream. Letter case does
    /// not matter. The first of these forms of the name that has a price counts:
    ///
    /// 1. the name as it is, as a model or an alias;
    /// 2. without a date at its end: `-2025-08-07`, `-20250929` or `@20250929`;
    /// 3. without a provider in front, `openai/gpt-5` or `models/gemini-2.5-pro`, which then is the provider and must not
    ///    contradict `provider`;
    /// 4. without both.
    ///
    /// No other part of a name is ever left out: `gpt-4o-foo` is not `gpt-4o`. Of a fine-tuned model (`ft:…`) only the
    /// whole name counts, as its price is not that of its base.
    ///
    /// Where several entries have the name, overrides of this provider go before those of no provider, and these before
    /// the shipped table. Of that only the entries of `provider` count, if it has any at all; else, as also without a
    /// `provider`, the dearest entry of the name does, since it is not known who will bill.
    pub fn find(&self, provider: Option<&str>, model: &str) -> Option<&Arc<Price>> {
        self.find_with_source(provider, model)
            .map(|(price, _)| price)
    }

    pub(super) fn find_with_source(
        &self,
        provider: Option<&str>,
        model: &str,
    ) -> Option<(&Arc<Price>, PriceSource)> {
        let model = lowercase(model);
        let provider = provider.map(canonical_provider);
        let provider = provider.as_deref();
        let found = self.find_dated(provider, &model).or_else(|| {
            let (prefix, rest) = model.split_once('/')?;
            let prefix = canonical_provider(prefix);
            let contradicts = provider
                .is_some_and(|provider| provider != prefix.as_ref() && self.ships(provider));
            if contradicts || !self.knows(&prefix) {
                return None;
            }
            self.find_dated(Some(&prefix), rest)
        })?;
        Some((&found.price, found.source))
    }

    /// Forms 1 and 2.
    fn find_dated(&self, provider: Option<&str>, model: &str) -> Option<&Entry> {
        self.find_exact(provider, model).or_else(|| {
            let base = undated(model).filter(|_| !model.starts_with(FINE_TUNED))?;
            self.find_exact(provider, base)
        })
    }

    fn find_exact(&self, provider: Option<&str>, model: &str) -> Option<&Entry> {
        let namesakes = self.by_name.get(model)?;
        let bound = provider.filter(|provider| self.ships(provider));
        namesakes
            .iter()
            .filter_map(|entry| self.entries.get(*entry))
            .filter_map(|entry| Some((rank(entry, provider, bound)?, entry)))
            .min_by_key(|(rank, entry)| (*rank, std::cmp::Reverse(dearness(&entry.price))))
            .map(|(_, entry)| entry)
    }

    /// Whether the shipped table has entries of a provider.
    fn ships(&self, provider: &str) -> bool {
        self.shipped_providers.iter().any(|known| known == provider)
    }

    fn knows(&self, provider: &str) -> bool {
        self.ships(provider)
            || self
                .entries
                .iter()
                .any(|entry| entry.provider.as_deref() == Some(provider))
    }
}

/// How well an entry of the right name fits a provider, the best first; none if it does not. `bound` is the provider if
/// the shipped table has entries of it.
fn rank(entry: &Entry, provider: Option<&str>, bound: Option<&str>) -> Option<u8> {
    match (entry.source, entry.provider.as_deref()) {
        (PriceSource::Override, None) => Some(1),
        (PriceSource::Override, own) if own == provider => Some(0),
        (PriceSource::Override, _) => provider.is_none().then_some(2),
        (_, own) => (bound.is_none() || own == bound).then_some(3),
    }
}

fn dearness(price: &Price) -> u128 {
    let rates = price.rates(0, skinflint_money::ServiceTier::Standard);
    u128::from(rates.fresh_input.get()) + u128::from(rates.output.get())
}

fn named<'a>(field: &str, name: &'a str) -> Result<&'a str, Invalid> {
    if name.is_empty() || name.trim() != name || name.contains('*') {
        return Err(Invalid::new(
            field,
            "expected one whole name, without `*` and without spaces around it",
        ));
    }
    Ok(name)
}

/// A short hash of what is configured; none if nothing is.
pub(super) fn stamp(overrides: &[Raw], settings: &RawSettings) -> Result<Option<String>, Invalid> {
    #[derive(Serialize)]
    struct Configured<'a> {
        prices: &'a RawSettings,
        price: &'a [Raw],
    }

    if overrides.is_empty() && settings.is_empty() {
        return Ok(None);
    }
    let text = toml::to_string(&Configured {
        prices: settings,
        price: overrides,
    })
    .map_err(|error| Invalid::new("price", error.to_string()))?;
    let hash: String = Sha256::digest(text)
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .take(HASH_DIGITS)
        .collect();
    Ok(Some(hash))
}
