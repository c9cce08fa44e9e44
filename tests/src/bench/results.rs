//! What was measured, round by round, and the table of it. See [`Results`].

use std::fmt;

use super::{
    case::{Case, Mode},
    load::Slice,
    statistics::median,
};

/// The three ways to the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Direct,
    Nginx,
    Skinflint,
}

/// All slices of a run; displayed as a table of medians over the rounds.
#[derive(Debug, Default)]
pub(super) struct Results(Vec<CaseResults>);

/// The slices of one case.
#[derive(Debug)]
pub(super) struct CaseResults {
    pub(super) case: Case,
    rounds: Vec<Round>,
}

/// One slice each, taken one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    pub(super) direct: Slice,
    pub(super) nginx: Slice,
    pub(super) skinflint: Slice,
}

/// One of the numbers of a slice.
pub(super) type Pick = fn(&Slice) -> f64;

// === impl Results ===

impl Results {
    pub(super) fn new(cases: &[Case]) -> Self {
        let empty = |case: &Case| CaseResults {
            case: *case,
            rounds: Vec::new(),
        };
        Self(cases.iter().map(empty).collect())
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut CaseResults> {
        self.0.iter_mut()
    }

    /// The results of a case, if it was measured.
    pub(super) fn of(&self, case: Case) -> Option<&CaseResults> {
        self.0.iter().find(|results| results.case == case)
    }
}

// === impl CaseResults ===

impl CaseResults {
    pub(super) fn push(&mut self, round: Round) {
        self.rounds.push(round);
    }

    /// Median over the rounds.
    pub(super) fn median(&self, way: Way, pick: Pick) -> f64 {
        median(self.rounds.iter().map(|round| pick(round.slice(way))))
    }

    /// Median over the rounds of what a proxy adds to the direct way of the same round.
    pub(super) fn added(&self, way: Way, pick: Pick) -> f64 {
        let added = |round: &Round| pick(round.slice(way)) - pick(&round.direct);
        median(self.rounds.iter().map(added))
    }
}

// === impl Round ===

impl Round {
    fn slice(&self, way: Way) -> &Slice {
        match way {
            Way::Direct => &self.direct,
            Way::Nginx => &self.nginx,
            Way::Skinflint => &self.skinflint,
        }
    }
}

// === impl Way ===

impl Way {
    pub(super) const ALL: [Self; 3] = [Self::Direct, Self::Nginx, Self::Skinflint];

    fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Skinflint => "skinflint",
        }
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<14} {:<10} {:>9} {:>9} {:>11} {:>11} {:>9} {:>11}",
            "case", "", "p50 ms", "p99 ms", "first p50", "first p99", "req/s", "cpu ms/req"
        )?;
        for results in &self.0 {
            for way in Way::ALL {
                row(f, results, way)?;
            }
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, results: &CaseResults, way: Way) -> fmt::Result {
    let case = match way {
        Way::Direct => results.case.to_string(),
        Way::Nginx | Way::Skinflint => String::new(),
    };
    let number = |pick: Pick| format!("{:.3}", results.median(way, pick));
    let of_stream = |pick: Pick| match results.case.mode {
        Mode::Stream => number(pick),
        Mode::Whole => "-".into(),
    };
    let cpu = match way {
        Way::Direct => "-".into(),
        Way::Nginx | Way::Skinflint => number(|slice| slice.cpu),
    };
    writeln!(
        f,
        "{case:<14} {:<10} {:>9} {:>9} {:>11} {:>11} {:>9.0} {cpu:>11}",
        way.name(),
        number(|slice| slice.p50),
        number(|slice| slice.p99),
        of_stream(|slice| slice.first_p50),
        of_stream(|slice| slice.first_p99),
        results.median(way, |slice| slice.rate),
    )
}
