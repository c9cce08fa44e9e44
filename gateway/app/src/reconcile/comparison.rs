//! The two sides, line by line and in sum.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::{Serialize, Serializer, ser::SerializeMap};
use skinflint_ledger::BilledDay;

use super::{
    export::{ALL_MODELS, Export},
    figures::{Compared, Figures, Measure},
};

/// What the ledger and an export say of the same days.
#[derive(Debug)]
pub(crate) struct Reconciliation {
    /// The kind of export.
    pub export: &'static str,
    /// Whose calls were compared.
    pub upstreams: BTreeSet<String>,
    /// The first day.
    pub first: Date,
    /// The last day.
    pub last: Date,
    /// What the export says anything of.
    pub measures: Vec<Measure>,
    /// By day and model.
    pub lines: Vec<Line>,
    /// All lines together.
    pub total: Line,
}

/// What both sides say of a model on a day.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// The day; of the total, the first one.
    pub day: Date,
    /// The model, by the export's name where it has one.
    pub model: String,
    /// Calls in the ledger.
    pub calls: u64,
    /// Of these: calls whose cost the provider did not say.
    pub estimated: u64,
    /// By our own books; none if only the export knows of it.
    pub ledger: Option<Figures>,
    /// By the provider's; none if only the ledger knows of it.
    pub export: Option<Figures>,
}

/// What is left of a day when the models of the same name are matched.
#[derive(Default)]
struct Day {
    ledger: BTreeMap<String, Line>,
    export: BTreeMap<String, Figures>,
}

// === impl Reconciliation ===

impl Reconciliation {
    /// Compares an export with the days of the ledger that it is about.
    pub(super) fn of(export: &Export, days: &[BilledDay], upstreams: BTreeSet<String>) -> Self {
        let mut by_day: BTreeMap<Date, Day> = BTreeMap::new();
        for billed in days {
            let model = if export.is_by_model() {
                billed.model.as_str()
            } else {
                ALL_MODELS
            };
            let day = by_day.entry(billed.day).or_default();
            let line = day
                .ledger
                .entry(model.to_ascii_lowercase())
                .or_insert_with(|| Line::empty(billed.day, model));
            line.count(billed);
        }
        for ((date, model), figures) in &export.days {
            let day = by_day.entry(*date).or_default();
            day.export
                .entry(model.clone())
                .or_default()
                .add_all(figures);
        }
        let lines: Vec<Line> = by_day
            .into_iter()
            .flat_map(|(date, day)| day.lines(date))
            .collect();
        let mut total = Line::empty(export.first, "total");
        for line in &lines {
            total.add(line);
        }
        Self {
            export: export.name,
            upstreams,
            first: export.first,
            last: export.last,
            measures: export.measures.clone(),
            lines,
            total,
        }
    }

    /// The sides of a line, by what the export says anything of.
    pub(crate) fn compared(&self, line: &Line) -> Vec<Compared> {
        let figure = |side: &Option<Figures>, measure| {
            side.as_ref().map_or(0, |figures| figures.get(measure))
        };
        self.measures
            .iter()
            .map(|&measure| Compared {
                measure,
                ledger: figure(&line.ledger, measure),
                export: figure(&line.export, measure),
            })
            .collect()
    }
}

impl Serialize for Reconciliation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let lines: Vec<Told<'_>> = self
            .lines
            .iter()
            .map(|line| Told(self, line, true))
            .collect();
        let drift: BTreeMap<&str, Option<String>> = self
            .compared(&self.total)
            .iter()
            .map(|compared| (compared.measure.name(), compared.drift_percent()))
            .collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("export", self.export)?;
        map.serialize_entry("upstreams", &self.upstreams)?;
        map.serialize_entry("first_day", &self.first.to_string())?;
        map.serialize_entry("last_day", &self.last.to_string())?;
        map.serialize_entry("lines", &lines)?;
        map.serialize_entry("total", &Told(self, &self.total, false))?;
        map.serialize_entry("drift_percent", &drift)?;
        map.end()
    }
}

/// A line as JSON says it, with its day and model or, in sum, without.
struct Told<'a>(&'a Reconciliation, &'a Line, bool);

