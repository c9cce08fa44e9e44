//! A provider's export, read.

use std::collections::BTreeMap;

use csv::{ReaderBuilder, StringRecord};
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{
    figures::{Figures, Measure},
    layout::{LAYOUTS, Layout},
};

/// What a provider says was used and billed.
#[derive(Debug)]
pub(crate) struct Export {
    /// The kind of export.
    pub name: &'static str,
    /// Whose it is; none if the file does not tell.
    pub provider: Option<&'static str>,
    /// The first day that it is about.
    pub first: Date,
    /// The last one.
    pub last: Date,
    /// What it says anything of.
    pub measures: Vec<Measure>,
    /// By day and model. An export that is not grouped by model has [`ALL_MODELS`] alone.
    pub days: BTreeMap<(Date, String), Figures>,
}

/// Why an export cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExportError {
    /// Not the kind of file.
    #[error("the export is not a table in CSV")]
    Csv(#[from] csv::Error),
    /// No kind that is known has such columns.
    #[error(
        "the export's columns are of no kind that is known: {header}; expected those of OpenAI's or Anthropic's usage or costs, \
         or `date`, `model` and any of `input_tokens`, `cached_input_tokens`, `cache_write_5m_tokens`, `cache_write_1h_tokens`, `output_tokens`, `cost_usd`"
    )]
    Unknown {
        /// What the first line says.
        header: String,
    },
    /// A field is not what its column is for.
    #[error("line {line}, column `{column}`: `{value}`: {message}")]
    Field {
        /// Of the file, from 1.
        line: u64,
        /// Its name.
        column: String,
        /// What stands there.
        value: String,
        /// What should.
        message: &'static str,
    },
    /// Some rows name a model and others do not.
    #[error("line {line}, column `{column}`: no model, though other lines have one")]
    NoModel {
        /// Of the file, from 1.
        line: u64,
        /// The column of models.
        column: &'static str,
    },
    /// Nothing but a header.
    #[error("the export has no rows")]
    Empty,
}

/// Stands for the model in an export that is not grouped by it.
pub(super) const ALL_MODELS: &str = "all models";

/// The columns of a layout, found in a header.
struct Columns {
    layout: &'static Layout,
    day: usize,
    model: usize,
    instead_of_model: Option<usize>,
    currency: Option<usize>,
    numbers: Vec<(usize, &'static [Measure])>,
}

/// A field with its place, for errors.
#[derive(Clone, Copy)]
struct Field<'a> {
    line: u64,
    column: &'a str,
    text: &'a str,
}

// === impl Export ===

impl Export {
    /// Reads the CSV of any export that is known; a row that is wrong makes the whole of it unreadable.
    pub(crate) fn read(csv: &[u8]) -> Result<Self, ExportError> {
        // Spreadsheets begin a file with the mark.
        let csv = csv.strip_prefix("\u{feff}".as_bytes()).unwrap_or(csv);
        let mut reader = ReaderBuilder::new().trim(csv::Trim::All).from_reader(csv);
        let header = reader.headers()?.clone();
        let columns = Columns::find(&header)?;
        let mut rows = Vec::new();
        for record in reader.into_records() {
            rows.push(columns.row(&header, &record?)?);
        }
        let (Some(first), Some(last)) = (
            rows.iter().map(|row| row.day).min(),
            rows.iter().map(|row| row.day).max(),
        ) else {
            return Err(ExportError::Empty);
        };
        let by_model = rows.iter().any(|row| row.model.is_some());
        let mut days: BTreeMap<(Date, String), Figures> = BTreeMap::new();
        for row in rows {
            let Some(figures) = row.figures else { continue };
            let model = match row.model {
                Some(model) => model,
                None if !by_model => ALL_MODELS.to_owned(),
                None => {
                    return Err(ExportError::NoModel {
                        line: row.line,
                        column: columns.layout.model,
                    });
                }
            };
            days.entry((row.day, model)).or_default().add_all(&figures);
        }
        Ok(Self {
            name: columns.layout.name,
            provider: columns.layout.provider,
            first,
            last,
            measures: columns.measures(),
            days,
        })
    }

    /// Whether models are told apart.
    pub(super) fn is_by_model(&self) -> bool {
        !self.days.keys().any(|(_, model)| model == ALL_MODELS)
    }
}

/// One line.
struct Row {
    line: u64,
    day: Date,
    model: Option<String>,
    /// None in a line that only says that nothing was used on its day.
    figures: Option<Figures>,
}

// === impl Columns ===

impl Columns {
    fn find(header: &StringRecord) -> Result<Self, ExportError> {
        let place = |name: &str| header.iter().position(|column| column == name);
        let unknown = || ExportError::Unknown {
            header: header.iter().collect::<Vec<_>>().join(", "),
        };
        let layout = LAYOUTS
            .iter()
            .find(|layout| layout.signs.iter().all(|sign| place(sign).is_some()))
            .ok_or_else(unknown)?;
        let numbers: Vec<_> = layout
            .numbers
            .iter()
            .filter_map(|(name, measures)| Some((place(name)?, *measures)))
            .collect();
        if numbers.is_empty() {
            return Err(unknown());
        }
        Ok(Self {
            layout,
            day: layout
                .day
                .iter()
                .find_map(|name| place(name))
                .ok_or_else(unknown)?,
            model: place(layout.model).ok_or_else(unknown)?,
            instead_of_model: layout.instead_of_model.and_then(place),
            currency: layout.currency.and_then(place),
            numbers,
        })
    }

