//! Objects that fit a table (sections 9.3 and 9.5).

use std::collections::HashMap;
use std::rc::Rc;

use super::value::Value;

/// A field of a table: a cell, or a group of fields that is an object in each row.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: Rc<str>,
    pub(super) group: Option<Vec<Field>>,
}

/// The fields that objects have in common, and their cells.
pub(super) struct Shape<'v> {
    pub(super) fields: Vec<Field>,
    /// For each object the values of its cells, those of groups among them.
    pub(super) rows: Vec<Vec<&'v Value>>,
}

impl<'v> Shape<'v> {
    /// None unless all values are objects with the same keys, in any order, whose values are
    /// primitive or, field by field, such objects themselves.
    pub(super) fn of(values: &[&'v Value]) -> Option<Self> {
        let objects: Vec<&[(Rc<str>, Value)]> = values
            .iter()
            .map(|value| match value {
                Value::Object(members) if !members.is_empty() => Some(members.as_slice()),
                _ => None,
            })
            .collect::<Option<_>>()?;
        let keys = *objects.first()?;
        let aligned: Vec<Vec<&Value>> = objects
            .iter()
            .map(|object| align(keys, object))
            .collect::<Option<_>>()?;
        let mut shape = Self {
            fields: Vec::with_capacity(keys.len()),
            rows: vec![Vec::with_capacity(keys.len()); objects.len()],
        };
        for (at, (name, _)) in keys.iter().enumerate() {
            let column: Vec<&Value> = aligned.iter().map(|row| row[at]).collect();
            let mut group = None;
            if column.iter().all(|value| value.is_primitive()) {
                for (row, value) in shape.rows.iter_mut().zip(column) {
                    row.push(value);
                }
            } else {
                let inner = Shape::of(&column)?;
                for (row, values) in shape.rows.iter_mut().zip(inner.rows) {
                    row.extend(values);
                }
                group = Some(inner.fields);
            }
            shape.fields.push(Field {
                name: Rc::clone(name),
                group,
            });
        }
        Some(shape)
    }
}

/// An object's values in the order of these keys, if it has them and no others.
fn align<'v>(keys: &[(Rc<str>, Value)], object: &'v [(Rc<str>, Value)]) -> Option<Vec<&'v Value>> {
    if keys.len() != object.len() {
        return None;
    }
    if keys.iter().zip(object).all(|(a, b)| a.0 == b.0) {
        return Some(object.iter().map(|(_, value)| value).collect());
    }
    let members: HashMap<&str, &Value> = object.iter().map(|(k, value)| (&**k, value)).collect();
    keys.iter()
        .map(|(key, _)| members.get(&**key).copied())
        .collect()
}
