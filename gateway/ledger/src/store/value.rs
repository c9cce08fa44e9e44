//! What goes into a column and what comes out of one, the same for both databases.

use std::sync::Arc;

use skinflint_money::{NanoUsd, NanoUsdDelta};
use uuid::Uuid;

use crate::error::LedgerError;

/// A value for a column. The absent ones keep their type: Postgres asks for it.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Int(Option<i64>),
    Text(Option<Arc<str>>),
    Bytes(Vec<u8>),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}

impl From<u64> for Value {
    /// Counts are bounded when they come in; one that is not is the largest.
    fn from(number: u64) -> Self {
        Self::from(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::from(i64::from(number))
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::from(i64::from(flag))
    }
}

impl From<NanoUsd> for Value {
    fn from(amount: NanoUsd) -> Self {
        Self::from(amount.get())
    }
}

impl From<NanoUsdDelta> for Value {
    fn from(amount: NanoUsdDelta) -> Self {
        Self::from(amount.get())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(Arc::from(text)))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&Option<String>> for Value {
    fn from(text: &Option<String>) -> Self {
        Self::Text(text.as_deref().map(Arc::from))
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(Arc::from))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text.map(Arc::from))
    }
}

impl From<Uuid> for Value {
    fn from(id: Uuid) -> Self {
        Self::Bytes(id.as_bytes().to_vec())
    }
}

/// A value of a column that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A row that was read, taken apart from its first column on.
#[derive(Debug)]
pub(crate) struct Cells {
    cells: std::vec::IntoIter<Cell>,
    taken: usize,
}

impl Cells {
    pub(crate) fn new(cells: Vec<Cell>) -> Self {
        Self {
            cells: cells.into_iter(),
            taken: 0,
        }
    }

    fn next<T>(&mut self, read: impl FnOnce(Cell) -> Option<T>) -> Result<T, LedgerError> {
        self.taken = self.taken.saturating_add(1);
        self.cells
            .next()
            .and_then(read)
            .ok_or(LedgerError::Unreadable { column: self.taken })
    }

    pub(crate) fn int(&mut self) -> Result<i64, LedgerError> {
        self.next(|cell| match cell {
            Cell::Int(number) => Some(number),
            _ => None,
        })
    }

    pub(crate) fn int_if(&mut self) -> Result<Option<i64>, LedgerError> {
        self.next(|cell| match cell {
            Cell::Int(number) => Some(Some(number)),
            Cell::Null => Some(None),
            _ => None,
        })
    }

    /// A number that is not negative.
    pub(crate) fn count(&mut self) -> Result<u64, LedgerError> {
        let number = self.int()?;
        u64::try_from(number).map_err(|_| LedgerError::Unreadable { column: self.taken })
    }

    pub(crate) fn count_if(&mut self) -> Result<Option<u64>, LedgerError> {
        let number = self.int_if()?;
        let column = self.taken;
        number
            .map(|number| u64::try_from(number).map_err(|_| LedgerError::Unreadable { column }))
            .transpose()
    }

    pub(crate) fn small<T: TryFrom<i64>>(&mut self) -> Result<T, LedgerError> {
        let number = self.int()?;
        T::try_from(number).map_err(|_| LedgerError::Unreadable { column: self.taken })
    }

    pub(crate) fn flag(&mut self) -> Result<bool, LedgerError> {
        Ok(self.int()? != 0)
    }

    pub(crate) fn amount(&mut self) -> Result<NanoUsd, LedgerError> {
        self.count().map(NanoUsd::new)
    }

    pub(crate) fn delta(&mut self) -> Result<NanoUsdDelta, LedgerError> {
        self.int().map(NanoUsdDelta::new)
    }

    pub(crate) fn text(&mut self) -> Result<String, LedgerError> {
        self.next(|cell| match cell {
            Cell::Text(text) => Some(text),
            _ => None,
        })
    }

    pub(crate) fn text_if(&mut self) -> Result<Option<String>, LedgerError> {
        self.next(|cell| match cell {
            Cell::Text(text) => Some(Some(text)),
            Cell::Null => Some(None),
            _ => None,
        })
    }

    /// One of a few names.
    pub(crate) fn named<T>(
        &mut self,
        named: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, LedgerError> {
        let text = self.text()?;
        named(&text).ok_or(LedgerError::Unreadable { column: self.taken })
    }

    /// A list of strings, kept as JSON.
    pub(crate) fn list(&mut self) -> Result<Vec<String>, LedgerError> {
        let text = self.text_if()?;
        let column = self.taken;
        text.map_or(Ok(Vec::new()), |text| {
            serde_json::from_str(&text).map_err(|_| LedgerError::Unreadable { column })
        })
    }

    pub(crate) fn id(&mut self) -> Result<Uuid, LedgerError> {
        self.next(|cell| match cell {
            Cell::Bytes(bytes) => Uuid::from_slice(&bytes).ok(),
            _ => None,
        })
    }
}
