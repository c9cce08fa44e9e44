//! Writing JSON that we make ourselves.

use serde::Serialize;

/// Encodes a value of our own making.
///
/// The values are structs of strings, numbers and lists, which serde cannot fail to write.
#[expect(clippy::expect_used, reason = "no map keys, no custom serializers")]
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data always encodes")
}

/// A text as a JSON string literal, quotes included.
pub fn literal(text: &str) -> String {
    encode(text)
}
