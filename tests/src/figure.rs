//! What was measured, as the line that tools read. See [`Figure`].

use std::fmt;

/// A measured value; displayed as `figure NAME VALUE UNIT goal OP BOUND ok|short`, or as `info NAME VALUE UNIT` where it has no goal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    goal: Option<Goal>,
}

/// What a value has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
    Exactly(f64),
}

impl Figure {
    pub(crate) fn new(name: &str, value: f64, unit: &'static str, goal: Option<Goal>) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            goal,
        }
    }

    /// True of a value that has no goal, too.
    pub(crate) fn is_met(&self) -> bool {
        self.goal.is_none_or(|goal| goal.is_met(self.value))
    }
}

impl Goal {
    /// No number meets a goal by not being one.
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(bound) => value <= bound,
            Self::AtLeast(bound) => value >= bound,
            Self::Exactly(bound) => (bound..=bound).contains(&value),
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(bound) => write!(f, "<= {bound}"),
            Self::AtLeast(bound) => write!(f, ">= {bound}"),
            Self::Exactly(bound) => write!(f, "== {bound}"),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            value,
            unit,
            goal,
        } = self;
        match goal {
            Some(goal) => {
                let verdict = if self.is_met() { "ok" } else { "short" };
                write!(f, "figure {name} {value:.4} {unit} goal {goal} {verdict}")
            }
            None => write!(f, "info {name} {value:.4} {unit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_short() {
        let figure = Figure::new("x", f64::NAN, "ms", Some(Goal::AtMost(1.0)));
        assert_eq!(figure.to_string(), "figure x NaN ms goal <= 1 short");
    }

    #[test]
    fn a_number_may_have_to_be_met_exactly() {
        let of = |value| Figure::new("x", value, "calls", Some(Goal::Exactly(100.0))).is_met();
        assert_eq!([99.0, 100.0, 101.0].map(of), [false, true, false]);
    }
}
