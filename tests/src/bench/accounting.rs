//! What ledger and budgets add to a call: the same calls, in turns, to a gateway that keeps books and to one that does not. See [`measure`].

use std::{io, path::Path, time::Duration};

use tokio::time::Instant;

use super::{
    BenchError,
    case::{Case, Mode, Size},
    ledger,
    load::{Load, Slice},
    statistics::median,
    target::{self, Books, Server},
};
use crate::figure::{Figure, Goal};

/// Two gateways before one origin. Both know the caller's tenant; one has a ledger and three budgets on top.
#[derive(Debug)]
struct Pair {
    with: Server,
    without: Server,
    origin: Server,
}

/// How the calls come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// As fast as they are answered. The gateway has no time to spare: each microsecond that a call takes of its thread is waited for by
    /// all the calls behind it, so that what a call has to wait longer is many times what it costs more.
    Full,
    /// Each connection pauses between its calls, as one does that waits for a model: the gateway has time to spare, and what a call has to
    /// wait longer is what is done for that call.
    Paced,
}

/// The slices of one pace.
#[derive(Debug, Default)]
struct Rounds(Vec<Round>);

#[derive(Debug, Clone, Copy)]
struct Round {
    with: Slice,
    without: Slice,
}

/// 1 KB of chat, answered whole, on 32 connections.
const CASE: Case = Case {
    size: Size::Small,
    mode: Mode::Whole,
    connections: 32,
};
/// Tasks that the calls are of.
const TASKS: usize = 1_000;
/// With 32 connections some 1,600 calls a second.
const PAUSE: Duration = Duration::from_millis(20);
/// Settlements are written some milliseconds after their calls.
const LINGER: Duration = Duration::from_millis(40);
const SLICE: Duration = Duration::from_millis(250);
const QUICK_SLICE: Duration = Duration::from_millis(40);
/// A median of fewer says little.
const FEWEST_ROUNDS: usize = 3;

/// Measures for about so long.
///
/// `ledger_added_p50_us` is the median time of a call through the gateway with ledger (a file of SQLite, as by default) and budgets (of
/// tenant, task and model), less that through the gateway without, less the group-commit window. The window, `ledger_commit_window_us`, is
/// what a reservation waits for until it is on disk, in the median: a commit, and what is left of the one that was under way. It is what
/// durability before sending costs with any implementation on this disk, and is subtracted so that what remains is ours: counting,
/// pricing, reserving, handing over. It is measured on the ledger alone ([`ledger::window`]), with as many callers at the same pace.
///
/// `ledger_full_added_p50_us` is the same at full load, where a call's time is the time of all the calls before it in the line: with 32 of
/// them, each microsecond of the gateway's thread counts up to 32 times. `ledger_cpu_added_ms` is CPU time of the whole gateway, its ledger's thread included, at full load.
pub(super) async fn measure(
    gateway: &Path,
    length: Duration,
    quick: bool,
) -> Result<Vec<Figure>, BenchError> {
    let pair = Pair::start(gateway).await?;
    let full = pair.rounds(Pace::Full, length / 2, quick).await?;
    let paced = pair.rounds(Pace::Paced, length / 2, quick).await?;
    pair.stop().await?;
    let mut figures = vec![Figure::new(
        "ledger_cpu_added_ms",
        full.added(|slice| slice.cpu),
        "ms",
        Some(Goal::AtMost(0.05)),
    )];
    for (prefix, pace, rounds) in [
        ("ledger", Pace::Paced, &paced),
        ("ledger_full", Pace::Full, &full),
    ] {
        // Between two reservations of a connection lies the rest of a call.
        let rest = Duration::from_secs_f64(rounds.without(|slice| slice.p50) / 1e3) + pace.pause();
        let window = ledger::window(CASE.connections, rest, quick).await?;
        let added = rounds.added(|slice| slice.p50) * 1e3;
        let mut add = |name: &str, value, unit, goal| {
            figures.push(Figure::new(&format!("{prefix}_{name}"), value, unit, goal));
        };
        add(
            "added_p50_us",
            added - window,
            "us",
            Some(Goal::AtMost(60.0)),
        );
        add("commit_window_us", window, "us", None);
        add("added_p50_with_window_us", added, "us", None);
        add(
            "calls_per_second",
            rounds.with(|slice| slice.rate),
            "calls/s",
            None,
        );
        add(
            "calls_per_second_without",
            rounds.without(|slice| slice.rate),
            "calls/s",
            None,
        );
        add("cpu_with_ms", rounds.with(|slice| slice.cpu), "ms", None);
        add(
            "cpu_without_ms",
            rounds.without(|slice| slice.cpu),
            "ms",
            None,
        );
    }
    Ok(figures)
}

