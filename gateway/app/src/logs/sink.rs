//! Log lines on their way to standard error.
//!
//! A call that wrote its line itself would wait for whoever reads the log, and one that woke a thread for it would pay
//! more for waking than for writing. So lines are gathered in memory, and a thread writes what has come together.

use std::{
    io::{self, Write},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::{Condvar, Mutex};
use tracing_subscriber::fmt::MakeWriter;

/// Takes lines; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    shared: Arc<Shared>,
}

/// Writes what is left when it is dropped.
#[derive(Debug)]
pub(crate) struct Flushed {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    /// Lines that found no room.
    dropped: u64,
    stopping: bool,
}

/// How long lines gather. Nobody reads a log faster, and a thousand calls a second are five lines to a write.
const GATHER: Duration = Duration::from_millis(5);
/// Bytes that may wait; a log that nobody reads may cost lines but neither calls nor memory.
const MAX_WAITING: usize = 4 << 20;

// === impl Sink ===

impl Sink {
    /// Starts the thread that writes to `output`.
    pub(super) fn start(mut output: impl Write + Send + 'static) -> io::Result<(Self, Flushed)> {
        let shared = Arc::new(Shared::default());
        let writer = thread::Builder::new().name("log".to_owned()).spawn({
            let shared = shared.clone();
            move || shared.write_until_stopped(&mut output)
        })?;
        let sink = Self {
            shared: shared.clone(),
        };
        Ok((
            sink,
            Flushed {
                shared,
                writer: Some(writer),
            },
        ))
    }
}

impl Write for Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.shared.waiting.lock();
        if waiting.lines.len() + line.len() > MAX_WAITING {
            waiting.dropped += 1;
            return Ok(line.len());
        }
        let is_first = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(line);
        drop(waiting);
        if is_first {
            self.shared.changed.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

// === impl Shared ===

impl Shared {
    fn write_until_stopped(&self, output: &mut impl Write) {
        let mut lines = Vec::new();
        loop {
            let mut waiting = self.waiting.lock();
            while waiting.lines.is_empty() && !waiting.stopping {
                self.changed.wait(&mut waiting);
            }
            let stopping = waiting.stopping;
            if !stopping {
                drop(waiting);
                thread::sleep(GATHER);
                waiting = self.waiting.lock();
            }
            std::mem::swap(&mut lines, &mut waiting.lines);
            let dropped = std::mem::take(&mut waiting.dropped);
            drop(waiting);
            if dropped > 0 {
                lines.extend_from_slice(format!("{{\"level\":\"WARN\",\"message\":\"log lines were dropped\",\"count\":{dropped}}}\n").as_bytes());
            }
            // There is no other place to say that the log cannot be written.
            let _unwritable = output.write_all(&lines);
            lines.clear();
            if stopping {
                return;
            }
        }
    }
}

// === impl Flushed ===

impl Drop for Flushed {
    fn drop(&mut self) {
        self.shared.waiting.lock().stopping = true;
        self.shared.changed.notify_one();
        if let Some(writer) = self.writer.take() {
            // The thread has nothing to panic on but the output.
            let _ended = writer.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An output that can be read while it is written.
    #[derive(Debug, Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_once_and_in_order() {
        let page = Page::default();
        let (sink, flushed) = Sink::start(page.clone()).unwrap();
        let expected = "one line\nand another\n".repeat(500);
        for line in expected.split_inclusive('\n') {
            sink.make_writer().write_all(line.as_bytes()).unwrap();
        }
        drop(flushed);
        assert_eq!(String::from_utf8(page.0.lock().clone()).unwrap(), expected);
    }

    #[test]
    fn lines_that_nobody_reads_are_counted() {
        let page = Page::default();
        let held = page.0.lock();
        let (mut sink, flushed) = Sink::start(page.clone()).unwrap();
        let long = vec![b'x'; MAX_WAITING / 2];
        // At most two wait, and one more may be with the thread that cannot write.
        for _ in 0..5 {
            sink.write_all(&long).unwrap();
        }
        drop(held);
        drop(flushed);
        let written = page.0.lock();
        let end = String::from_utf8_lossy(&written[written.len() - 80..]).into_owned();
        assert!(end.contains("log lines were dropped"), "{end}");
    }
}
