//! Promises about money, kept over hundreds of deaths and millions of rows; and a local model that keeps nothing of callers that go away. See [`run`].

use std::{
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use tokio::time::Instant;

use self::{
    cancels::{AT_ONCE, CancelPlan, CancelTotals},
    crash::{CrashPlan, CrashTotals},
    replay::ReplayTotals,
};
use crate::figure::{Figure, Goal};

pub mod crash;
pub mod replay;

mod admission;
mod books;
mod cancels;
mod rows;

/// What is soaked, and how long.
#[derive(Debug, Clone)]
pub struct Options {
    /// Times that the gateway is killed.
    pub crash_rounds: usize,
    /// How long callers of the local model come and go.
    pub cancel_length: Duration,
    /// The folder with the local model's weights.
    pub models: PathBuf,
    /// Decides about everything that is random; one that nobody has chosen if it is not given.
    pub seed: Option<u64>,
    /// As little as shows that everything works.
    pub short: bool,
    /// These parts alone; all of them if it is empty.
    pub only: Vec<Part>,
    /// The time of day, in unix milliseconds.
    pub now_ms: i64,
}

/// A part of the soak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// The gateway killed under load, with the provider's bill as the oracle.
    Crash,
    /// Recorded conversations, held against the provider's bill.
    Replay,
    /// A ledger of ten million rows.
    Rows,
    /// Ten thousand calls of a cent, and a dollar to spend.
    Budget,
    /// Callers of the local model that go away at any moment.
    Cancels,
}

/// Rows of the large ledger: some 4 GB on the disk while it is looked at.
const ROWS: i64 = 10_000_000;
const SHORT_ROWS: i64 = 200_000;
/// More than were recorded.
const CONVERSATIONS: usize = 1_000;
const SHORT_CONVERSATIONS: usize = 5;
const SHORT_CRASH_ROUNDS: usize = 10;
const CALLS: usize = 10_000;
const SHORT_CALLS: usize = 1_000;
const SHORT_CANCEL_LENGTH: Duration = Duration::from_secs(30);
/// What the allocator may hold more of after hours than when all was warm, in MB: a tenth of what keys and values may take. What is kept of each caller
/// would come to more.
const GROWTH: f64 = 40.0;
/// Of what is wrong, so much is told.
const TOLD: usize = 10;

/// Runs the parts, and prints their figures; true if every goal is met.
///
/// # Panics
/// If a part cannot be carried out: no binary, no server, no room on the disk.
pub async fn run(options: &Options) -> io::Result<bool> {
    let wants = |part| options.only.is_empty() || options.only.contains(&part);
    let mut report = Report::default();
    if wants(Part::Crash) {
        crash_figures(options, &mut report).await?;
    }
    if wants(Part::Replay) {
        replay_figures(options, &mut report).await?;
    }
    if wants(Part::Budget) {
        budget_figures(options, &mut report).await?;
    }
    if wants(Part::Cancels) {
        cancel_figures(options, &mut report).await?;
    }
    if wants(Part::Rows) {
        row_figures(options, &mut report).await?;
    }
    Ok(!report.is_short)
}

