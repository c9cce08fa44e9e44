//! How far something has come: a bar on a terminal, else a line every ten percent.

use std::time::Duration;

use indicatif::{BinaryBytes, ProgressBar, ProgressStyle};

use super::super::out;

/// Shown until it is dropped.
#[derive(Debug)]
pub(super) struct Bar {
    label: String,
    total: u64,
    drawn: ProgressBar,
    /// The last tenth that was told of, where nothing is drawn.
    tenth: u64,
}

/// The label, a bar, bytes of bytes, speed, time left, and what is being done as far as there is room; all but the last in 80 columns.
const LOOK: &str = "{prefix} [{bar:16}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta} {wide_msg}";
/// So that the clock goes on while nothing comes.
const TICK: Duration = Duration::from_millis(250);

// === impl Bar ===

impl Bar {
    /// A bar for so many bytes.
    pub(super) fn new(label: &str, total: u64) -> Self {
        // Hidden where standard error is no terminal.
        let drawn = ProgressBar::new(total).with_prefix(label.to_owned());
        if !drawn.is_hidden() {
            if let Ok(style) = ProgressStyle::with_template(LOOK) {
                drawn.set_style(style.progress_chars("=> "));
            }
            drawn.enable_steady_tick(TICK);
        }
        Self {
            label: label.to_owned(),
            total,
            drawn,
            tenth: 0,
        }
    }

    /// So many bytes are done.
    pub(super) fn at(&mut self, bytes: u64) {
        self.drawn.set_position(bytes);
        if !self.drawn.is_hidden() {
            return;
        }
        let tenth = bytes.saturating_mul(10) / self.total.max(1);
        // Less again after a file was begun anew.
        if tenth != self.tenth && tenth <= 10 {
            self.tenth = tenth;
            out::note(format_args!(
                "{}: {}% of {}",
                self.label,
                tenth * 10,
                BinaryBytes(self.total)
            ));
        }
    }

    /// So many bytes more are done.
    pub(super) fn add(&mut self, bytes: u64) {
        self.at(self.drawn.position() + bytes);
    }

    /// What is being done now.
    pub(super) fn doing(&self, what: String) {
        if self.drawn.is_hidden() {
            out::note(what);
        } else {
            self.drawn.set_message(what);
        }
    }

    /// A remark that stays.
    pub(super) fn note(&self, text: impl std::fmt::Display) {
        self.aside(|| out::note(text));
    }

    /// Prints something while the bar is out of the way.
    pub(super) fn aside(&self, print: impl FnOnce()) {
        self.drawn.suspend(print);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.drawn.finish_and_clear();
    }
}
