//! What the provider charges, on a disk before the answer is known to anybody. See [`BillLine`].

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    str::FromStr,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;

use super::{
    Exchange,
    endpoint::Endpoint,
    output::{Counts, Output},
};

/// Names the call on the bill; gateways pass it on.
const CALL_ID: &str = "x-client-request-id";

/// One charged call, in tokens as its provider counts them: one line of the bill, its fields in this order and tabs between them.
///
/// A call is charged once an answer to it has begun, whatever becomes of the answer; errors, token counts and model lists are free.
/// The line of a whole answer is durable before its head is sent, that of a stream before the first event that tells the end. When the
/// peer leaves before, the line says what had been produced by then, and is in the file once the exchange has its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BillLine {
    /// The request's `x-client-request-id`; empty when it had none.
    pub call: String,
    /// Model that the request asked for.
    pub model: String,
    /// Prompt tokens neither read from nor written to the cache; audio counts.
    pub input: u64,
    /// Prompt tokens read from the cache.
    pub cached: u64,
    /// Prompt tokens written to the cache for five minutes; Anthropic alone charges them.
    pub write_5m: u64,
    /// Prompt tokens written to the cache for an hour; Anthropic alone charges them.
    pub write_1h: u64,
    /// Output tokens, reasoning and audio among them.
    pub output: u64,
    /// Output tokens that were reasoning; 0 where the provider does not tell them apart (messages).
    pub reasoning: u64,
}

/// A line of a bill that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("no line of a bill: {0:?}")]
pub struct BadBillLine(String);

/// The bill's file. Many lines share an fsync, which a thread of its own makes.
#[derive(Debug)]
pub(super) struct Bill {
    pages: Arc<Pages>,
    wake: SyncSender<()>,
}

/// What the bill and its thread share.
#[derive(Debug)]
struct Pages {
    written: Mutex<Written>,
    /// Lines that are on the disk.
    durable: watch::Sender<u64>,
}

#[derive(Debug)]
struct Written {
    file: File,
    lines: u64,
}

/// Counts one call's tokens while they are produced. Dropped before [`Self::close`], it charges those that were.
#[derive(Debug)]
pub(super) struct Meter {
    bill: Arc<Bill>,
    /// The line of the whole answer.
    whole: BillLine,
    /// Output tokens produced so far.
    produced: u64,
    is_charged: bool,
}

impl BillLine {
    /// The lines of the bill at `path`, in the order in which they were written.
    ///
    /// # Panics
    /// If it cannot be read, or holds anything but whole lines.
    pub fn read(path: &Path) -> Vec<Self> {
        let text = std::fs::read_to_string(path).expect("read the bill");
        assert!(
            text.is_empty() || text.ends_with('\n'),
            "the bill's last line is not whole: {text:?}"
        );
        let line = |line: &str| line.parse().expect("a line of the bill");
        text.lines().map(line).collect()
    }

    fn new(exchange: &Exchange, asked: &Value, endpoint: Endpoint, output: &Output) -> Self {
        let Counts {
            input,
            output,
            cached,
            write_5m,
            write_1h,
            reasoning,
            audio_input,
            audio_output,
        } = output.produced;
        let line = Self {
            call: field(exchange.header(CALL_ID)),
            model: field(asked["model"].as_str().unwrap_or_default()),
            ..Self::default()
        };
        match endpoint {
            Endpoint::Messages => Self {
                input,
                cached,
                write_5m,
                write_1h,
                output,
                ..line
            },
            Endpoint::Chat => Self {
                input: input + audio_input,
                cached,
                output: output + audio_output,
                reasoning,
                ..line
            },
            Endpoint::Responses => Self {
                input: input + audio_input,
                cached,
                output,
                reasoning,
                ..line
            },
            _ => Self {
                input: super::vectors::tokens(asked),
                ..line
            },
        }
    }
}

/// Without what separates fields and lines.
fn field(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

impl fmt::Display for BillLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            call,
            model,
            input,
            cached,
            write_5m,
            write_1h,
            output,
            reasoning,
        } = self;
        write!(
            f,
            "{call}\t{model}\t{input}\t{cached}\t{write_5m}\t{write_1h}\t{output}\t{reasoning}"
        )
    }
}

impl FromStr for BillLine {
    type Err = BadBillLine;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let bad = || BadBillLine(line.into());
        let fields: Vec<&str> = line.split('\t').collect();
        let [call, model, counts @ ..] = fields.as_slice() else {
            return Err(bad());
        };
        let counts: Result<Vec<u64>, _> = counts.iter().map(|count| count.parse()).collect();
        let Ok(&[input, cached, short, long, output, reasoning]) = counts.as_deref() else {
            return Err(bad());
        };
        Ok(Self {
            call: (*call).into(),
            model: (*model).into(),
            input,
            cached,
            write_5m: short,
            write_1h: long,
            output,
            reasoning,
        })
    }
}

impl Bill {
    /// Appends to the file at `path`.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let synced = file.try_clone()?;
        let pages = Arc::new(Pages {
            written: Mutex::new(Written { file, lines: 0 }),
            durable: watch::Sender::new(0),
        });
        // One place: a call that finds it taken is covered by the fsync that is yet to start.
        let (wake, woken) = sync_channel(1);
        let shared = Arc::clone(&pages);
        thread::Builder::new()
            .name("bill".into())
            .spawn(move || shared.make_durable(&synced, &woken))?;
        Ok(Self { pages, wake })
    }

    /// Writes a line, and gives its number.
    fn write(&self, line: &BillLine) -> u64 {
        let mut written = self.pages.written.lock();
        let text = format!("{line}\n");
        let file = &mut written.file;
        file.write_all(text.as_bytes()).expect("write the bill");
        written.lines += 1;
        let number = written.lines;
        drop(written);
        // An error means that an fsync is due already.
        let _ = self.wake.try_send(());
        number
    }

    async fn wait_durable(&self, number: u64) {
        let mut durable = self.pages.durable.subscribe();
        let reached = durable.wait_for(|lines| *lines >= number).await;
        reached.expect("the bill's pages outlive it");
    }
}

impl Pages {
    /// Runs until the bill is dropped.
    fn make_durable(&self, file: &File, woken: &Receiver<()>) {
        for () in woken {
            let lines = self.written.lock().lines;
            file.sync_data().expect("fsync the bill");
            self.durable.send_replace(lines);
        }
    }
}

impl Meter {
    /// Meters the answer `output`.
    pub(super) fn new(
        bill: Arc<Bill>,
        exchange: &Exchange,
        asked: &Value,
        endpoint: Endpoint,
        output: &Output,
    ) -> Self {
        Self {
            bill,
            whole: BillLine::new(exchange, asked, endpoint, output),
            produced: 0,
            is_charged: false,
        }
    }

    pub(super) fn produce(&mut self, tokens: u64) {
        self.produced += tokens;
    }

    /// Charges the whole answer, durably.
    pub(super) async fn close(mut self) {
        self.is_charged = true;
        let number = self.bill.write(&self.whole);
        self.bill.wait_durable(number).await;
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if self.is_charged {
            return;
        }
        let output = self.produced.min(self.whole.output);
        self.bill.write(&BillLine {
            output,
            reasoning: self.whole.reasoning.min(output),
            ..self.whole.clone()
        });
    }
}

#[cfg(test)]
mod tests;
