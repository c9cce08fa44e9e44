//! Money in integers: amounts in nano-dollars, prices in pico-dollars per token. No float comes near either.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An amount of money in nano-dollars (10⁻⁹ USD); up to 18 billion dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NanoUsd(u64);

/// A difference of amounts in nano-dollars, such as a saving, which is negative where harm was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NanoUsdDelta(i64);

/// A price in pico-dollars (10⁻¹² USD) per token: a dollar per million tokens is 1,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PicoUsd(u64);

/// More money than fits: a mistake in a price or a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the amount does not fit into 64 bits of nano-dollars")]
pub struct MoneyOverflow;

/// Text that is no amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotMoney {
    /// Not digits with at most one point.
    #[error("expected dollars as a decimal number such as `12.50`")]
    Malformed,
    /// Below zero.
    #[error("expected an amount that is not negative")]
    Negative,
    /// More decimals than can be told apart.
    #[error("expected at most {0} decimals")]
    TooFine(u32),
    /// Larger than fits.
    #[error("expected an amount below {0} dollars")]
    TooLarge(u64),
}

/// Nano-dollars in a dollar, by decimals.
const NANO_DECIMALS: u32 = 9;
/// A dollar per million tokens is a million pico-dollars per token.
const PER_MILLION_DECIMALS: u32 = 6;
/// Digits that a float of a TOML file is sure to keep.
const FLOAT_DIGITS: usize = 15;
pub(crate) const PICO_PER_NANO: u128 = 1000;

// === impl NanoUsd ===

impl NanoUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// More than anything; for limits that are none.
    pub const MAX: Self = Self(u64::MAX);

    /// An amount from its nano-dollars.
    pub const fn new(nano: u64) -> Self {
        Self(nano)
    }

    /// The amount in nano-dollars.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Reads dollars, such as `12.50`.
    pub fn parse(text: &str) -> Result<Self, NotMoney> {
        decimal(text, NANO_DECIMALS).map(Self)
    }

    /// The sum, unless it does not fit.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyOverflow> {
        self.0.checked_add(other.0).map(Self).ok_or(MoneyOverflow)
    }

    /// What is left when `other` is taken away; none if that is more than there is.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(left) => Some(Self(left)),
            None => None,
        }
    }

    /// What is left when `other` is taken away, at least nothing.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The sum, at most [`NanoUsd::MAX`]: for what is held against a limit, where more than everything is everything.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// This amount less another one.
    pub fn delta(self, other: Self) -> NanoUsdDelta {
        let difference = i128::from(self.0) - i128::from(other.0);
        NanoUsdDelta(i64::try_from(difference).unwrap_or(if difference < 0 {
            i64::MIN
        } else {
            i64::MAX
        }))
    }
}

impl fmt::Display for NanoUsd {
    /// Dollars, with as many decimals as it takes and at least two.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&dollars(self.0, NANO_DECIMALS))
    }
}

impl Serialize for NanoUsd {
    /// Dollars as a string: JSON's numbers are floats to most readers.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NanoUsd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(DecimalText)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

// === impl NanoUsdDelta ===

impl NanoUsdDelta {
    /// The sum, within what can be written.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// A difference from its nano-dollars.
    pub const fn new(nano: i64) -> Self {
        Self(nano)
    }

    /// The difference in nano-dollars.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for NanoUsdDelta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let amount = dollars(self.0.unsigned_abs(), NANO_DECIMALS);
        f.pad(&format!("{sign}{amount}"))
    }
}

impl Serialize for NanoUsdDelta {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

// === impl PicoUsd ===

impl PicoUsd {
    /// Free of charge.
    pub const ZERO: Self = Self(0);

    /// A price from its pico-dollars per token.
    pub const fn new(pico: u64) -> Self {
        Self(pico)
    }

    /// The price in pico-dollars per token.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Reads dollars per million tokens, such as `0.075`.
    pub fn per_million(text: &str) -> Result<Self, NotMoney> {
        decimal(text, PER_MILLION_DECIMALS).map(Self)
    }

    /// What so many tokens cost, rounded half up to the nano-dollar: the one rounding of a receipt line.
    pub fn times(self, tokens: u64) -> Result<NanoUsd, MoneyOverflow> {
        Self::line(&[(self, tokens)])
    }

    /// What tokens at several prices cost as one line of a receipt: summed up first, then rounded half up, once.
    pub fn line(items: &[(Self, u64)]) -> Result<NanoUsd, MoneyOverflow> {
        let pico = items
            .iter()
            .try_fold(PICO_PER_NANO / 2, |sum, (price, tokens)| {
                sum.checked_add(u128::from(price.0) * u128::from(*tokens))
            })
            .ok_or(MoneyOverflow)?;
        u64::try_from(pico / PICO_PER_NANO)
            .map(NanoUsd)
            .map_err(|_| MoneyOverflow)
    }

    /// So many times the price, at most the largest that fits.
    pub const fn saturating_mul(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }
}

impl fmt::Display for PicoUsd {
    /// Dollars per million tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&dollars(self.0, PER_MILLION_DECIMALS))
    }
}

