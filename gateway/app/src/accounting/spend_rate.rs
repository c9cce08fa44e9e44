//! Spending that is unlike what it was before: each tenant and class of task against its own past.
//!
//! The past is summed up by its median and its median absolute deviation, which a few wild slots do not move; a slot is
//! out of the ordinary by the modified z-score (Iglewicz and Hoaglin, *How to Detect and Handle Outliers*, 1993).

use std::{collections::VecDeque, sync::Arc};

use moka::sync::Cache;
use parking_lot::Mutex;
use skinflint_money::NanoUsd;
use skinflint_policies::{Share, TenantId};

use crate::attribution::Label;

/// Whose spending it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Stream {
    /// The tenant.
    pub tenant: TenantId,
    /// One class of its calls; none is all of them.
    pub class: Option<Label>,
}

/// What counts as out of the ordinary.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sensitivity {
    /// Standard deviations above the median, estimated from the median absolute deviation.
    pub factor: Share,
    /// Less than this in a slot is never worth an alert.
    pub least: NanoUsd,
}

/// A slot whose spending is out of the ordinary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Anomaly {
    /// The slot's number since 1970.
    pub slot: i64,
    /// Spent in it so far.
    pub spent: NanoUsd,
    /// The median of the slots before.
    pub usual: NanoUsd,
}

/// The past of every stream; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct SpendRates {
    sensitivity: Sensitivity,
    streams: Cache<Stream, Arc<Mutex<Past>>>,
}

#[derive(Debug, Default)]
struct Past {
    /// Complete slots, oldest first.
    slots: VecDeque<NanoUsd>,
    current: Option<(i64, NanoUsd)>,
    /// What the current slot is held against, once its past is long enough.
    bar: Option<Bar>,
    told: bool,
}

#[derive(Debug, Clone, Copy)]
struct Bar {
    usual: NanoUsd,
    above: NanoUsd,
}

/// Length of a slot in milliseconds: long enough to hold a few calls, short enough to tell in time.
const SLOT_MS: i64 = 5 * 60 * 1000;
/// A day of slots.
const KEPT: usize = 288;
/// An hour of slots: less is no past to compare with.
const LEAST_PAST: usize = 12;
/// Scales a median absolute deviation to a standard deviation, in ten-thousandths (1/Φ⁻¹(¾)).
const MAD_SCALE: u128 = 14_826;
/// Where everything before was alike the deviation is nothing; then a slot stands out at so many times the median.
const STEADY_FACTOR: u64 = 3;
const MAX_STREAMS: u64 = 10_000;

// === impl SpendRates ===

impl SpendRates {
    /// Knows no past.
    pub(crate) fn new(sensitivity: Sensitivity) -> Self {
        Self {
            sensitivity,
            streams: Cache::new(MAX_STREAMS),
        }
    }

    /// Takes in what a call cost; tells of a slot once, when it leaves the ordinary.
    pub(crate) fn spent(&self, stream: &Stream, now_ms: i64, cost: NanoUsd) -> Option<Anomaly> {
        let past = self
            .streams
            .get_with_by_ref(stream, || Arc::new(Mutex::default()));
        past.lock()
            .add(now_ms.div_euclid(SLOT_MS), cost, self.sensitivity)
    }
}

// === impl Past ===

impl Past {
    fn add(&mut self, slot: i64, cost: NanoUsd, sensitivity: Sensitivity) -> Option<Anomaly> {
        // A clock that was put back goes on in the slot that it had reached.
        let slot = self.current.map_or(slot, |(current, _)| slot.max(current));
        let before = match self.current {
            Some((current, spent)) if current == slot => spent,
            current => {
                self.turn(current, slot, sensitivity);
                NanoUsd::ZERO
            }
        };
        let spent = before.saturating_add(cost);
        self.current = Some((slot, spent));
        let bar = self.bar.filter(|bar| !self.told && spent > bar.above)?;
        self.told = true;
        Some(Anomaly {
            slot,
            spent,
            usual: bar.usual,
        })
    }

    /// Begins a new slot: those between had no calls.
    fn turn(&mut self, ended: Option<(i64, NanoUsd)>, slot: i64, sensitivity: Sensitivity) {
        if let Some((ended, spent)) = ended {
            self.slots.push_back(spent);
            let empty = usize::try_from(slot - ended - 1).unwrap_or(KEPT).min(KEPT);
            self.slots.extend(std::iter::repeat_n(NanoUsd::ZERO, empty));
            let excess = self.slots.len().saturating_sub(KEPT);
            self.slots.drain(..excess);
        }
        self.told = false;
        self.bar = (self.slots.len() >= LEAST_PAST).then(|| Bar::of(&self.slots, sensitivity));
    }
}

// === impl Bar ===

