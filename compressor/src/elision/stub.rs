//! The line that stands in place of a result.

use super::access::Access;
use super::{OldResult, Why};
use crate::marker::PREFIX;
use crate::omission::FETCH_TOOL;

/// The longest name that a line says in full, in characters.
const LONGEST_NAME: usize = 120;

/// The line that is sent in place of a result, without its end. It says what stood there, and how to get it back: from
/// the gateway where the result has a handle, else from the tool.
///
/// A read that is out of date has no use for its handle: the file is what the model needs. The age of a result is not
/// said: the line stays as it is while the conversation goes on.
pub fn stub(result: &OldResult<'_>, why: Why) -> String {
    let read = match result.call.and_then(|call| Access::of_call(call.0, call.1)) {
        Some(Access::Read(read)) => Some(read),
        _ => None,
    };
    let what = match (&read, result.call) {
        (Some(read), _) => format!("read of {}", shown(read.file())),
        (None, Some((tool, _))) => format!("result of {}", shown(tool)),
        (None, None) => "result".to_owned(),
    };
    let tokens = grouped(result.tokens);
    match (why, result.handle) {
        (Why::Edited, _) => {
            format!("{PREFIX} {what} omitted, it was edited later; read it again if needed]")
        }
        (Why::ReadAgain, _) => {
            format!("{PREFIX} {what} omitted, it was read again later; read it again if needed]")
        }
        // "Intact", since agents have taken such lines for the damage of a file.
        (Why::Old, Some(handle)) => format!(
            "{PREFIX} {what} omitted ({tokens} tokens); source intact; {FETCH_TOOL} id {handle} gives all]"
        ),
        (Why::Old, None) => {
            let again = if read.is_some() {
                "read it again"
            } else {
                "call the tool again"
            };
            format!("{PREFIX} {what} omitted ({tokens} tokens); {again} if needed]")
        }
    }
}

/// A name as a line can have it: of long ones the end, which tells more of a path.
fn shown(name: &str) -> String {
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    let length = name.chars().count();
    if length <= LONGEST_NAME {
        return name.chars().map(plain).collect();
    }
    let end = name.chars().skip(length - LONGEST_NAME).map(plain);
    std::iter::once('…').chain(end).collect()
}

/// A number with a comma before every three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
