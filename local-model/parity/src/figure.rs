//! What was measured, as the line that tools read. See [`Figure`].

use std::fmt;

/// A measured value; displayed as `figure NAME VALUE UNIT goal OP BOUND ok|short`, or as `info NAME VALUE UNIT` where it
/// has no goal.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    goal: Option<Goal>,
}

/// What a value has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

impl Figure {
    /// A value that has to meet a goal.
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str, goal: Goal) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            goal: Some(goal),
        }
    }

    /// A value that is only told.
    pub fn info(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            goal: None,
        }
    }

    /// True of a value that has no goal, too.
    pub fn is_met(&self) -> bool {
        self.goal.is_none_or(|goal| goal.is_met(self.value))
    }
}

impl Goal {
    /// No number meets a goal by not being one.
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(bound) => value <= bound,
            Self::AtLeast(bound) => value >= bound,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(bound) => write!(f, "<= {bound}"),
            Self::AtLeast(bound) => write!(f, ">= {bound}"),
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
        let figure = Figure::new("x", f64::NAN, "ms", Goal::AtMost(1.0));
        assert_eq!(figure.to_string(), "figure x NaN ms goal <= 1 short");
    }

    #[test]
    fn a_value_without_a_goal_is_told_as_it_is() {
        let figure = Figure::info("x", 2.5, "tokens/s");
        assert!(figure.is_met());
        assert_eq!(figure.to_string(), "info x 2.5000 tokens/s");
    }
}
