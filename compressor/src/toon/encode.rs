//! The encoder.

use std::rc::Rc;

use super::shape::{Field, Shape};
use super::value::Value;
use super::{EncodeOptions, token};

pub(super) fn encode(value: &Value, options: EncodeOptions) -> String {
    let mut writer = Writer {
        text: String::new(),
        indent: options.indent.max(1),
        delimiter: options.delimiter.as_char(),
        symbol: options.delimiter.symbol(),
    };
    match value {
        Value::Array(values) if values.is_empty() => writer.text.push_str("[]"),
        Value::Array(values) => writer.array(values, 0, true),
        Value::Object(members) => match keyed(members) {
            Some(shape) => writer.entries(members, &shape, 0),
            None => writer.object(members, 0, false),
        },
        primitive => writer.primitive(primitive),
    }
    writer.text
}

/// The shape of an object that is written as a keyed table (section 9.5): of two entries or more.
fn keyed(members: &[(Rc<str>, Value)]) -> Option<Shape<'_>> {
    let values: Vec<&Value> = members.iter().map(|(_, value)| value).collect();
    Shape::of(&values).filter(|_| members.len() >= 2)
}

struct Writer {
    text: String,
    indent: usize,
    delimiter: char,
    symbol: &'static str,
}

impl Writer {
    /// Begins a line.
    fn line(&mut self, depth: usize) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        for _ in 0..depth * self.indent {
            self.text.push(' ');
        }
    }

    fn primitive(&mut self, value: &Value) {
        token::write_primitive(value, self.delimiter, &mut self.text);
    }

    /// Writes an object's fields, the first of an item's behind its hyphen (section 10).
    fn object(&mut self, members: &[(Rc<str>, Value)], depth: usize, is_item: bool) {
        let mut is_behind_hyphen = is_item;
        for (key, value) in members {
            if is_behind_hyphen {
                self.line(depth - 1);
                self.text.push_str("- ");
                is_behind_hyphen = false;
            } else {
                self.line(depth);
            }
            token::write_key(key, &mut self.text);
            self.field(value, depth);
        }
    }

    /// Writes what stands behind a key (section 8).
    fn field(&mut self, value: &Value, depth: usize) {
        match value {
            Value::Array(values) if values.is_empty() => self.text.push_str(": []"),
            Value::Array(values) => self.array(values, depth, true),
            Value::Object(members) => {
                if let Some(shape) = keyed(members) {
                    self.entries(members, &shape, depth);
                } else {
                    self.text.push(':');
                    self.object(members, depth + 1, false);
                }
            }
            primitive => {
                self.text.push_str(": ");
                self.primitive(primitive);
            }
        }
    }

    /// Writes a list, from its header on (section 9). Those in lists are never tables.
    fn array(&mut self, values: &[Value], depth: usize, may_be_table: bool) {
        self.length(values.len(), "");
        if values.iter().all(Value::is_primitive) {
            self.text.push(':');
            if !values.is_empty() {
                self.text.push(' ');
                self.cells(values.iter());
            }
            return;
        }
        let rows: Vec<&Value> = values.iter().collect();
        if let Some(shape) = Shape::of(&rows).filter(|_| may_be_table) {
            self.fields(&shape.fields);
            self.text.push(':');
            for row in shape.rows {
                self.line(depth + 1);
                self.cells(row.into_iter());
            }
            return;
        }
        self.text.push(':');
        for value in values {
            self.item(value, depth + 1);
        }
    }

    /// Writes an item of a list (section 9.4).
    fn item(&mut self, value: &Value, depth: usize) {
        match value {
            Value::Object(members) if !members.is_empty() => {
                self.object(members, depth + 1, true);
            }
            Value::Object(_) => {
                self.line(depth);
                self.text.push('-');
            }
            Value::Array(values) => {
                self.line(depth);
                self.text.push_str("- ");
                self.array(values, depth, false);
            }
            primitive => {
                self.line(depth);
                self.text.push_str("- ");
                self.primitive(primitive);
            }
        }
    }

    /// Writes a keyed table (section 9.5).
    fn entries(&mut self, members: &[(Rc<str>, Value)], shape: &Shape<'_>, depth: usize) {
        self.length(members.len(), ":");
        self.fields(&shape.fields);
        self.text.push(':');
        for ((key, _), row) in members.iter().zip(&shape.rows) {
            self.line(depth + 1);
            token::write_key(key, &mut self.text);
            self.text.push_str(": ");
            self.cells(row.iter().copied());
        }
    }

    fn length(&mut self, length: usize, mark: &str) {
        self.text.push('[');
        self.text.push_str(&length.to_string());
        self.text.push_str(mark);
        if length > 0 {
            self.text.push_str(self.symbol);
        }
        self.text.push(']');
    }

    fn fields(&mut self, fields: &[Field]) {
        self.text.push('{');
        for (at, field) in fields.iter().enumerate() {
            if at > 0 {
                self.text.push(self.delimiter);
            }
            token::write_key(&field.name, &mut self.text);
            if let Some(group) = &field.group {
                self.fields(group);
            }
        }
        self.text.push('}');
    }

    fn cells<'v>(&mut self, cells: impl Iterator<Item = &'v Value>) {
        for (at, cell) in cells.enumerate() {
            if at > 0 {
                self.text.push(self.delimiter);
            }
            self.primitive(cell);
        }
    }
}