impl Serialize for Told<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(whole, line, is_of_a_model) = self;
        let mut map = serializer.serialize_map(None)?;
        if *is_of_a_model {
            map.serialize_entry("day", &line.day.to_string())?;
            map.serialize_entry("model", &line.model)?;
            map.serialize_entry("in_ledger", &line.ledger.is_some())?;
            map.serialize_entry("in_export", &line.export.is_some())?;
        }
        map.serialize_entry("calls", &line.calls)?;
        map.serialize_entry("estimated_calls", &line.estimated)?;
        for compared in whole.compared(line) {
            map.serialize_entry(compared.measure.name(), &compared)?;
        }
        map.end()
    }
}

// === impl Line ===

impl Line {
    fn empty(day: Date, model: &str) -> Self {
        Self {
            day,
            model: model.to_owned(),
            calls: 0,
            estimated: 0,
            ledger: None,
            export: None,
        }
    }

    fn count(&mut self, billed: &BilledDay) {
        self.calls = self.calls.saturating_add(billed.sums.calls);
        self.estimated = self.estimated.saturating_add(billed.estimated);
        self.ledger
            .get_or_insert_default()
            .add_all(&Figures::of(&billed.sums));
    }

    fn add(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.estimated = self.estimated.saturating_add(other.estimated);
        for (sum, more) in [
            (&mut self.ledger, &other.ledger),
            (&mut self.export, &other.export),
        ] {
            if let Some(more) = more {
                sum.get_or_insert_default().add_all(more);
            }
        }
    }
}

// === impl Day ===

impl Day {
    fn lines(mut self, date: Date) -> Vec<Line> {
        let mut lines = Vec::new();
        for (model, figures) in std::mem::take(&mut self.export) {
            match self.ledger.remove(&model.to_ascii_lowercase()) {
                Some(line) => lines.push(Line {
                    model,
                    export: Some(figures),
                    ..line
                }),
                None => {
                    self.export.insert(model, figures);
                }
            }
        }
        let mut families: BTreeMap<Vec<String>, Line> = BTreeMap::new();
        for (model, figures) in self.export {
            let line = families
                .entry(family(&model))
                .or_insert_with(|| Line::empty(date, &model));
            line.export.get_or_insert_default().add_all(&figures);
        }
        for (_, line) in self.ledger {
            match families.get_mut(&family(&line.model)) {
                Some(kin) => kin.add(&line),
                None => lines.push(line),
            }
        }
        lines.extend(families.into_values());
        lines.sort_by(|one, other| one.model.cmp(&other.model));
        lines
    }
}

/// What the names of a model have in common: its words, and its numbers in their order, without the date of a snapshot.
fn family(model: &str) -> Vec<String> {
    let mut parts: Vec<String> = model
        .split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let lengths: Vec<usize> = parts
        .iter()
        .map(|part| {
            if part.bytes().all(|byte| byte.is_ascii_digit()) {
                part.len()
            } else {
                0
            }
        })
        .collect();
    let of_date = match lengths.as_slice() {
        [.., 8] => 1,
        [.., 4, 2, 2] => 3,
        _ => 0,
    };
    parts.truncate(parts.len().saturating_sub(of_date));
    let is_number = |part: &String| part.starts_with(|c: char| c.is_ascii_digit());
    let (numbers, mut words): (Vec<String>, Vec<String>) = parts.into_iter().partition(is_number);
    words.sort_unstable();
    words.into_iter().chain(numbers).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_known_by_any_of_its_names() {
        for (one, other) in [
            ("Claude Sonnet 4.5", "claude-sonnet-4-5-20250929"),
            ("Claude Haiku 3.5", "claude-3-5-haiku-20241022"),
            ("gpt-5", "gpt-5-2025-08-07"),
            ("GPT-4o mini", "gpt-4o-mini"),
        ] {
            assert_eq!(family(one), family(other), "{one}");
        }
        for (one, other) in [
            ("gpt-4o", "gpt-4o-mini"),
            ("claude-opus-4-1", "claude-opus-4-5"),
            ("gpt-4", "gpt-4o"),
        ] {
            assert_ne!(family(one), family(other), "{one}");
        }
    }
}
