//! The `[prices]` table: models without a price, and the model in this process.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, de};
use skinflint_money::{ListedRates, MachinePrice, NanoUsd, PicoUsd, Price, RateCard, Tariff};

use crate::{
    file::Invalid,
    prices::{
        UnknownPrice,
        raw::{self, RateRules, Raw},
    },
};

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSettings {
    unknown: Option<RawUnknown>,
    local: Option<RawLocal>,
}

/// `"refuse"`, or a table with the fields of a `[[price]]`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum RawUnknown {
    Word(String),
    Worst(Box<Raw>),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLocal {
    usd_per_hour: Option<NanoUsd>,
    input: Option<PicoUsd>,
    output: Option<PicoUsd>,
    #[serde(default)]
    free: bool,
}

/// What an hour of the local model's work costs unless configured: about the price of four cores and 16 GB rented on
/// demand, which is what a small model runs well on. It is never taken for free: the electricity is not either, and a
/// price of zero would let every comparison with a provider come out the same way.
const LOCAL_USD_PER_HOUR: NanoUsd = NanoUsd::new(200_000_000);
/// More than any one machine costs.
const MOST_USD_PER_HOUR: NanoUsd = NanoUsd::new(1_000 * 1_000_000_000);
/// The name of the price of models without one.
const WORST: &str = "unknown";
/// The name of the local model's price.
const LOCAL: &str = "local";

// === impl RawSettings ===

impl RawSettings {
    /// Whether nothing is configured.
    pub(super) const fn is_empty(&self) -> bool {
        self.unknown.is_none() && self.local.is_none()
    }

    pub(super) fn validate(self) -> Result<(UnknownPrice, Tariff), Invalid> {
        let unknown = match self.unknown {
            None => UnknownPrice::Refuse,
            Some(unknown) => unknown
                .validate()
                .map_err(|invalid| invalid.under("unknown"))?,
        };
        let local = match self.local {
            None => Tariff::Machine(MachinePrice {
                per_hour: LOCAL_USD_PER_HOUR,
            }),
            Some(local) => local.validate().map_err(|invalid| invalid.under("local"))?,
        };
        Ok((unknown, local))
    }
}

// === impl RawUnknown ===

impl RawUnknown {
    fn validate(self) -> Result<UnknownPrice, Invalid> {
        match self {
            Self::Word(word) if word == "refuse" => Ok(UnknownPrice::Refuse),
            Self::Word(_) => Err(Invalid::new(
                "",
                "expected \"refuse\" or a table with the price of the dearest model",
            )),
            Self::Worst(raw) => {
                let named = [
                    ("model", raw.model.is_some()),
                    ("provider", raw.provider.is_some()),
                    ("aliases", !raw.aliases.is_empty()),
                    ("like", raw.like.is_some()),
                ];
                if let Some((field, _)) = named.iter().find(|(_, given)| *given) {
                    let message = "expected no name: this is the price of every model without one";
                    return Err(Invalid::new(*field, message));
                }
                // A model of which nothing is known may well think in secret.
                let price = raw.price(WORST.to_owned(), true, None)?;
                Ok(UnknownPrice::Worst(Arc::new(price)))
            }
        }
    }
}

impl<'de> Deserialize<'de> for RawUnknown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrTable;

        impl<'de> de::Visitor<'de> for WordOrTable {
            type Value = RawUnknown;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"refuse\" or a table with a price")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<RawUnknown, E> {
                Ok(RawUnknown::Word(word.to_owned()))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<RawUnknown, A::Error> {
                let raw = Raw::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(RawUnknown::Worst(Box::new(raw)))
            }
        }

        deserializer.deserialize_any(WordOrTable)
    }
}

// === impl RawLocal ===

impl RawLocal {
    fn validate(self) -> Result<Tariff, Invalid> {
        match (self.usd_per_hour, self.input, self.output) {
            (Some(per_hour), None, None) => {
                if per_hour == NanoUsd::ZERO && !self.free {
                    return Err(raw::zero("usd_per_hour"));
                }
                if per_hour > MOST_USD_PER_HOUR {
                    let message = format!("expected at most {MOST_USD_PER_HOUR} dollars per hour");
                    return Err(Invalid::new("usd_per_hour", message));
                }
                Ok(Tariff::Machine(MachinePrice { per_hour }))
            }
            (Some(_), _, _) => Err(Invalid::new(
                "usd_per_hour",
                "expected either a price per hour or prices per million tokens",
            )),
            (None, None, None) => Err(Invalid::new(
                "",
                "expected `usd_per_hour`, or `input` and `output` per million tokens",
            )),
            (None, input, output) => {
                let rules = RateRules {
                    free: self.free,
                    embedding: false,
                };
                let rate = |field, rate| {
                    raw::required(field, rate)
                        .and_then(|rate| raw::checked_rate(field, rate, rules))
                };
                let listed = ListedRates::new(rate("input", input)?, rate("output", output)?);
                let price = Price::new(LOCAL, &RateCard::new(listed), &[]);
                Ok(Tariff::Tokens(Arc::new(price)))
            }
        }
    }
}
