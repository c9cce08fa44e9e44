//! What is compared: tokens by kind, and money.

use serde::{Serialize, Serializer, ser::SerializeMap};
use skinflint_ledger::Sums;
use skinflint_money::NanoUsdDelta;

/// Something that both sides count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Tokens of the whole prompt, cached or not.
    Input,
    /// Of these: read from the provider's cache.
    CacheRead,
    /// Of these: written to the provider's cache for any time, where the export does not say for how long.
    CacheWrite,
    /// Of these: written for the short term.
    CacheWrite5m,
    /// Of these: written for the long term.
    CacheWrite1h,
    /// Tokens generated.
    Output,
    /// Nano-dollars.
    Cost,
}

/// A number for each [`Measure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Figures([i64; Measure::ALL.len()]);

/// The two sides of a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Compared {
    /// Of what.
    pub measure: Measure,
    /// By our own books; tokens or nano-dollars.
    pub ledger: i64,
    /// By the provider's.
    pub export: i64,
}

// === impl Measure ===

impl Measure {
    /// In the order of a table.
    pub(crate) const ALL: [Self; 7] = [
        Self::Input,
        Self::CacheRead,
        Self::CacheWrite,
        Self::CacheWrite5m,
        Self::CacheWrite1h,
        Self::Output,
        Self::Cost,
    ];

    /// Its name in JSON.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Input => "input_tokens",
            Self::CacheRead => "cached_input_tokens",
            Self::CacheWrite => "cache_write_tokens",
            Self::CacheWrite5m => "cache_write_5m_tokens",
            Self::CacheWrite1h => "cache_write_1h_tokens",
            Self::Output => "output_tokens",
            Self::Cost => "cost_usd",
        }
    }
}

// === impl Figures ===

impl Figures {
    /// What the ledger says.
    pub(super) fn of(sums: &Sums) -> Self {
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let mut figures = Self::default();
        for (measure, number) in [
            (Measure::Input, sums.input()),
            (Measure::CacheRead, sums.cache_read),
            (
                Measure::CacheWrite,
                sums.cache_write_5m.saturating_add(sums.cache_write_1h),
            ),
            (Measure::CacheWrite5m, sums.cache_write_5m),
            (Measure::CacheWrite1h, sums.cache_write_1h),
            (Measure::Output, sums.output),
            (Measure::Cost, sums.cost.get()),
        ] {
            figures.add(measure, count(number));
        }
        figures
    }

    pub(super) fn get(&self, measure: Measure) -> i64 {
        self.0[measure as usize]
    }

    /// Adds to one of them. No bill comes near the end of an `i64`: it is nine billion dollars.
    pub(super) fn add(&mut self, measure: Measure, number: i64) {
        let slot = &mut self.0[measure as usize];
        *slot = slot.saturating_add(number);
    }

    pub(super) fn add_all(&mut self, other: &Self) {
        for measure in Measure::ALL {
            self.add(measure, other.get(measure));
        }
    }
}

// === impl Compared ===

impl Compared {
    /// The ledger less the export.
    pub(crate) fn difference(&self) -> i64 {
        self.ledger.saturating_sub(self.export)
    }

    /// The difference in hundredths of a percent of the export, rounded to the nearest; none where the export has nothing.
    pub(crate) fn drift(&self) -> Option<i64> {
        let export = i128::from(self.export).abs();
        if export == 0 {
            return (self.difference() == 0).then_some(0);
        }
        let scaled = i128::from(self.difference()) * 10_000;
        let half = if scaled < 0 {
            -(export / 2)
        } else {
            export / 2
        };
        i64::try_from((scaled + half) / export).ok()
    }

    /// The drift as text, such as `-0.25`, in percent.
    pub(crate) fn drift_percent(&self) -> Option<String> {
        self.drift().map(|drift| {
            let sign = if drift < 0 { "-" } else { "" };
            let drift = drift.unsigned_abs();
            format!("{sign}{}.{:02}", drift / 100, drift % 100)
        })
    }
}

impl Serialize for Compared {
    /// Tokens as numbers, money as text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        for (key, number) in [
            ("ledger", self.ledger),
            ("export", self.export),
            ("difference", self.difference()),
        ] {
            match self.measure {
                Measure::Cost => map.serialize_entry(key, &NanoUsdDelta::new(number))?,
                _ => map.serialize_entry(key, &number)?,
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_is_rounded_to_hundredths_of_a_percent() {
        let drift = |ledger, export| {
            let measure = Measure::Cost;
            Compared {
                measure,
                ledger,
                export,
            }
            .drift_percent()
        };
        assert_eq!(drift(1_000, 1_000).as_deref(), Some("0.00"));
        assert_eq!(drift(1_005, 1_000).as_deref(), Some("0.50"));
        assert_eq!(drift(2, 3).as_deref(), Some("-33.33"));
        assert_eq!(drift(1, 3).as_deref(), Some("-66.67"));
        assert_eq!(drift(0, 0).as_deref(), Some("0.00"));
        assert_eq!(drift(5, 0), None);
        assert_eq!(drift(i64::MAX, 1), None);
    }
}
