//! A part of something, or a multiple of it, as an integer.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use skinflint_money::NanoUsd;

/// A part in millionths: `0.05` is 50,000 of them, `1` is the whole, `6` is six times as much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Share(u32);

/// Text that is no share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a number such as 0.05, not negative, with at most 6 decimals")]
pub struct NotAShare;

/// Millionths in the whole.
const WHOLE: u32 = 1_000_000;
const DECIMALS: usize = 6;

// === impl Share ===

impl Share {
    /// Nothing of it.
    pub const NONE: Self = Self(0);
    /// All of it.
    pub const WHOLE: Self = Self(WHOLE);

    /// So many millionths.
    pub const fn millionths(millionths: u32) -> Self {
        Self(millionths)
    }

    /// The share in millionths.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Reads a decimal number such as `0.05`.
    pub fn parse(text: &str) -> Result<Self, NotAShare> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(NotAShare);
        }
        let fraction = fraction.trim_end_matches('0');
        let missing = DECIMALS.checked_sub(fraction.len()).ok_or(NotAShare)?;
        format!("{whole}{fraction}{}", "0".repeat(missing))
            .parse()
            .map(Self)
            .map_err(|_| NotAShare)
    }

    /// Whether it covers a point, where points lie evenly over all of `u32`: of a hash, say.
    pub fn covers(self, point: u32) -> bool {
        (u64::from(point) * u64::from(WHOLE)) >> u32::BITS < u64::from(self.0)
    }

    /// This share of an amount, rounded down; at most [`NanoUsd::MAX`], which no limit reaches.
    pub fn of(self, amount: NanoUsd) -> NanoUsd {
        let part = u128::from(amount.get()) * u128::from(self.0) / u128::from(WHOLE);
        u64::try_from(part).map_or(NanoUsd::MAX, NanoUsd::new)
    }
}

impl fmt::Display for Share {
    /// The decimal number, with no more digits than it takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:0DECIMALS$}", self.0 % WHOLE);
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{}", self.0 / WHOLE),
            fraction => write!(f, "{}.{fraction}", self.0 / WHOLE),
        }
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Share;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number such as 0.05")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Share, E> {
                Share::parse(text).map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Share, E> {
                self.visit_str(&number.to_string())
            }

            /// By its shortest decimal form, which is what stands in the file.
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Share, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct File {
        share: Share,
    }

    #[test]
    fn shares_are_read_and_written_exactly() {
        for (written, millionths, shown) in [
            ("0.05", 50_000, "0.05"),
            ("0.1", 100_000, "0.1"),
            ("1", 1_000_000, "1"),
            ("1.0", 1_000_000, "1"),
            ("10.000001", 10_000_001, "10.000001"),
            ("'0.5'", 500_000, "0.5"),
            ("0", 0, "0"),
        ] {
            let File { share } = toml::from_str(&format!("share = {written}")).unwrap();
            assert_eq!(share, Share::millionths(millionths), "{written}");
            assert_eq!(share.to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for wrong in [
            "-0.1",
            "nan",
            "inf",
            "0.0000001",
            "5000",
            "''",
            "'5%'",
            "'.5'",
            "'5.'",
            "true",
        ] {
            let read = toml::from_str::<File>(&format!("share = {wrong}"));
            assert!(read.is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_share_of_an_amount_is_rounded_down_and_never_wraps() {
        let half = Share::millionths(500_000);
        assert_eq!(half.of(NanoUsd::new(3)), NanoUsd::new(1));
        assert_eq!(Share::WHOLE.of(NanoUsd::MAX), NanoUsd::MAX);
        assert_eq!(Share::millionths(10_000_000).of(NanoUsd::MAX), NanoUsd::MAX);
        assert_eq!(Share::NONE.of(NanoUsd::MAX), NanoUsd::ZERO);
    }
}