async fn crash_figures(options: &Options, report: &mut Report) -> io::Result<()> {
    let rounds = if options.short {
        SHORT_CRASH_ROUNDS.min(options.crash_rounds)
    } else {
        options.crash_rounds
    };
    let seed = options.seed.unwrap_or_else(crash::any_seed);
    report.say(&format!("killing the gateway {rounds} times; seed {seed}"))?;
    let began = Instant::now();
    let totals = crash::run(CrashPlan { rounds, seed }, |totals| {
        // A run of hours that says nothing would look dead; that it cannot speak is no reason to end it.
        let _ = report.say(&progress(totals, began.elapsed()));
    })
    .await;
    for wrong in [
        &totals.lost,
        &totals.duplicates,
        &totals.unexplained,
        &totals.faults,
    ] {
        for wrong in wrong.iter().take(TOLD) {
            report.say(wrong)?;
        }
    }
    let usd = |nano: i128| approximate(nano) / 1e9;
    let figures = [
        (
            "ledger_crash_rounds",
            count(totals.rounds),
            "rounds",
            Some(Goal::AtLeast(count(rounds))),
        ),
        (
            "ledger_crash_lost",
            count(totals.lost.len()),
            "calls",
            Some(Goal::AtMost(0.0)),
        ),
        (
            "ledger_crash_duplicates",
            count(totals.duplicates.len()),
            "calls",
            Some(Goal::AtMost(0.0)),
        ),
        (
            "ledger_crash_excess_over_open_usd",
            usd(totals.excess_over_open_nano()),
            "USD",
            Some(Goal::AtMost(0.0)),
        ),
        (
            "ledger_crash_left_open",
            count(totals.left_open),
            "calls",
            Some(Goal::AtMost(0.0)),
        ),
        (
            "ledger_crash_faults",
            count(totals.unexplained.len() + totals.faults.len()),
            "rows",
            Some(Goal::AtMost(0.0)),
        ),
        ("ledger_crash_billed", count(totals.billed), "calls", None),
        (
            "ledger_crash_open_at_kills",
            count(totals.open_at_kills),
            "calls",
            None,
        ),
        ("ledger_crash_bill_usd", usd(totals.bill_nano), "USD", None),
        (
            "ledger_crash_excess_usd",
            usd(totals.ledger_nano - totals.bill_nano),
            "USD",
            None,
        ),
    ];
    figures
        .into_iter()
        .try_for_each(|(name, value, unit, goal)| report.figure(name, value, unit, goal))
}

fn progress(totals: &CrashTotals, after: Duration) -> String {
    format!(
        "{} rounds, {} s: {} calls billed, {} open at kills, {} lost, {} twice, {} otherwise wrong",
        totals.rounds,
        after.as_secs(),
        totals.billed,
        totals.open_at_kills,
        totals.lost.len(),
        totals.duplicates.len(),
        totals.unexplained.len() + totals.faults.len()
    )
}

async fn replay_figures(options: &Options, report: &mut Report) -> io::Result<()> {
    let Some(folder) = replay::data() else {
        return report
            .say("no recorded conversations here: SKINFLINT_EVAL_DATA names their folder");
    };
    report.say("replaying recorded conversations")?;
    let most = if options.short {
        SHORT_CONVERSATIONS
    } else {
        CONVERSATIONS
    };
    let ReplayTotals {
        tasks,
        calls,
        bill_nano,
        ledger_nano,
        difference_nano,
        cached: _,
        faults,
    } = replay::run(&folder, most).await;
    for fault in faults.iter().take(TOLD) {
        report.say(fault)?;
    }
    let difference = difference_nano.max(ledger_nano.abs_diff(bill_nano));
    let usd = approximate(bill_nano.into()) / 1e9;
    report.figure(
        "ledger_replay_difference_nano_usd",
        approximate(difference.into()),
        "nano-USD",
        Some(Goal::AtMost(0.0)),
    )?;
    report.figure(
        "ledger_replay_faults",
        count(faults.len()),
        "rows",
        Some(Goal::AtMost(0.0)),
    )?;
    report.figure("ledger_replay_tasks", count(tasks), "tasks", None)?;
    report.figure("ledger_replay_calls", count(calls), "calls", None)?;
    report.figure("ledger_replay_bill_usd", usd, "USD", None)
}

async fn budget_figures(options: &Options, report: &mut Report) -> io::Result<()> {
    let calls = if options.short { SHORT_CALLS } else { CALLS };
    report.say(&format!(
        "{calls} calls of a cent at once, with a dollar to spend"
    ))?;
    let goal = Some(Goal::Exactly(100.0));
    let one = admission::admitted(calls).await;
    let name = format!("budget_admitted_{calls}");
    report.figure(&name, count(one.calls), "calls", goal)?;
    let two = admission::admitted_by_two(calls).await;
    let name = format!("budget_admitted_{calls}_two_gateways");
    report.figure(&name, count(two.calls), "calls", goal)?;
    // Refused too, but not by the budget.
    let name = format!("budget_store_late_{calls}_two_gateways");
    report.figure(&name, count(two.unasked), "calls", None)
}

