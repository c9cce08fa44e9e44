//! The price of a model that runs on one's own machine.

use std::{sync::Arc, time::Duration};

use crate::{
    amount::{MoneyOverflow, NanoUsd},
    price::Price,
};

/// What an hour of a machine's time costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachinePrice {
    /// Per hour in which the machine works on calls.
    pub per_hour: NanoUsd,
}

/// How the calls of a model are paid for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tariff {
    /// By the token.
    Tokens(Arc<Price>),
    /// By the time that the machine works.
    Machine(MachinePrice),
}

const NANOS_PER_HOUR: u128 = 3_600_000_000_000;

impl MachinePrice {
    /// What so much time costs, rounded up to the nano-dollar.
    pub fn charge(&self, busy: Duration) -> Result<NanoUsd, MoneyOverflow> {
        u128::from(self.per_hour.get())
            .checked_mul(busy.as_nanos())
            .and_then(|share| u64::try_from(share.div_ceil(NANOS_PER_HOUR)).ok())
            .map(NanoUsd::new)
            .ok_or(MoneyOverflow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_time_is_rounded_up() {
        let price = MachinePrice {
            per_hour: NanoUsd::parse("0.36").unwrap(),
        };
        for (busy, nano) in [
            (Duration::ZERO, 0),
            (Duration::from_nanos(1), 1),
            (Duration::from_secs(1), 100_000),
            (Duration::from_micros(2_500), 250),
            (Duration::from_hours(1), 360_000_000),
        ] {
            assert_eq!(price.charge(busy), Ok(NanoUsd::new(nano)), "{busy:?}");
        }
        assert_eq!(price.charge(Duration::MAX), Err(MoneyOverflow));
    }
}
