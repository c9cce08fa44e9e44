//! Writing JSON that we make ourselves.

use serde::Serialize;

use super::{Document, JsonLimits};

/// Encodes a value of our own making.
///
/// The values are structs of strings, numbers and lists, which serde cannot fail to write.
#[expect(clippy::expect_used, reason = "no map keys, no custom serializers")]
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data always encodes")
}

/// The object with these members, whose values are already JSON: in place of those that it has, else
/// at its end. All other bytes stay. What is no object gives way to one.
pub(crate) fn with_members(object: &str, members: &[(&str, &str)]) -> String {
    let limits = JsonLimits {
        max_depth: 256,
        kept_depth: 1,
        ..JsonLimits::default()
    };
    let document = Document::parse(object.as_bytes(), limits).ok();
    let root = document.as_ref().map(Document::root);
    let root = root.filter(|root| root.as_object().is_some());
    let mut replaced = Vec::new();
    let mut added = String::new();
    for (key, json) in members {
        if let Some(value) = root.and_then(|root| root.get(key)) {
            replaced.push((value.span(), *json));
        } else {
            added.push(',');
            added.push_str(&literal(key));
            added.push(':');
            added.push_str(json);
        }
    }
    replaced.sort_by_key(|(span, _)| span.start);
    let object = root.map_or("{}", |root| root.raw());
    let start = root.map_or(0, |root| root.span().start);
    let mut text = String::with_capacity(object.len() + added.len());
    let mut copied = 0;
    for (span, json) in replaced {
        text.push_str(&object[copied..span.start - start]);
        text.push_str(json);
        copied = span.end - start;
    }
    let rest = &object[copied..];
    text.push_str(rest.strip_suffix('}').unwrap_or(rest));
    let is_empty = text.trim_end().ends_with('{');
    text.push_str(
        added
            .strip_prefix(',')
            .filter(|_| is_empty)
            .unwrap_or(&added),
    );
    text.push('}');
    text
}

/// A text as a JSON string literal, quotes included.
pub fn literal(text: &str) -> String {
    encode(text)
}
