//! What the gateway adds to a call: as a proxy, beside nginx as one more hop in the same run, and with its books. See [`run`].
//!
//! A fixed answer comes from a process of its own; the load goes to it directly, through nginx and through Skinflint without books,
//! a short slice each in turns, so that whatever else the machine does hits all three alike. What is told is medians over the rounds.
//! The same calls then go to a gateway with ledger and budgets and to one without; then come the ledger and the budgets alone, and last calls beside a
//! busy local model.

use std::{
    ffi::OsString,
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use skinflint_budget::{BudgetError, ConnectError};
use skinflint_ledger::{LedgerError, OpenError};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};

use self::{
    case::Case,
    figures::{Standing, figures},
    load::{Load, Slice},
    process::Process,
    results::{CaseResults, Results, Round, Way},
    statistics::median,
    target::{Books, Server},
};
use crate::figure::Figure;

mod accounting;
mod budget;
mod case;
mod figures;
mod ledger;
mod load;
mod local;
mod origin;
mod process;
mod request;
mod results;
mod statistics;
mod target;
mod wire;

/// What is measured, and for how long.
#[derive(Debug, Clone)]
pub struct Options {
    /// The gateway's binary.
    pub gateway: PathBuf,
    /// nginx, by path or by name.
    pub nginx: PathBuf,
    /// The folder with the local model's weights.
    pub models: PathBuf,
    /// Length of the proxy's part; the gateway with its books takes half as long, the others some seconds.
    pub length: Duration,
    /// As short as can be.
    pub quick: bool,
    /// Only the proxy's cases whose name contains this.
    pub case: Option<String>,
    /// These parts alone; all of them if it is empty.
    pub only: Vec<Part>,
}

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// The gateway without books, beside nginx.
    Proxy,
    /// The gateway with ledger and budgets, beside the gateway without.
    Accounting,
    /// The ledger alone.
    Ledger,
    /// Budgets alone, in this process and in Redis.
    Budget,
    /// Proxied calls beside a local model that has all it can do.
    Local,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A program cannot be started.
    #[error("cannot start {name} as {program:?}: {source}")]
    Start {
        /// The program.
        name: &'static str,
        /// Its path, or its name to be searched for.
        program: OsString,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A program has ended at once, or does not listen.
    #[error("{name} did not come up; what it wrote is above")]
    NotUp {
        /// The program.
        name: &'static str,
    },
    /// The same of a program that writes to a file.
    #[error("{source}:\n{lines}")]
    Log {
        /// The program.
        #[source]
        source: Box<Self>,
        /// What it wrote.
        lines: String,
    },
    /// A call went wrong, so that its time means nothing.
    #[error("{case}, {way:?}: {source}")]
    Call {
        /// The case.
        case: String,
        /// Direct, nginx or Skinflint.
        way: String,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// No case has such a name.
    #[error("no case is named {0:?}")]
    NoCase(String),
    /// The ledger alone cannot be opened.
    #[error(transparent)]
    OpenLedger(#[from] OpenError),
    /// It does not take what it should.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Budgets that are far from full refuse.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// Redis does not do for budgets.
    #[error(transparent)]
    Redis(#[from] ConnectError),
    /// The run was told to stop.
    #[error("stopped")]
    Stopped,
    /// Something else with the machine.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Starts of the gateway, each measured.
const STARTS: usize = 15;
/// Length of a slice: hundreds of calls, and still many rounds in a run.
const SLICE: Duration = Duration::from_millis(120);
const QUICK_SLICE: Duration = Duration::from_millis(20);
/// A median of fewer says little.
const FEWEST_ROUNDS: usize = 3;

/// Serves the fixed answers until standard input is closed; what [`run`] starts as `bench --origin`.
pub async fn serve_origin() -> Result<(), BenchError> {
    Ok(origin::serve().await?)
}

/// Measures, and prints the table and the figures. However it ends, the programs that it has started end before.
///
/// # Panics
/// If Redis is to be measured and is not installed.
pub async fn run(options: &Options) -> Result<(), BenchError> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        done = measure(options) => done,
        _ = interrupt.recv() => Err(BenchError::Stopped),
        _ = terminate.recv() => Err(BenchError::Stopped),
        _ = hang_up.recv() => Err(BenchError::Stopped),
    }
}

async fn measure(options: &Options) -> Result<(), BenchError> {
    let wants = |part| match &options.case {
        Some(_) => part == Part::Proxy,
        None => options.only.is_empty() || options.only.contains(&part),
    };
    say(&format!("load average before: {}", load_average()?))?;
    if wants(Part::Proxy) {
        proxy(options).await?;
    }
    if wants(Part::Accounting) {
        let length = options.length / 2;
        tell(&accounting::measure(&options.gateway, length, options.quick).await?)?;
    }
    if wants(Part::Ledger) {
        tell(&ledger::measure(options.quick).await?)?;
    }
    if wants(Part::Budget) {
        tell(&budget::measure(options.quick).await?)?;
    }
    if wants(Part::Local) {
        match local::measure(&options.gateway, &options.models, options.quick).await? {
            Some(figures) => tell(&figures)?,
            None => say("no weights of the local model: `skinflint models pull`")?,
        }
    }
    say(&format!("load average after: {}", load_average()?))?;
    Ok(())
}

async fn proxy(options: &Options) -> Result<(), BenchError> {
    let deadline = Instant::now() + options.length;
    let cases = cases(options)?;
    let origin = target::origin().await?;
    let nginx = target::nginx(&options.nginx, origin.address).await?;
    let mut starts = Vec::new();
    let mut idle = Vec::new();
    for _ in 0..STARTS {
        let (server, took) =
            target::skinflint(&options.gateway, origin.address, Books::Usual).await?;
        starts.push(took.as_secs_f64());
        idle.push(server.process.memory()?.resident);
        server.process.stop().await?;
    }
    let (skinflint, _) = target::skinflint(&options.gateway, origin.address, Books::Off).await?;
    let ways = Ways {
        skinflint,
        nginx,
        origin,
    };
    let (results, rounds) = ways.rounds(&cases, options, deadline).await?;
    idle.sort_unstable();
    let standing = Standing {
        start: median(starts),
        idle: idle[idle.len() / 2],
        after: ways.skinflint.process.memory()?,
    };
    ways.stop().await?;
    say(&format!(
        "medians over {rounds} rounds; `first` is the first event of a stream\n\n{results}"
    ))?;
    tell(&figures(&results, standing))?;
    Ok(())
}

fn tell(figures: &[Figure]) -> io::Result<()> {
    figures
        .iter()
        .try_for_each(|figure| say(&figure.to_string()))
}

fn say(what: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{what}")
}

/// Of the last minute: how busy the machine was with other things, which makes every time longer.
fn load_average() -> io::Result<String> {
    let averages = std::fs::read_to_string("/proc/loadavg")?;
    Ok(averages.split(' ').next().unwrap_or_default().to_owned())
}

fn cases(options: &Options) -> Result<Vec<Case>, BenchError> {
    let mut cases = Case::all();
    if let Some(only) = &options.case {
        cases.retain(|case| case.to_string().contains(only));
        if cases.is_empty() {
            return Err(BenchError::NoCase(only.clone()));
        }
    }
    Ok(cases)
}

/// The servers of the three ways.
#[derive(Debug)]
struct Ways {
    // The proxies end before what they stand before.
    skinflint: Server,
    nginx: Server,
    origin: Server,
}

// === impl Ways ===

impl Ways {
    /// Measures round by round until the deadline; also says how many rounds that were.
    async fn rounds(
        &self,
        cases: &[Case],
        options: &Options,
        deadline: Instant,
    ) -> Result<(Results, usize), BenchError> {
        let mut results = Results::new(cases);
        let mut done = 0;
        loop {
            let began = Instant::now();
            for case in results.iter_mut() {
                self.round(case, done, options).await?;
            }
            self.skinflint.empty_log()?;
            done += 1;
            let another = Instant::now() + began.elapsed();
            if done >= FEWEST_ROUNDS && (options.quick || another > deadline) {
                return Ok((results, done));
            }
        }
    }

    /// A slice each; who goes first changes from round to round.
    async fn round(
        &self,
        results: &mut CaseResults,
        number: usize,
        options: &Options,
    ) -> Result<(), BenchError> {
        let case = results.case;
        let mut slices = [None; 3];
        for turn in 0..slices.len() {
            let at = (turn + number) % slices.len();
            slices[at] = Some(self.slice(Way::ALL[at], case, options).await?);
        }
        if let [Some(direct), Some(nginx), Some(skinflint)] = slices {
            results.push(Round {
                direct,
                nginx,
                skinflint,
            });
        }
        Ok(())
    }

    async fn slice(&self, way: Way, case: Case, options: &Options) -> Result<Slice, BenchError> {
        let (server, proxy): (&Server, Option<&Process>) = match way {
            Way::Direct => (&self.origin, None),
            Way::Nginx => (&self.nginx, Some(&self.nginx.process)),
            Way::Skinflint => (&self.skinflint, Some(&self.skinflint.process)),
        };
        let length = if options.quick { QUICK_SLICE } else { SLICE };
        let slice = Load::new(server.address, case).run(length, proxy).await;
        slice.map_err(|source| BenchError::Call {
            case: case.to_string(),
            way: format!("{way:?}"),
            source,
        })
    }

    async fn stop(self) -> io::Result<()> {
        self.skinflint.process.stop().await?;
        self.nginx.process.stop().await?;
        self.origin.process.stop().await
    }
}
