//! Tasks: what a client set out to do, in however many calls.

use serde::{Deserialize, Serialize};

/// How a task went, as a client, a test run or a person says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It did what it was for.
    Success,
    /// It did not.
    Failure,
    /// Nobody said.
    #[default]
    Unknown,
}

impl Outcome {
    /// Its name in the ledger.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Unknown => "unknown",
        }
    }

    /// The outcome of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Success, Self::Failure, Self::Unknown]
            .into_iter()
            .find(|outcome| outcome.name() == name)
    }
}