impl Serialize for PicoUsd {
    /// Dollars per million tokens, as a string.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PicoUsd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(DecimalText)?;
        Self::per_million(&text).map_err(de::Error::custom)
    }
}

/// Takes a decimal number as a string, an integer, or a float by its shortest decimal form, which is what stands in
/// the file as long as that has no more digits than a float keeps.
struct DecimalText;

impl de::Visitor<'_> for DecimalText {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount of dollars such as 12.50")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<String, E> {
        let text = number.to_string();
        if text.bytes().filter(u8::is_ascii_digit).count() > FLOAT_DIGITS {
            return Err(E::custom(
                "a number of more than 15 digits: write it as a string",
            ));
        }
        Ok(text)
    }
}

/// Reads a decimal number as an integer of its smallest unit.
fn decimal(text: &str, decimals: u32) -> Result<u64, NotMoney> {
    if text.starts_with('-') {
        return Err(NotMoney::Negative);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || text.ends_with('.') {
        return Err(NotMoney::Malformed);
    }
    let fraction = fraction.trim_end_matches('0');
    let missing = usize::try_from(decimals)
        .unwrap_or_default()
        .checked_sub(fraction.len())
        .ok_or(NotMoney::TooFine(decimals))?;
    let unit = 10_u64.pow(decimals);
    let padded = format!("{whole}{fraction}{}", "0".repeat(missing));
    padded
        .parse()
        .map_err(|_| NotMoney::TooLarge(u64::MAX / unit))
}

/// Writes an integer of its smallest unit as a decimal number.
fn dollars(amount: u64, decimals: u32) -> String {
    let unit = 10_u64.pow(decimals);
    let (whole, mut fraction, mut width) = (amount / unit, amount % unit, decimals as usize);
    while width > 2 && fraction.is_multiple_of(10) {
        fraction /= 10;
        width -= 1;
    }
    format!("{whole}.{fraction:0width$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_and_written_exactly() {
        for (text, nano) in [
            ("0", 0),
            ("500.00", 500_000_000_000),
            ("0.000000001", 1),
            ("18446744073.709551615", u64::MAX),
        ] {
            let amount = NanoUsd::parse(text).unwrap();
            assert_eq!(amount.get(), nano, "{text}");
            assert_eq!(NanoUsd::parse(&amount.to_string()), Ok(amount));
        }
        assert_eq!(NanoUsd::new(12_500_000_000).to_string(), "12.50");
        assert_eq!(NanoUsd::new(1_234_567).to_string(), "0.001234567");
        assert_eq!(NanoUsdDelta::new(-1_500_000_000).to_string(), "-1.50");
    }

    #[test]
    fn what_is_no_money_is_refused() {
        for (text, expected) in [
            ("", NotMoney::Malformed),
            (".5", NotMoney::Malformed),
            ("5.", NotMoney::Malformed),
            ("1e3", NotMoney::Malformed),
            ("NaN", NotMoney::Malformed),
            ("+1", NotMoney::Malformed),
            ("-1", NotMoney::Negative),
            ("0.0000000001", NotMoney::TooFine(9)),
            ("18446744074", NotMoney::TooLarge(18_446_744_073)),
        ] {
            assert_eq!(NanoUsd::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_line_is_rounded_once_and_half_up() {
        let price = PicoUsd::per_million("0.0375").unwrap();
        assert_eq!(price.get(), 37_500);
        assert_eq!(price.times(1), Ok(NanoUsd::new(38)));
        assert_eq!(price.times(2), Ok(NanoUsd::new(75)));
        assert_eq!(
            price.times(1_000_000),
            NanoUsd::parse("0.0375").map_err(|_| MoneyOverflow)
        );
        assert_eq!(PicoUsd::new(u64::MAX).times(u64::MAX), Err(MoneyOverflow));
    }

    #[test]
    fn numbers_of_a_file_are_read_by_what_is_written() {
        #[derive(Deserialize)]
        struct Limits {
            limit: NanoUsd,
        }
        let limit = |text: &str| toml::from_str::<Limits>(text).map(|read| read.limit.to_string());
        for (text, expected) in [
            ("limit = 500", "500.00"),
            ("limit = 0.1", "0.10"),
            ("limit = 1234.000000001", "1234.000000001"),
            ("limit = '0.30'", "0.30"),
        ] {
            assert_eq!(limit(text).unwrap(), expected);
        }
        for wrong in [
            "limit = -1",
            "limit = inf",
            "limit = nan",
            "limit = 1234567.8901234567",
            "limit = true",
        ] {
            assert!(limit(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn differences_have_a_sign() {
        let (small, large) = (NanoUsd::new(1), NanoUsd::new(3));
        assert_eq!(small.delta(large), NanoUsdDelta::new(-2));
        assert_eq!(large.delta(small), NanoUsdDelta::new(2));
        assert_eq!(NanoUsd::MAX.delta(NanoUsd::ZERO).get(), i64::MAX);
    }
}
