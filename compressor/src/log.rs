//! Logs, and the output of builds and tests.
//!
//! [`normalise`] takes away what a terminal would not show; that is named, and not undone. The others
//! are invertible: `decode(encode(text)) == text`, byte for byte.

pub mod dates;
pub mod normalise;
pub mod runs;
pub mod templates;
