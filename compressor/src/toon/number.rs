//! Numbers in the form that TOON writes.

/// More zeros than this are not written out.
const MAX_ZEROS: usize = 400;

/// A number by the grammar of JSON, which is that of section 4.
pub(super) fn is_number(token: &str) -> bool {
    let unsigned = token.strip_prefix('-').unwrap_or(token);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let exponent = exponent.map(|exponent| exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    are_digits(whole)
        && (whole.len() == 1 || !whole.starts_with('0'))
        && fraction.is_none_or(are_digits)
        && exponent.is_none_or(are_digits)
}

/// Whether a string looks like a number to some reader and must be quoted (section 7.2).
pub(super) fn is_number_like(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    is_number(unsigned.trim_start_matches('0'))
        || is_number(unsigned)
        || unsigned.strip_prefix('0').is_some_and(|rest| {
            let rest = rest.trim_start_matches('0');
            rest.is_empty() || rest.starts_with(['.', 'e', 'E']) && is_number(&format!("0{rest}"))
        })
}

fn are_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number without exponent, needless zeros and the sign of zero (section 2); none where that would
/// take very many zeros.
pub(super) fn canonical(number: &str) -> Option<String> {
    let (sign, unsigned) = match number.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", number),
    };
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    let exponent: i64 = exponent.parse().ok()?;
    let skipped = digits.len() - significant.len();
    let whole = i64::try_from(whole.len()).ok()? - i64::try_from(skipped).ok()?;
    // How many of the digits stand before the point; zeros are missing where there are fewer.
    let point = whole.checked_add(exponent)?;
    let significant = significant.trim_end_matches('0');
    if point <= 0 {
        let zeros = usize::try_from(point.unsigned_abs()).ok()?;
        let zeros = (zeros <= MAX_ZEROS).then(|| "0".repeat(zeros))?;
        return Some(format!("{sign}0.{zeros}{significant}"));
    }
    let point = usize::try_from(point).ok()?;
    if let Some((whole, fraction)) = significant.split_at_checked(point)
        && !fraction.is_empty()
    {
        return Some(format!("{sign}{whole}.{fraction}"));
    }
    let zeros = point - significant.len();
    // Zeros that the number has as it is spelled are no reason to refuse it.
    let zeros = (zeros <= MAX_ZEROS.max(digits.len())).then(|| "0".repeat(zeros))?;
    Some(format!("{sign}{significant}{zeros}"))
}
