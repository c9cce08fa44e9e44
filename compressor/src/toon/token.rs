//! Keys and primitive values as they stand in a line.

use std::fmt::Write;

use super::error::ToonErrorKind;
use super::number;
use super::value::Value;

/// Writes a key (section 7.3).
pub(super) fn write_key(key: &str, text: &mut String) {
    let mut bytes = key.bytes();
    let is_bare = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
    if is_bare {
        text.push_str(key);
    } else {
        write_quoted(key, text);
    }
}

/// Writes a string (section 7.2).
pub(super) fn write_string(string: &str, delimiter: char, text: &mut String) {
    let is_special = |character: char| {
        character < ' '
            || character == delimiter
            || matches!(character, ':' | '"' | '\\' | '[' | ']' | '{' | '}')
    };
    let must_be_quoted = string.is_empty()
        || string.starts_with([' ', '-', '#'])
        || string.ends_with(' ')
        || matches!(string, "true" | "false" | "null")
        || number::is_number_like(string)
        || string.contains(is_special);
    if must_be_quoted {
        write_quoted(string, text);
    } else {
        text.push_str(string);
    }
}

/// Section 7.1.
fn write_quoted(string: &str, text: &mut String) {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            control if control < ' ' => {
                let _ = write!(text, "\\u{:04x}", u32::from(control));
            }
            other => text.push(other),
        }
    }
    text.push('"');
}

/// Writes null, a boolean, a number or a string.
pub(super) fn write_primitive(value: &Value, delimiter: char, text: &mut String) {
    match value {
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => match number::canonical(number) {
            Some(number) => text.push_str(&number),
            None => write_quoted(number, text),
        },
        Value::String(string) => write_string(string, delimiter, text),
        Value::Null | Value::Array(_) | Value::Object(_) => text.push_str("null"),
    }
}

/// Reads a value that stands for itself (section 4).
pub(super) fn read_primitive(token: &str) -> Result<Value, ToonErrorKind> {
    Ok(match token {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ if token.starts_with('"') => Value::String(read_quoted(token)?),
        _ if number::is_number(token) => {
            Value::Number(number::canonical(token).unwrap_or_else(|| token.to_owned()))
        }
        _ => Value::String(token.to_owned()),
    })
}

/// Reads a key: a string in quotes, or anything else as it stands (section 7.4).
pub(super) fn read_key(token: &str) -> Result<String, ToonErrorKind> {
    if token.starts_with('"') {
        read_quoted(token)
    } else if token.is_empty() {
        Err(ToonErrorKind::Expected("a key"))
    } else {
        Ok(token.to_owned())
    }
}

/// The length of the string in quotes at the beginning of a text, if it ends.
pub(super) fn quoted_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Section 7.1.
fn read_quoted(token: &str) -> Result<String, ToonErrorKind> {
    if quoted_length(token) != Some(token.len()) {
        return Err(ToonErrorKind::InvalidString);
    }
    let mut rest = &token[1..token.len() - 1];
    let mut string = String::with_capacity(rest.len());
    while let Some((plain, escaped)) = rest.split_once('\\') {
        string.push_str(plain);
        let mut characters = escaped.chars();
        let character = match characters.next() {
            Some(same @ ('"' | '\\')) => same,
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let digits = characters.as_str().get(..4);
                let digits = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
                let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
                let character = unit.and_then(char::from_u32);
                string.push(character.ok_or(ToonErrorKind::InvalidEscape)?);
                rest = &characters.as_str()[4..];
                continue;
            }
            _ => return Err(ToonErrorKind::InvalidEscape),
        };
        string.push(character);
        rest = characters.as_str();
    }
    string.push_str(rest);
    Ok(string)
}

/// Where the first of these bytes stands that is not in quotes.
pub(super) fn find_unquoted(text: &str, is_wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if *byte == b'"' {
            at += quoted_length(text.get(at..)?)?;
        } else if is_wanted(*byte) {
            return Some(at);
        } else {
            at += 1;
        }
    }
    None
}

/// The values between delimiters that are not in quotes, without the spaces around them (section 11).
pub(super) fn split(text: &str, delimiter: char) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(at) = find_unquoted(rest, |byte| char::from(byte) == delimiter) {
        tokens.push(trim(&rest[..at]));
        rest = &rest[at + 1..];
    }
    tokens.push(trim(rest));
    tokens
}

/// A token without the spaces around it: U+0020 alone (section 12).
pub(super) fn trim(token: &str) -> &str {
    token.trim_matches(' ')
}