async fn cancel_figures(options: &Options, report: &mut Report) -> io::Result<()> {
    let length = if options.short {
        SHORT_CANCEL_LENGTH.min(options.cancel_length)
    } else {
        options.cancel_length
    };
    let seed = options.seed.unwrap_or_else(crash::any_seed);
    let seconds = length.as_secs();
    report.say(&format!(
        "callers of the local model come and go for {seconds} s; seed {seed}"
    ))?;
    let plan = CancelPlan { length, seed };
    let Some(totals) = cancels::run(plan, &options.models).await else {
        let models = options.models.display();
        return report.say(&format!("no weights in {models}: `skinflint models pull`"));
    };
    let CancelTotals {
        calls,
        whole,
        dropped,
        refused,
        faults,
        at_once,
        warm,
        end,
    } = totals;
    for fault in faults.iter().take(TOLD) {
        report.say(fault)?;
    }
    let megabytes = |bytes: u64| approximate(bytes.into()) / 1e6;
    let most = |bound| Some(Goal::AtMost(bound));
    let growth = megabytes(end) - megabytes(warm);
    report.figure(
        "local_cancel_faults",
        count(faults.len()),
        "calls",
        most(0.0),
    )?;
    let goal = Some(Goal::AtLeast(count(AT_ONCE)));
    report.figure("local_cancel_at_once", count(at_once), "calls", goal)?;
    report.figure("local_cancel_rss_growth", growth, "MB", most(GROWTH))?;
    report.figure("local_cancel_rss", megabytes(end), "MB", None)?;
    report.figure("local_cancel_calls", count(calls), "calls", None)?;
    report.figure("local_cancel_dropped", count(dropped), "calls", None)?;
    report.figure("local_cancel_whole", count(whole), "calls", None)?;
    report.figure("local_cancel_refused", count(refused), "calls", None)
}

async fn row_figures(options: &Options, report: &mut Report) -> io::Result<()> {
    let (rows, name) = if options.short {
        (SHORT_ROWS, "ledger_tasks_top20_200k_rows")
    } else {
        (ROWS, "ledger_tasks_top20_10m_rows")
    };
    report.say(&format!(
        "filling a ledger with {rows} attempts, 400 bytes on the disk each"
    ))?;
    let timed = rows::time(rows, options.now_ms).await;
    let seconds = timed.slowest.as_secs_f64();
    report.figure(name, seconds, "s", Some(Goal::AtMost(1.0)))?;
    report.figure("ledger_rows", approximate(rows.into()), "rows", None)?;
    report.figure(
        "ledger_row_tasks",
        approximate(timed.tasks.into()),
        "tasks",
        None,
    )?;
    report.figure(
        "ledger_file",
        approximate(timed.size.into()) / 1e9,
        "GB",
        None,
    )
}

/// What was found.
#[derive(Debug, Default)]
struct Report {
    is_short: bool,
}

// === impl Report ===

impl Report {
    fn figure(
        &mut self,
        name: &str,
        value: f64,
        unit: &'static str,
        goal: Option<Goal>,
    ) -> io::Result<()> {
        let figure = Figure::new(name, value, unit, goal);
        self.is_short |= !figure.is_met();
        writeln!(io::stdout(), "{figure}")
    }

    /// Says something that is no figure.
    #[expect(clippy::unused_self, reason = "a report is who speaks")]
    fn say(&self, what: &str) -> io::Result<()> {
        writeln!(io::stderr(), "{what}")
    }
}

fn count(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a figure is to be read, and has four places"
)]
fn approximate(number: i128) -> f64 {
    number as f64
}