// === impl Pair ===

impl Pair {
    async fn start(gateway: &Path) -> Result<Self, BenchError> {
        let origin = target::origin().await?;
        let start = |books| target::skinflint(gateway, origin.address, books);
        let (with, _) = start(Books::Budgets).await?;
        let (without, _) = start(Books::Off).await?;
        Ok(Self {
            with,
            without,
            origin,
        })
    }

    /// Slices in turns, who goes first changing, until the time is over. The first round is not counted: in it every task is new, and its
    /// budgets begin with a look into the ledger.
    async fn rounds(
        &self,
        pace: Pace,
        length: Duration,
        quick: bool,
    ) -> Result<Rounds, BenchError> {
        let deadline = Instant::now() + length;
        let load = |server: &Server| {
            Load::new(server.address, CASE)
                .of_tasks(CASE, TASKS)
                .pausing(pace.pause())
                .lingering(LINGER)
        };
        let (with, without) = (load(&self.with), load(&self.without));
        let slice = async |load: &Load, server: &Server| {
            let length = if quick { QUICK_SLICE } else { SLICE };
            let slice = load.run(length, Some(&server.process)).await;
            slice.map_err(|source| BenchError::Call {
                case: CASE.to_string(),
                way: format!("{pace:?}"),
                source,
            })
        };
        let mut rounds = Rounds::default();
        let mut number = 0;
        loop {
            let round = if number % 2 == 0 {
                let with = slice(&with, &self.with).await?;
                let without = slice(&without, &self.without).await?;
                Round { with, without }
            } else {
                let without = slice(&without, &self.without).await?;
                let with = slice(&with, &self.with).await?;
                Round { with, without }
            };
            if number > 0 {
                rounds.0.push(round);
            }
            number += 1;
            self.with.empty_log()?;
            self.without.empty_log()?;
            let is_over = quick || Instant::now() > deadline;
            if rounds.0.len() >= FEWEST_ROUNDS && is_over {
                return Ok(rounds);
            }
        }
    }

    async fn stop(self) -> io::Result<()> {
        self.with.process.stop().await?;
        self.without.process.stop().await?;
        self.origin.process.stop().await
    }
}

// === impl Pace ===

impl Pace {
    fn pause(self) -> Duration {
        match self {
            Self::Full => Duration::ZERO,
            Self::Paced => PAUSE,
        }
    }
}

// === impl Rounds ===

impl Rounds {
    fn with(&self, pick: fn(&Slice) -> f64) -> f64 {
        median(self.0.iter().map(|round| pick(&round.with)))
    }

    fn without(&self, pick: fn(&Slice) -> f64) -> f64 {
        median(self.0.iter().map(|round| pick(&round.without)))
    }

    /// Median over the rounds of what is more with books than without in the same round.
    fn added(&self, pick: fn(&Slice) -> f64) -> f64 {
        let added = |round: &Round| pick(&round.with) - pick(&round.without);
        median(self.0.iter().map(added))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_told_round_by_round() {
        let slice = |p50| Slice {
            p50,
            p99: 0.0,
            first_p50: 0.0,
            first_p99: 0.0,
            rate: 0.0,
            cpu: 0.0,
        };
        // The second round was a slow one for both.
        let rounds = [(1.5, 1.0), (9.25, 9.0), (1.75, 1.0)].map(|(with, without)| Round {
            with: slice(with),
            without: slice(without),
        });
        let added = Rounds(rounds.into()).added(|slice| slice.p50);
        assert!((added - 0.5).abs() < 1e-9, "{added}");
    }
}