    fn measures(&self) -> Vec<Measure> {
        Measure::ALL
            .into_iter()
            .filter(|measure| self.numbers.iter().any(|(_, of)| of.contains(measure)))
            .collect()
    }

    fn row(&self, header: &StringRecord, record: &StringRecord) -> Result<Row, ExportError> {
        let line = record.position().map_or(0, csv::Position::line);
        let field = |column: usize| Field {
            line,
            column: header.get(column).unwrap_or_default(),
            text: record.get(column).unwrap_or_default(),
        };
        let day = field(self.day).day()?;
        let is_blank = self
            .numbers
            .iter()
            .all(|(column, _)| field(*column).text.is_empty());
        if is_blank {
            return Ok(Row {
                line,
                day,
                model: None,
                figures: None,
            });
        }
        if let Some(column) = self.currency {
            field(column).dollars()?;
        }
        let mut figures = Figures::default();
        for (column, measures) in &self.numbers {
            let field = field(*column);
            for measure in *measures {
                let number = match measure {
                    Measure::Cost => field.nano_dollars()?,
                    _ => field.count()?,
                };
                figures.add(*measure, number);
            }
        }
        let name = |column: usize| Some(field(column).text).filter(|text| !text.is_empty());
        let model = name(self.model).or_else(|| self.instead_of_model.and_then(name));
        let model = match model.and_then(|model| model.split_once(',')) {
            Some((before, _)) if self.layout.model_before_comma => Some(before.trim_end()),
            _ => model,
        };
        Ok(Row {
            line,
            day,
            model: model.map(str::to_owned),
            figures: Some(figures),
        })
    }
}

// === impl Field ===

impl Field<'_> {
    fn wrong(&self, message: &'static str) -> ExportError {
        ExportError::Field {
            line: self.line,
            column: self.column.to_owned(),
            value: self.text.to_owned(),
            message,
        }
    }

    /// A date, a time of UTC, or seconds since 1970.
    fn day(&self) -> Result<Date, ExportError> {
        const EXPECTED: &str = "expected a day such as 2026-11-01, in UTC";
        if let Ok(seconds) = self.text.parse::<i64>() {
            let time = Timestamp::from_second(seconds).map_err(|_| self.wrong(EXPECTED))?;
            return Ok(time.to_zoned(TimeZone::UTC).date());
        }
        let (date, time) = match self.text.split_once(['T', ' ']) {
            Some((date, time)) => (date, time),
            None => (self.text, ""),
        };
        let clock = time
            .trim_end_matches("+00:00")
            .trim_end_matches('Z')
            .trim_end_matches(" UTC");
        let is_utc = clock
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b":.".contains(&byte));
        if !is_utc || date.len() != "2026-11-01".len() {
            return Err(self.wrong(EXPECTED));
        }
        date.parse().map_err(|_| self.wrong(EXPECTED))
    }

    fn dollars(&self) -> Result<(), ExportError> {
        if self.text.eq_ignore_ascii_case("usd") {
            return Ok(());
        }
        Err(self.wrong("expected amounts in usd"))
    }

    /// A number of tokens, blank for none. Some exports write `59200.0`.
    fn count(&self) -> Result<i64, ExportError> {
        if self.text.is_empty() {
            return Ok(0);
        }
        let (whole, fraction) = self.text.split_once('.').unwrap_or((self.text, ""));
        let is_whole = fraction.bytes().all(|digit| digit == b'0');
        let is_number = whole.bytes().all(|byte| byte.is_ascii_digit());
        whole
            .parse()
            .ok()
            .filter(|_| is_whole && is_number)
            .ok_or_else(|| self.wrong("expected a number of tokens"))
    }

    /// Dollars, blank for none, rounded half up to the nano-dollar; a credit is below zero. Exports have up to thirty decimals.
    fn nano_dollars(&self) -> Result<i64, ExportError> {
        const DECIMALS: usize = 9;
        if self.text.is_empty() {
            return Ok(0);
        }
        let wrong = || self.wrong("expected dollars as a decimal number such as 12.50");
        let (sign, amount) = match self.text.strip_prefix('-') {
            Some(amount) => (-1, amount),
            None => (1, self.text),
        };
        let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || amount.ends_with('.') {
            return Err(wrong());
        }
        let (kept, rest) = fraction
            .split_at_checked(DECIMALS)
            .unwrap_or((fraction, ""));
        let up = i64::from(rest.bytes().next().is_some_and(|digit| digit >= b'5'));
        format!("{whole}{kept:0<DECIMALS$}")
            .parse::<i64>()
            .ok()
            .and_then(|nano| nano.checked_add(up)?.checked_mul(sign))
            .ok_or_else(wrong)
    }
}
