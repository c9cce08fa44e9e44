//! When an edit inside a cached prefix pays: [`CacheRates`].

/// What a provider's prompt cache costs, in thousandths of the price of an input token.
///
/// With T tokens from the edit to the end, s tokens saved and N requests to come, an edit costs (w − r)·T once, since
/// what would have been read is written, and saves r·s in each request. It pays if N > (w − r)/r · T/s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CacheRates {
    /// r: of a token that the cache has.
    pub read: u32,
    /// w: of a token that it takes in.
    pub write: u32,
}

impl CacheRates {
    /// Anthropic's, of entries that live for five minutes.
    pub const ANTHROPIC_5_MINUTES: Self = Self {
        read: 100,
        write: 1250,
    };
    /// Anthropic's, of entries that live for an hour.
    pub const ANTHROPIC_1_HOUR: Self = Self {
        read: 100,
        write: 2000,
    };
    /// OpenAI's, which takes nothing extra for writing.
    pub const OPENAI: Self = Self {
        read: 100,
        write: 1000,
    };
    /// Without a cache every token costs the same in each request.
    pub const NO_CACHE: Self = Self {
        read: 1000,
        write: 1000,
    };

    /// The fewest requests, the one with the edit included, that pay for it; `None` if none do.
    pub fn break_even(self, rewritten: u64, saved: u64) -> Option<u64> {
        let each = u128::from(saved) * u128::from(self.read);
        let passed = self.once(rewritten).checked_div(each)?;
        u64::try_from(passed).ok()?.checked_add(1)
    }

    /// What an edit saves in all, in thousandths of the price of an input token; `None` if nothing.
    pub fn net_thousandths(self, rewritten: u64, saved: u64, requests: u64) -> Option<u128> {
        let each = u128::from(saved) * u128::from(self.read);
        each.saturating_mul(u128::from(requests))
            .checked_sub(self.once(rewritten))
            .filter(|net| *net > 0)
    }

    fn once(self, rewritten: u64) -> u128 {
        // A write that is cheaper than a read costs nothing extra.
        u128::from(rewritten) * u128::from(self.write.saturating_sub(self.read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_requests_that_pay_are_those_of_the_rule() {
        // N > 11.5 · T/s: 11.5 · 4 = 46.
        let anthropic = CacheRates::ANTHROPIC_5_MINUTES;
        assert_eq!(anthropic.break_even(40_000, 10_000), Some(47));
        assert_eq!(anthropic.net_thousandths(40_000, 10_000, 46), None);
        // 47 · 0.1 · 10,000 − 1.15 · 40,000 = 47,000 − 46,000.
        let net = anthropic.net_thousandths(40_000, 10_000, 47);
        assert_eq!(net, Some(1_000_000));
        // 11.5 · 1 = 11.5.
        assert_eq!(anthropic.break_even(10_000, 10_000), Some(12));
        // N > 19 · T/s.
        let hour = CacheRates::ANTHROPIC_1_HOUR;
        assert_eq!(hour.break_even(10_000, 10_000), Some(20));
        // N > 9 · T/s: 9 · 4 = 36.
        let openai = CacheRates::OPENAI;
        assert_eq!(openai.break_even(40_000, 10_000), Some(37));
        assert_eq!(openai.break_even(1_000, 10_000), Some(1));
        assert_eq!(CacheRates::NO_CACHE.break_even(40_000, 1), Some(1));
    }

    #[test]
    fn numbers_that_make_no_sense_do_no_harm() {
        let most = CacheRates {
            read: u32::MAX,
            write: u32::MAX,
        };
        assert!(most.net_thousandths(u64::MAX, u64::MAX, u64::MAX).is_some());
        let backward = CacheRates {
            read: 1000,
            write: 100,
        };
        assert_eq!(backward.break_even(u64::MAX, 1), Some(1));
        let free = CacheRates { read: 0, write: 1 };
        assert_eq!(free.break_even(1, 1), None);
        assert_eq!(CacheRates::OPENAI.break_even(1, 0), None);
        let dear = CacheRates {
            read: 1,
            write: u32::MAX,
        };
        assert_eq!(dear.break_even(u64::MAX, 1), None);
    }
}
