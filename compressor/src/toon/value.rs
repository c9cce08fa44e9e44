//! What JSON and TOON both mean.

use std::collections::HashMap;
use std::rc::Rc;

use skinflint_protocol::json::{Document, JsonLimits, literal};

use super::MAX_DEPTH;
use super::error::{Fault, ToonError, ToonErrorKind};
use crate::jton::scan::{self, Kind, Minified};

/// A value. Numbers are kept as they are spelled.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(String),
    String(String),
    Array(Vec<Value>),
    Object(Vec<(Rc<str>, Value)>),
}

/// An object in the making.
#[derive(Default)]
pub(super) struct Members {
    list: Vec<(Rc<str>, Value)>,
    places: HashMap<Rc<str>, usize>,
}

impl Members {
    /// Sets a member; false if there was one of this key, whose place it takes.
    pub(super) fn set(&mut self, key: Rc<str>, value: Value) -> bool {
        if let Some(place) = self.places.get(&key) {
            self.list[*place].1 = value;
            return false;
        }
        self.places.insert(Rc::clone(&key), self.list.len());
        self.list.push((key, value));
        true
    }

    pub(super) fn into_object(self) -> Value {
        Value::Object(self.list)
    }
}

impl Value {
    pub(super) fn is_primitive(&self) -> bool {
        !matches!(self, Self::Array(_) | Self::Object(_))
    }

    /// Reads JSON.
    pub(super) fn from_json(json: &str) -> Result<Self, ToonError> {
        let minified = scan::scan(json)?;
        check(json).map_err(|fault| fault.in_text(json))?;
        Ok(Self::read(&minified, 0))
    }

    fn read(minified: &Minified, index: usize) -> Self {
        match minified.node(index).kind {
            Kind::Array => Self::Array(
                minified
                    .values(index)
                    .map(|value| Self::read(minified, value))
                    .collect(),
            ),
            Kind::Object => {
                let mut members = Members::default();
                for (key, value) in minified.members(index) {
                    let key = text(minified.raw(key)).into();
                    members.set(key, Self::read(minified, value));
                }
                members.into_object()
            }
            Kind::Scalar => match minified.raw(index) {
                "null" => Self::Null,
                "true" => Self::Bool(true),
                "false" => Self::Bool(false),
                raw if raw.starts_with('"') => Self::String(text(raw)),
                raw => Self::Number(raw.to_owned()),
            },
        }
    }

    /// Writes JSON without space.
    pub(super) fn write_json(&self, json: &mut String) {
        match self {
            Self::Null => json.push_str("null"),
            Self::Bool(true) => json.push_str("true"),
            Self::Bool(false) => json.push_str("false"),
            Self::Number(number) => json.push_str(number),
            Self::String(string) => json.push_str(&literal(string)),
            Self::Array(values) => {
                json.push('[');
                for (at, value) in values.iter().enumerate() {
                    if at > 0 {
                        json.push(',');
                    }
                    value.write_json(json);
                }
                json.push(']');
            }
            Self::Object(members) => {
                json.push('{');
                for (at, (key, value)) in members.iter().enumerate() {
                    if at > 0 {
                        json.push(',');
                    }
                    json.push_str(&literal(key));
                    json.push(':');
                    value.write_json(json);
                }
                json.push('}');
            }
        }
    }
}

/// The text of a JSON string that was checked.
fn text(raw: &str) -> String {
    let plain = raw.get(1..raw.len() - 1).unwrap_or_default();
    if !plain.contains('\\') {
        return plain.to_owned();
    }
    Document::parse(raw.as_bytes(), JsonLimits::default())
        .ok()
        .and_then(|document| document.root().as_str().map(std::borrow::Cow::into_owned))
        .unwrap_or_default()
}

/// Looks for what JSON may have and TOON not: lone surrogates, and nesting without end.
fn check(json: &str) -> Result<(), Fault> {
    let bytes = json.as_bytes();
    let (mut depth, mut at, mut is_string) = (0, 0, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => is_string = !is_string,
            b'[' | b'{' if !is_string => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(Fault::new(ToonErrorKind::TooDeep, at));
                }
            }
            b']' | b'}' if !is_string => depth -= 1,
            b'\\' => {
                let length = escape_length(bytes.get(at..).unwrap_or_default());
                at += length.ok_or(Fault::new(ToonErrorKind::LoneSurrogate, at))?;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// The length of an escape, with the second half of a pair of surrogates; none for half a pair.
fn escape_length(bytes: &[u8]) -> Option<usize> {
    match code_unit(bytes) {
        None => Some(2),
        Some(0xD800..=0xDBFF) => {
            let low = code_unit(bytes.get(6..)?)?;
            (0xDC00..=0xDFFF).contains(&low).then_some(12)
        }
        Some(0xDC00..=0xDFFF) => None,
        Some(_) => Some(6),
    }
}

fn code_unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
