//! Headers of lists and tables (section 6).

use std::collections::HashSet;
use std::rc::Rc;

use super::error::ToonErrorKind;
use super::shape::Field;
use super::{Delimiter, MAX_DEPTH, token};

/// `key[N]:`, `key[N]{fields}:` or `key[N:]{fields}:` and what stands behind it.
#[derive(Debug)]
pub(super) struct Header<'t> {
    pub(super) key: Option<Rc<str>>,
    pub(super) length: u64,
    pub(super) is_keyed: bool,
    pub(super) delimiter: char,
    pub(super) fields: Option<Vec<Field>>,
    /// Cells that a row has.
    pub(super) width: usize,
    pub(super) values: &'t str,
}

/// Reads the header that a line begins with; none where the line is something else. Brackets that
/// make no header are an error if strict, and else part of a key.
pub(super) fn read(content: &str, strict: bool) -> Result<Option<Header<'_>>, ToonErrorKind> {
    let Some(bracket) = token::find_unquoted(content, |byte| matches!(byte, b'[' | b':')) else {
        return Ok(None);
    };
    if content.as_bytes()[bracket] == b':' {
        return Ok(None);
    }
    if let Some(parts) = parts(&content[bracket..])
        && is_key(&content[..bracket])
    {
        return header(&content[..bracket], parts, strict).map(Some);
    }
    let has_colon = token::find_unquoted(content, |byte| byte == b':').is_some();
    let has_colon = has_colon || content[bracket..].contains(':');
    if strict && has_colon {
        return Err(ToonErrorKind::InvalidHeader);
    }
    Ok(None)
}

/// Whether this may stand before the bracket: nothing, a string in quotes, or a word.
fn is_key(key: &str) -> bool {
    if key.starts_with('"') {
        token::quoted_length(key) == Some(key.len())
    } else {
        token::trim(key).len() == key.len()
    }
}

struct Parts<'t> {
    length: u64,
    is_keyed: bool,
    delimiter: char,
    fields: Option<Vec<Field>>,
    /// Behind the colon.
    values: &'t str,
}

fn header<'t>(key: &str, parts: Parts<'t>, strict: bool) -> Result<Header<'t>, ToonErrorKind> {
    let mut width = 0;
    if let Some(fields) = &parts.fields {
        width = check_fields(fields, strict)?;
        if !parts.values.is_empty() {
            return Err(ToonErrorKind::InlineRows);
        }
    }
    let key = if key.is_empty() {
        None
    } else {
        Some(token::read_key(key)?.into())
    };
    Ok(Header {
        key,
        length: parts.length,
        is_keyed: parts.is_keyed,
        delimiter: parts.delimiter,
        fields: parts.fields,
        width,
        values: parts.values,
    })
}

/// Counts the cells of a row, and looks for names that stand twice.
fn check_fields(fields: &[Field], strict: bool) -> Result<usize, ToonErrorKind> {
    let mut names = HashSet::new();
    let mut width = 0;
    for field in fields {
        if !names.insert(&field.name) && strict {
            return Err(ToonErrorKind::DuplicateKey);
        }
        width += match &field.group {
            None => 1,
            Some(group) => check_fields(group, strict)?,
        };
    }
    Ok(width)
}

/// Reads `[N]{fields}:`.
fn parts(text: &str) -> Option<Parts<'_>> {
    let rest = text.strip_prefix('[')?;
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (length, rest) = rest.split_at(digits);
    if length.is_empty() || (length.len() > 1 && length.starts_with('0')) {
        return None;
    }
    let length = length.parse().ok()?;
    let keyed = rest.strip_prefix(':');
    let is_keyed = keyed.is_some();
    let rest = keyed.unwrap_or(rest);
    let delimiter = match rest.chars().next() {
        Some('\t') => Delimiter::Tab,
        Some('|') => Delimiter::Pipe,
        _ => Delimiter::Comma,
    };
    let rest = rest.strip_prefix(delimiter.symbol())?.strip_prefix(']')?;
    let delimiter = delimiter.as_char();
    let mut fields = None;
    let mut rest = rest;
    if let Some(inside) = rest.strip_prefix('{') {
        let (list, behind) = field_list(inside, delimiter, 1)?;
        fields = Some(list);
        rest = behind;
    } else if is_keyed {
        return None;
    }
    Some(Parts {
        length,
        is_keyed,
        delimiter,
        fields,
        values: token::trim(rest.strip_prefix(':')?),
    })
}

/// Reads fields up to the brace that closes them.
fn field_list(text: &str, delimiter: char, depth: usize) -> Option<(Vec<Field>, &str)> {
    if depth > MAX_DEPTH {
        return None;
    }
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(' ');
        let is_quoted = rest.starts_with('"');
        let length = if is_quoted {
            token::quoted_length(rest)?
        } else {
            rest.find([',', '|', '\t', '{', '}', '"', ':', '[', ']'])?
        };
        let name = token::read_key(token::trim(&rest[..length])).ok()?;
        rest = rest[length..].trim_start_matches(' ');
        let mut group = None;
        if let Some(inside) = rest.strip_prefix('{') {
            let (list, behind) = field_list(inside, delimiter, depth + 1)?;
            group = Some(list);
            rest = behind.trim_start_matches(' ');
        }
        fields.push(Field {
            name: name.into(),
            group,
        });
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((fields, behind));
        }
        rest = rest.strip_prefix(delimiter)?;
    }
}
