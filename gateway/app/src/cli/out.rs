//! What commands print: results on standard output, errors on standard error.

use std::io::{self, Write};

/// Prints one line of a result. A reader that has gone away (`| head`) is no error.
pub(super) fn line(text: impl std::fmt::Display) {
    write(&mut io::stdout().lock(), text);
}

/// Prints a remark that is no result.
pub(super) fn note(text: impl std::fmt::Display) {
    write(&mut io::stderr().lock(), text);
}

/// Prints an error with its causes.
pub(super) fn error(error: &dyn std::error::Error) {
    let mut text = format!("error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str("\n  because: ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    note(text);
}

fn write(stream: &mut impl Write, text: impl std::fmt::Display) {
    // Nothing can be done, and nothing depends on it.
    let _closed_pipe = writeln!(stream, "{text}");
}
