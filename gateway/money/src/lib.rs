//! What usage costs, in integers; see [`Price`] and [`NanoUsd`].
#![doc = include_str!("../README.md")]

mod amount;
mod bound;
mod charge;
mod machine;
mod price;
mod rates;
mod tier;

pub use skinflint_protocol::Usage;

pub use amount::{MoneyOverflow, NanoUsd, NanoUsdDelta, NotMoney, PicoUsd};
pub use bound::{CacheWrites, Extent};
pub use charge::Charge;
pub use machine::{MachinePrice, Tariff};
pub use price::Price;
pub use rates::{ListedRates, RateCard, Rates};
pub use tier::ServiceTier;
