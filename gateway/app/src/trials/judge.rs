//! Whether two answers come to the same: [`Judge`].

use std::collections::BTreeMap;

use serde_json::Value;
use skinflint_protocol::{AsideCall, Said};

/// What a comparison goes by, the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judge {
    /// Which tools are called, with which arguments.
    Calls,
    /// The same text, but for white space.
    Text,
    /// The same JSON.
    Json,
    /// The same numbers, and mostly the same words.
    Words,
}

/// Of the words of both texts, so many have to be in both: two runs of the same call seldom agree on fewer.
const SAME_WORDS: f64 = 0.6;

impl Judge {
    /// Its name in reports.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Text => "text",
            Self::Json => "json",
            Self::Words => "words",
        }
    }

    /// Whether answers come to the same, and what says so. An agent's next step is its calls: where there are any, what
    /// is said beside them does not count.
    pub(crate) fn compare(one: &Said, other: &Said) -> (bool, Self) {
        if !one.calls.is_empty() || !other.calls.is_empty() {
            return (same_calls(one, other), Self::Calls);
        }
        if words(&one.text).eq(words(&other.text)) {
            return (true, Self::Text);
        }
        let json = |said: &Said| serde_json::from_str::<Value>(said.text.trim()).ok();
        if let (Some(one), Some(other)) = (json(one), json(other)) {
            return (one == other, Self::Json);
        }
        let same = numbers(&one.text) == numbers(&other.text)
            && overlap(&one.text, &other.text) >= SAME_WORDS;
        (same, Self::Words)
    }
}

/// Whether two answers call the same tools with the same arguments, in whatever order and spelling.
fn same_calls(one: &Said, other: &Said) -> bool {
    let mut left: Vec<&AsideCall> = other.calls.iter().collect();
    let all_found = one.calls.iter().all(|call| {
        let found = left.iter().position(|other| is_same(call, other));
        found.map(|at| left.swap_remove(at)).is_some()
    });
    all_found && left.is_empty()
}

/// Whether two calls do the same, whatever their ids.
fn is_same(one: &AsideCall, other: &AsideCall) -> bool {
    let arguments = |call: &AsideCall| serde_json::from_str::<Value>(&call.arguments).ok();
    one.name == other.name
        && match (arguments(one), arguments(other)) {
            // Keys of objects have no order.
            (Some(one), Some(other)) => one == other,
            _ => one.arguments == other.arguments,
        }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
}

fn numbers(text: &str) -> BTreeMap<&str, usize> {
    let parts = text.split(|letter: char| !(letter.is_ascii_digit() || letter == '.'));
    let numbers = parts.map(|part| part.trim_matches('.'));
    counted(numbers.filter(|part| part.bytes().any(|byte| byte.is_ascii_digit())))
}

/// The share of words that both texts have (F1 of the bags of words).
fn overlap(one: &str, other: &str) -> f64 {
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    let bag = |text| {
        counted(
            str::split(text, |letter: char| !letter.is_alphanumeric())
                .filter(|word| !word.is_empty()),
        )
    };
    let (one, other): (BTreeMap<&str, usize>, BTreeMap<&str, usize>) = (bag(&one), bag(&other));
    let count = |bag: &BTreeMap<&str, usize>| bag.values().sum::<usize>();
    let both: usize = one
        .iter()
        .map(|(word, times)| other.get(word).copied().unwrap_or(0).min(*times))
        .sum();
    let number = |count: usize| u32::try_from(count).map_or(f64::MAX, f64::from);
    let all = number(count(&one) + count(&other));
    if all > 0.0 {
        2.0 * number(both) / all
    } else {
        1.0
    }
}

fn counted<'t>(parts: impl Iterator<Item = &'t str>) -> BTreeMap<&'t str, usize> {
    let mut counts = BTreeMap::new();
    for part in parts {
        *counts.entry(part).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Said {
        Said {
            text: text.to_owned(),
            calls: Vec::new(),
        }
    }

    fn call(name: &str, arguments: &str) -> Said {
        Said {
            text: format!("I call {name}."),
            calls: vec![AsideCall {
                id: name.len().to_string(),
                name: name.to_owned(),
                arguments: arguments.to_owned(),
            }],
        }
    }

    #[test]
    fn calls_are_compared_by_what_they_do() {
        let compare = |one: &Said, other: &Said| Judge::compare(one, other);
        let one = call("ls", r#"{"a":1,"b":[2]}"#);
        assert_eq!(
            compare(&one, &call("ls", r#"{ "b": [2], "a": 1 }"#)),
            (true, Judge::Calls)
        );
        assert!(!compare(&one, &call("ls", r#"{"a":2,"b":[2]}"#)).0);
        assert!(!compare(&one, &call("rm", r#"{"a":1,"b":[2]}"#)).0);
        assert_eq!(compare(&one, &said("I call ls.")), (false, Judge::Calls));
    }

    #[test]
    fn texts_are_compared_by_what_they_say() {
        let compare = |one, other| Judge::compare(&said(one), &said(other));
        assert_eq!(
            compare("All  is well.\n", "All is well."),
            (true, Judge::Text)
        );
        assert_eq!(
            compare(r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#),
            (true, Judge::Json)
        );
        assert_eq!(compare(r#"{"a":1}"#, r#"{"a":2}"#), (false, Judge::Json));
        assert_eq!(
            compare(
                "The order W12 shipped on May 3.",
                "Order W12 shipped on May 3."
            ),
            (true, Judge::Words)
        );
        assert_eq!(
            compare(
                "The order W12 shipped on May 3.",
                "The order W13 shipped on May 3."
            ),
            (false, Judge::Words)
        );
        assert_eq!(
            compare("Yes, it is there.", "Nothing was found at all."),
            (false, Judge::Words)
        );
    }
}
