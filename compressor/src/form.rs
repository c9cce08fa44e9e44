//! What the invertible stages have in common: a hint line over a body.

use crate::marker::{self, PREFIX};

/// The most bytes that a form is unfolded to. What says that it stands for more is not one of ours.
pub(crate) const MAX_UNFOLDED: usize = 256 << 20;

/// An invertible stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StageName {
    /// Search results under their paths.
    Search,
    /// Lines that repeat the lines above them, said once.
    Runs,
    /// A date that most lines begin with, said once.
    Dates,
    /// Lines of a template as the values in its slots.
    Templates,
    /// Passages that stand in earlier blocks.
    Repeats,
}

impl StageName {
    /// Its name in logs and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Runs => "runs",
            Self::Dates => "dates",
            Self::Templates => "templates",
            Self::Repeats => "repeats",
        }
    }
}

/// Text that is not in the form that it should be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The first line is no hint of the stage.
    #[error("the text does not begin with the hint of its form")]
    Hint,
    /// A line of the body, counted from 1 without the hints, means nothing.
    #[error("line {0} does not fit the form")]
    Line(usize),
    /// It stands for more than a form may.
    #[error("the form stands for more than {MAX_UNFOLDED} bytes")]
    TooLarge,
}

/// What a stage made of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Form {
    /// One line without its end.
    pub(crate) hint: String,
    pub(crate) body: String,
}

impl Form {
    /// The hint over the body.
    pub(crate) fn into_text(self) -> String {
        let mut text = self.hint;
        text.push('\n');
        text.push_str(&self.body);
        text
    }
}

/// Splits a text into its hint line and the body under it.
pub(crate) fn split_hint(text: &str) -> Option<(&str, &str)> {
    text.starts_with(PREFIX)
        .then(|| text.split_once('\n'))
        .flatten()
}

/// The text in its form, if that is smaller and leads back to the very same text.
pub(crate) fn checked(
    text: &str,
    fold: impl FnOnce(&str) -> Option<Form>,
    unfold: impl FnOnce(&str, &str) -> Result<String, FormError>,
) -> Option<Form> {
    let form = fold(text)?;
    let smaller = form.hint.len() + 1 + form.body.len() < text.len();
    (smaller && unfold(&form.hint, &form.body).as_deref() == Ok(text)).then_some(form)
}

/// A whole text in its form, unless it is ours already.
pub(crate) fn encode(text: &str, fold: impl FnOnce(&str) -> Option<Form>) -> Option<String> {
    if marker::contains_marker(text) {
        return None;
    }
    fold(text).map(Form::into_text)
}

/// The text that a whole form stands for.
pub(crate) fn decode(
    text: &str,
    unfold: impl FnOnce(&str, &str) -> Result<String, FormError>,
) -> Result<String, FormError> {
    let (hint, body) = split_hint(text).ok_or(FormError::Hint)?;
    unfold(hint, body)
}

/// A number as we write it: digits without a leading zero, at most seven.
pub(crate) fn number(digits: &str) -> Option<usize> {
    let plain = !digits.is_empty()
        && digits.len() <= 7
        && !digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}
