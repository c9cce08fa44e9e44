//! The decoder.

use std::rc::Rc;

use super::error::{Fault, ToonError, ToonErrorKind};
use super::header::{self, Header};
use super::lines::{self, Line};
use super::shape::Field;
use super::value::{Members, Value};
use super::{DecodeOptions, MAX_DEPTH, token};

pub(super) fn decode(text: &str, options: DecodeOptions) -> Result<Value, ToonError> {
    let fault = |fault: Fault| fault.in_text(text);
    let lines = lines::lines(text, options).map_err(fault)?;
    let mut decoder = Decoder {
        lines,
        at: 0,
        strict: options.strict,
        end: text.len(),
        room: text.len().saturating_mul(64).saturating_add(1 << 20),
        open: 0,
    };
    decoder.root().map_err(fault)
}

struct Decoder<'t> {
    lines: Vec<Line<'t>>,
    /// The line that is next.
    at: usize,
    strict: bool,
    /// The length of the text.
    end: usize,
    /// Bytes that tables may still come to.
    room: usize,
    /// Containers that are being read.
    open: usize,
}

impl<'t> Decoder<'t> {
    fn peek(&self) -> Option<Line<'t>> {
        self.lines.get(self.at).copied()
    }

    /// The document's form (section 5).
    fn root(&mut self) -> Result<Value, Fault> {
        let Some(line) = self.peek() else {
            return Ok(Value::Object(Vec::new()));
        };
        if line.depth > 0 {
            return Err(Fault::new(ToonErrorKind::TooIndented, line.offset));
        }
        let header = self.header(line)?;
        let has_colon = || token::find_unquoted(line.content, |byte| byte == b':').is_some();
        let value = if line.content == "[]" {
            self.at += 1;
            Value::Array(Vec::new())
        } else if let Some(header) = header.filter(|header| header.key.is_none()) {
            self.at += 1;
            self.body(&header, line, 0)?
        } else if self.lines.len() == 1 && !has_colon() {
            self.at += 1;
            primitive(line, line.content)?
        } else {
            self.object(0)?
        };
        match self.peek() {
            None => Ok(value),
            Some(line) => Err(Fault::new(ToonErrorKind::Expected("the end"), line.offset)),
        }
    }

    fn header(&self, line: Line<'t>) -> Result<Option<Header<'t>>, Fault> {
        header::read(line.content, self.strict).map_err(|kind| Fault::new(kind, line.offset))
    }

    /// Goes one container further in.
    fn enter(&mut self) -> Result<(), Fault> {
        self.open += 1;
        if self.open <= MAX_DEPTH {
            return Ok(());
        }
        let offset = self.peek().map_or(self.end, |line| line.offset);
        Err(Fault::new(ToonErrorKind::TooDeep, offset))
    }

    /// The depth of what belongs to a line: one more, or whatever it is if not strict.
    fn depth_within(&self, depth: usize) -> usize {
        match self.peek() {
            Some(line) if !self.strict => line.depth.max(depth + 1),
            _ => depth + 1,
        }
    }

    /// The next line of a container whose lines have this depth.
    fn line_at(&mut self, depth: usize) -> Result<Option<Line<'t>>, Fault> {
        match self.peek() {
            Some(line) if line.depth > depth => {
                Err(Fault::new(ToonErrorKind::TooIndented, line.offset))
            }
            Some(line) if line.depth == depth => {
                self.at += 1;
                Ok(Some(line))
            }
            _ => Ok(None),
        }
    }

    /// Reads an object's fields (section 8).
    fn object(&mut self, depth: usize) -> Result<Value, Fault> {
        self.enter()?;
        let mut members = Members::default();
        while let Some(line) = self.line_at(depth)? {
            let (key, value) = self.field(line, depth)?;
            self.set(&mut members, key, value, line)?;
        }
        self.open -= 1;
        Ok(members.into_object())
    }

    fn set(
        &self,
        members: &mut Members,
        key: Rc<str>,
        value: Value,
        line: Line<'t>,
    ) -> Result<(), Fault> {
        let is_new = members.set(key, value);
        if self.strict && !is_new {
            return Err(Fault::new(ToonErrorKind::DuplicateKey, line.offset));
        }
        Ok(())
    }

    fn field(&mut self, line: Line<'t>, depth: usize) -> Result<(Rc<str>, Value), Fault> {
        if let Some(header) = self.header(line)? {
            let Some(key) = header.key.clone() else {
                return Err(Fault::new(ToonErrorKind::KeylessHeader, line.offset));
            };
            return Ok((key, self.body(&header, line, depth)?));
        }
        let (key, value) = key_and_rest(line)?;
        let value = match value {
            "" => self.nested(depth)?,
            "[]" => Value::Array(Vec::new()),
            token => primitive(line, token)?,
        };
        Ok((key, value))
    }

    /// Reads the object of a key with nothing behind it.
    fn nested(&mut self, depth: usize) -> Result<Value, Fault> {
        match self.peek() {
            Some(line) if line.depth > depth => {
                let within = self.depth_within(depth);
                self.object(within)
            }
            _ => Ok(Value::Object(Vec::new())),
        }
    }

    /// Reads what belongs to a header that stands at this depth (section 9).
    fn body(&mut self, header: &Header<'t>, line: Line<'t>, depth: usize) -> Result<Value, Fault> {
        if !header.values.is_empty() {
            let values: Vec<_> = token::split(header.values, header.delimiter)
                .into_iter()
                .map(|token| primitive(line, token))
                .collect::<Result<_, _>>()?;
            self.check_count(header, values.len(), line)?;
            return Ok(Value::Array(values));
        }
        self.enter()?;
        let first = self.at;
        let within = self.depth_within(depth);
        let (value, count) = match &header.fields {
            Some(fields) if header.is_keyed => self.entries(header, fields, within)?,
            Some(fields) => self.rows(header, fields, within)?,
            None => self.items(within)?,
        };
        self.check_count(header, count, line)?;
        let lines = self.lines.get(first..self.at).unwrap_or_default();
        if let (true, [first, .., last]) = (self.strict, lines)
            && first.blanks < last.blanks
        {
            let is_behind_blank = |line: &&Line<'_>| line.blanks > first.blanks;
            let offset = lines
                .iter()
                .find(is_behind_blank)
                .map_or(self.end, |line| line.offset);
            return Err(Fault::new(ToonErrorKind::BlankLine, offset));
        }
        self.open -= 1;
        Ok(value)
    }

    fn check_count(&self, header: &Header<'t>, found: usize, line: Line<'t>) -> Result<(), Fault> {
        let (counted, found) = (header.length, u64::try_from(found).unwrap_or(u64::MAX));
        if self.strict && counted != found {
            let kind = ToonErrorKind::Count { counted, found };
            return Err(Fault::new(kind, line.offset));
        }
        Ok(())
    }

    /// Reads the items of a list (sections 9.4 and 10).
    fn items(&mut self, depth: usize) -> Result<(Value, usize), Fault> {
        let mut values = Vec::new();
        while let Some(line) = self.line_at(depth)? {
            values.push(self.item(line, depth)?);
        }
        let count = values.len();
        Ok((Value::Array(values), count))
    }

    fn item(&mut self, line: Line<'t>, depth: usize) -> Result<Value, Fault> {
        if line.content == "-" {
            return Ok(Value::Object(Vec::new()));
        }
        let Some(content) = line.content.strip_prefix("- ") else {
            return Err(Fault::new(ToonErrorKind::Expected("`- `"), line.offset));
        };
        let content = content.trim_start_matches(' ');
        let inner = Line {
            depth: depth + 1,
            content,
            offset: line.offset + line.content.len() - content.len(),
            ..line
        };
        if content == "[]" {
            return Ok(Value::Array(Vec::new()));
        }
        let header = self.header(inner)?;
        if let Some(header) = header.as_ref().filter(|header| header.key.is_none()) {
            if header.fields.is_some() {
                return Err(Fault::new(ToonErrorKind::KeylessHeader, inner.offset));
            }
            return self.body(header, inner, depth);
        }
        if header.is_none() && token::find_unquoted(content, |byte| byte == b':').is_none() {
            return primitive(inner, content);
        }
        // An object, whose first field stands behind the hyphen.
        self.at -= 1;
        if let Some(line) = self.lines.get_mut(self.at) {
            *line = inner;
        }
        self.object(depth + 1)
    }

    /// Reads the rows of a table (section 9.3). A line whose first colon stands before its first
    /// delimiter is a field and ends them.
    fn rows(
        &mut self,
        header: &Header<'t>,
        fields: &[Field],
        depth: usize,
    ) -> Result<(Value, usize), Fault> {
        let mut rows = Vec::new();
        while let Some(line) = self.line_at(depth)? {
            let mark = |byte| byte == b':' || char::from(byte) == header.delimiter;
            let mark = token::find_unquoted(line.content, mark);
            if mark.is_some_and(|at| line.content.as_bytes()[at] == b':') {
                return Err(Fault::new(ToonErrorKind::Expected("a row"), line.offset));
            }
            rows.push(self.row(header, fields, line.content, line)?);
        }
        let count = rows.len();
        Ok((Value::Array(rows), count))
    }

    /// Reads the entries of a keyed table (section 9.5).
    fn entries(
        &mut self,
        header: &Header<'t>,
        fields: &[Field],
        depth: usize,
    ) -> Result<(Value, usize), Fault> {
        let mut members = Members::default();
        let mut count = 0;
        while let Some(line) = self.line_at(depth)? {
            let (key, cells) = key_and_rest(line)?;
            if cells.is_empty() {
                return Err(Fault::new(ToonErrorKind::Expected("cells"), line.offset));
            }
            let row = self.row(header, fields, cells, line)?;
            self.set(&mut members, key, row, line)?;
            count += 1;
        }
        Ok((members.into_object(), count))
    }

    fn row(
        &mut self,
        header: &Header<'t>,
        fields: &[Field],
        cells: &'t str,
        line: Line<'t>,
    ) -> Result<Value, Fault> {
        let cells = token::split(cells, header.delimiter);
        if cells.len() != header.width {
            let kind = ToonErrorKind::RowWidth {
                fields: header.width,
                cells: cells.len(),
            };
            return Err(Fault::new(kind, line.offset));
        }
        self.members(fields, &mut cells.into_iter(), line)
    }

    fn members(
        &mut self,
        fields: &[Field],
        cells: &mut std::vec::IntoIter<&'t str>,
        line: Line<'t>,
    ) -> Result<Value, Fault> {
        let mut members = Vec::with_capacity(fields.len());
        for field in fields {
            let Some(room) = self.room.checked_sub(field.name.len() + 4) else {
                return Err(Fault::new(ToonErrorKind::TooLarge, line.offset));
            };
            self.room = room;
            let value = match &field.group {
                Some(group) => self.members(group, cells, line)?,
                None => primitive(line, cells.next().unwrap_or_default())?,
            };
            members.push((Rc::clone(&field.name), value));
        }
        if self.strict {
            return Ok(Value::Object(members)); // The header was checked for names that stand twice.
        }
        let mut distinct = Members::default();
        for (key, value) in members {
            distinct.set(key, value);
        }
        Ok(distinct.into_object())
    }
}

fn primitive(line: Line<'_>, token: &str) -> Result<Value, Fault> {
    token::read_primitive(token).map_err(|kind| Fault::new(kind, line.offset))
}

/// Parts a line at its first colon that is not in quotes.
fn key_and_rest(line: Line<'_>) -> Result<(Rc<str>, &str), Fault> {
    let Some(colon) = token::find_unquoted(line.content, |byte| byte == b':') else {
        return Err(Fault::new(ToonErrorKind::Expected("`:`"), line.offset));
    };
    let key = token::read_key(token::trim(&line.content[..colon]))
        .map_err(|kind| Fault::new(kind, line.offset))?;
    Ok((key.into(), token::trim(&line.content[colon + 1..])))
}
