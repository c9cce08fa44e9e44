//! Values that know where they stand, so that a fault can name its place.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use super::error::ViewError;
use crate::json::{JsonKind, Span, Value};

/// The way from the root to a value, linked through the reader's stack: writing it out is left to
/// the day when something is wrong.
#[derive(Debug, Clone, Copy)]
struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'p> {
    Root,
    Key(&'p str),
    Index(usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(parent) = self.parent else {
            return Ok(());
        };
        write!(f, "{parent}")?;
        match self.step {
            Step::Root => Ok(()),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) if parent.parent.is_none() => f.write_str(key),
            Step::Key(key) => write!(f, ".{key}"),
        }
    }
}

/// A value of the request on the way to being read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node<'d, 'p> {
    value: Value<'d>,
    path: Path<'p>,
}

impl<'d> Node<'d, 'static> {
    pub(crate) fn root(value: Value<'d>) -> Self {
        Self {
            value,
            path: Path {
                parent: None,
                step: Step::Root,
            },
        }
    }
}

impl<'d> Node<'d, '_> {
    pub(crate) fn span(&self) -> Span {
        self.value.span()
    }

    pub(crate) fn kind(&self) -> JsonKind {
        self.value.kind()
    }

    /// The value as it is spelled.
    pub(crate) fn raw(&self) -> &'d str {
        self.value.raw()
    }

    /// The value itself, without its place.
    pub(crate) fn value(&self) -> Value<'d> {
        self.value
    }

    /// The place in the request, such as `tools[0].function`.
    pub(crate) fn place(&self) -> String {
        self.path.to_string()
    }

    fn child<'s>(&'s self, step: Step<'s>, value: Value<'d>) -> Node<'d, 's> {
        Node {
            value,
            path: Path {
                parent: Some(&self.path),
                step,
            },
        }
    }

    /// The fault that something else should stand here.
    pub(crate) fn unexpected(&self, expected: &'static str) -> ViewError {
        self.found(expected, self.kind().as_str())
    }

    /// The fault that nothing stands here.
    pub(crate) fn empty(&self, expected: &'static str) -> ViewError {
        self.found(
            expected,
            match self.kind() {
                JsonKind::String => "an empty string",
                _ => "an empty array",
            },
        )
    }

    fn found(&self, expected: &'static str, found: &'static str) -> ViewError {
        let path = match self.path.step {
            Step::Root => "request body".to_owned(),
            _ => self.path.to_string(),
        };
        ViewError::Unexpected {
            path,
            expected,
            found,
            offset: self.span().start,
        }
    }

    /// The fault that two members of this object exclude each other.
    pub(crate) fn conflict(&self, key: &'static str, other: &'static str) -> ViewError {
        let path = self.child(Step::Key(key), self.value).path.to_string();
        ViewError::Conflict { path, other }
    }

    /// A member that must be there.
    pub(crate) fn require<T>(
        &self,
        member: Option<T>,
        key: &'static str,
        expected: &'static str,
    ) -> Result<T, ViewError> {
        member.ok_or_else(|| ViewError::Missing {
            path: self.child(Step::Key(key), self.value).path.to_string(),
            expected,
        })
    }

    /// The members with these keys, `null` as absent. One that stands twice is a fault, also in another
    /// letter case; members with other keys are not looked at.
    pub(crate) fn fields<const N: usize>(
        &self,
        keys: [&'static str; N],
    ) -> Result<[Option<Node<'d, '_>>; N], ViewError> {
        let members = self
            .value
            .as_object()
            .ok_or_else(|| self.unexpected("an object"))?;
        let mut fields = [None; N];
        let mut seen = [false; N];
        for (name, value) in members {
            let Some(slot) = keys.iter().position(|key| *key == name) else {
                let is_ascii = name.is_ascii();
                let meant = |key: &&&str| {
                    if is_ascii {
                        name.eq_ignore_ascii_case(key)
                    } else {
                        folds_to(&name, key)
                    }
                };
                if let Some(key) = keys.iter().find(meant) {
                    return Err(self.child(Step::Key(key), value).letter_case());
                }
                continue;
            };
            let field = self.child(Step::Key(keys[slot]), value);
            if std::mem::replace(&mut seen[slot], true) {
                return Err(field.duplicate());
            }
            fields[slot] = Some(field).filter(|field| !field.value.is_null());
        }
        Ok(fields)
    }

    fn duplicate(&self) -> ViewError {
        ViewError::DuplicateKey {
            path: self.path.to_string(),
            offset: self.span().start,
        }
    }

    fn letter_case(&self) -> ViewError {
        ViewError::LetterCase {
            path: self.path.to_string(),
            offset: self.span().start,
        }
    }

    /// Where the member with this key is, if it is `null`.
    pub(crate) fn null(&self, key: &str) -> Option<Span> {
        let value = self.value.get(key)?;
        value.is_null().then(|| value.span())
    }

    /// Whether this is an array without values.
    pub(crate) fn is_empty_array(&self) -> bool {
        self.value
            .as_array()
            .is_some_and(|mut values| values.next().is_none())
    }

    /// The members of an object that are strings. All of its keys are read, so none may stand twice.
    pub(crate) fn string_pairs(&self) -> Result<Vec<(String, String)>, ViewError> {
        let members = self
            .value
            .as_object()
            .ok_or_else(|| self.unexpected("an object"))?;
        let mut seen = HashSet::new();
        let mut pairs = Vec::new();
        for (name, value) in members {
            if !seen.insert(name.clone()) {
                return Err(self.child(Step::Key(&name), value).duplicate());
            }
            if let Some(text) = value.as_str() {
                pairs.push((name.into_owned(), text.into_owned()));
            }
        }
        Ok(pairs)
    }

    /// The values of an array.
    pub(crate) fn elements(
        &self,
        expected: &'static str,
    ) -> Result<impl Iterator<Item = Node<'d, '_>>, ViewError> {
        let elements = self
            .value
            .as_array()
            .ok_or_else(|| self.unexpected(expected))?;
        Ok(elements
            .enumerate()
            .map(|(index, value)| self.child(Step::Index(index), value)))
    }

    pub(crate) fn string(&self) -> Result<Cow<'d, str>, ViewError> {
        self.value
            .as_str()
            .ok_or_else(|| self.unexpected("a string"))
    }

    pub(crate) fn owned_string(&self) -> Result<String, ViewError> {
        self.string().map(Cow::into_owned)
    }

    pub(crate) fn non_empty_string(&self) -> Result<String, ViewError> {
        let text = self.owned_string()?;
        if text.is_empty() {
            return Err(self.empty("a name"));
        }
        Ok(text)
    }

    /// The span of a value that must be a string.
    pub(crate) fn string_span(&self) -> Result<Span, ViewError> {
        match self.kind() {
            JsonKind::String => Ok(self.span()),
            _ => Err(self.unexpected("a string")),
        }
    }

    pub(crate) fn boolean(&self) -> Result<bool, ViewError> {
        self.value
            .as_bool()
            .ok_or_else(|| self.unexpected("a boolean"))
    }

    pub(crate) fn number(&self) -> Result<f64, ViewError> {
        self.value
            .as_f64()
            .ok_or_else(|| self.unexpected("a number"))
    }

    pub(crate) fn integer(&self) -> Result<i64, ViewError> {
        const EXPECTED: &str = "a whole number";
        self.value
            .as_i64()
            .ok_or_else(|| self.wrong_number(EXPECTED))
    }

    /// A whole number from 0 on.
    pub(crate) fn count(&self) -> Result<u64, ViewError> {
        const EXPECTED: &str = "a whole number from 0 on";
        self.value
            .as_u64()
            .ok_or_else(|| self.wrong_number(EXPECTED))
    }

    /// A whole number from 0 to `most`.
    pub(crate) fn count_up_to(&self, most: u8, expected: &'static str) -> Result<u8, ViewError> {
        self.value
            .as_u64()
            .and_then(|count| u8::try_from(count).ok())
            .filter(|count| *count <= most)
            .ok_or_else(|| self.wrong_number(expected))
    }

    fn wrong_number(&self, expected: &'static str) -> ViewError {
        match self.kind() {
            JsonKind::Number => self.found(expected, "another number"),
            _ => self.unexpected(expected),
        }
    }
}

/// Whether readers that match keys in any letter case, as Go's and .NET's do, take `name` for `key`,
/// which is lower-case ASCII.
fn folds_to(name: &str, key: &str) -> bool {
    let fold = |character: char| match character {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    name.chars().map(fold).eq(key.chars())
}