impl Bar {
    fn of(slots: &VecDeque<NanoUsd>, sensitivity: Sensitivity) -> Self {
        let usual = median(slots.iter().map(|slot| slot.get()).collect());
        let deviation = median(
            slots
                .iter()
                .map(|slot| slot.get().abs_diff(usual))
                .collect(),
        );
        let scaled = u128::from(deviation) * MAD_SCALE / 10_000;
        let scaled = NanoUsd::new(u64::try_from(scaled).unwrap_or(u64::MAX));
        let usual = NanoUsd::new(usual);
        let steady = NanoUsd::new(usual.get().saturating_mul(STEADY_FACTOR));
        Self {
            usual,
            above: usual
                .saturating_add(sensitivity.factor.of(scaled))
                .max(steady)
                .max(sensitivity.least),
        }
    }
}

/// The lower of the two in the middle.
fn median(mut values: Vec<u64>) -> u64 {
    let middle = values.len().saturating_sub(1) / 2;
    *values.select_nth_unstable(middle).1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cents(cents: u64) -> NanoUsd {
        NanoUsd::new(cents * 10_000_000)
    }

    fn rates() -> (SpendRates, Stream) {
        sensitive(6, cents(100))
    }

    fn sensitive(factor: u32, least: NanoUsd) -> (SpendRates, Stream) {
        let rates = SpendRates::new(Sensitivity {
            factor: Share::millionths(factor * 1_000_000),
            least,
        });
        let stream = Stream {
            tenant: TenantId::parse("acme").unwrap(),
            class: None,
        };
        (rates, stream)
    }

    /// A day in which every slot costs between two and three dollars.
    fn ordinary_day(rates: &SpendRates, stream: &Stream) -> i64 {
        for slot in 0..288 {
            let cost = cents(200 + slot * 37 % 100);
            let slot = i64::try_from(slot).unwrap();
            assert_eq!(rates.spent(stream, slot * SLOT_MS, cost), None);
        }
        288
    }

    #[test]
    fn a_slot_that_costs_many_times_the_usual_is_told_of_once() {
        let (rates, stream) = rates();
        let slot = ordinary_day(&rates, &stream);
        let mut told = Vec::new();
        for _ in 0..20 {
            told.extend(rates.spent(&stream, slot * SLOT_MS, cents(100)));
        }
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].slot, slot);
        assert!(told[0].usual > cents(200) && told[0].usual < cents(300));
        assert!(
            told[0].spent < cents(1_000),
            "told in time: {}",
            told[0].spent
        );
    }

    /// The first amount at which a slot after an ordinary day is told of, in steps of ten cents.
    fn bar(factor: u32, least: NanoUsd) -> NanoUsd {
        let (rates, stream) = sensitive(factor, least);
        let slot = ordinary_day(&rates, &stream);
        loop {
            if let Some(anomaly) = rates.spent(&stream, slot * SLOT_MS, cents(10)) {
                return anomaly.spent;
            }
        }
    }

    #[test]
    fn the_bar_is_the_highest_of_the_factor_the_least_and_three_medians() {
        // The median is $2.49 and the scaled deviation $0.37.
        assert_eq!(bar(6, cents(100)), cents(750));
        assert_eq!(bar(20, cents(100)), cents(1_000));
        assert_eq!(bar(40, cents(100)), cents(1_740));
        assert_eq!(bar(20, cents(2_000)), cents(2_010));
    }

    #[test]
    fn wild_slots_in_the_past_do_not_move_the_bar_much() {
        let (rates, stream) = rates();
        let mut slot = ordinary_day(&rates, &stream);
        for _ in 0..20 {
            rates.spent(&stream, slot * SLOT_MS, cents(50_000));
            slot += 1;
        }
        assert!(rates.spent(&stream, slot * SLOT_MS, cents(5_000)).is_some());
    }

    #[test]
    fn small_sums_and_a_short_past_raise_no_alarm() {
        let (rates, stream) = rates();
        for slot in 0..11 {
            assert_eq!(rates.spent(&stream, slot * SLOT_MS, cents(1)), None);
        }
        assert_eq!(rates.spent(&stream, 11 * SLOT_MS, cents(90_000)), None);
        assert_eq!(rates.spent(&stream, 12 * SLOT_MS, cents(99)), None);
        assert!(rates.spent(&stream, 12 * SLOT_MS, cents(2)).is_some());
    }

    #[test]
    fn a_clock_put_back_neither_panics_nor_begins_the_slot_again() {
        let (rates, stream) = rates();
        let slot = ordinary_day(&rates, &stream);
        assert_eq!(rates.spent(&stream, slot * SLOT_MS, cents(400)), None);
        assert!(
            rates
                .spent(&stream, (slot - 12) * SLOT_MS, cents(400))
                .is_some()
        );
        rates.spent(&stream, i64::MAX, cents(1));
        rates.spent(&stream, i64::MIN, cents(1));
    }
}
