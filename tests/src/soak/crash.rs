//! The gateway killed under load, again and again, with the provider's bill as the oracle. See [`run`].
//!
//! A folder of books lives through some ten deaths: by `kill -9` at a random moment, or by the process's own hand at a fail point. After each, what
//! it had left open is read from a copy of its file, and the gateway starts again in the folder. At the end, call by call: what was billed is in the ledger,
//! once, and what is in the ledger beyond the bill is no more than what was open at the kills.

use std::{
    collections::{HashSet, hash_map::RandomState},
    hash::BuildHasher,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use http::StatusCode;
use nix::sys::signal::Signal;
use parking_lot::Mutex;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tempfile::TempDir;

use self::calls::PlannedCall;
use super::books::{Books, OpenCall};
use crate::{BillLine, FakeProvider, Gateway, Reply, Script};

mod audit;
mod calls;

/// How often the gateway dies, and what decides about everything that is random.
#[derive(Debug, Clone, Copy)]
pub struct CrashPlan {
    /// Deaths.
    pub rounds: usize,
    /// The same seed makes the same calls, and the same deaths up to the machine's own timing.
    pub seed: u64,
}

/// What the rounds came to. Amounts are in nano-dollars.
#[derive(Debug, Default)]
pub struct CrashTotals {
    /// The seed of the run.
    pub seed: u64,
    /// Deaths.
    pub rounds: usize,
    /// Lines of the bill.
    pub billed: usize,
    /// Rows of attempts in the ledger.
    pub attempts: usize,
    /// Calls that were open at a kill.
    pub open_at_kills: usize,
    /// What the provider billed.
    pub bill_nano: i128,
    /// What is in the ledger.
    pub ledger_nano: i128,
    /// The most that the calls could cost that were open at a kill.
    pub open_nano: i128,
    /// Reservations that nobody has settled in the end.
    pub left_open: usize,
    /// Billed, and not in the ledger, or cheaper there.
    pub lost: Vec<String>,
    /// In the ledger more often than billed.
    pub duplicates: Vec<String>,
    /// Settled at the upper bound although no gateway had ended.
    pub unexplained: Vec<String>,
    /// What else is wrong.
    pub faults: Vec<String>,
}

/// How the gateway dies.
#[derive(Debug, Clone, Copy)]
enum Death {
    /// By `kill -9`, once the provider has had so many more requests, and so much later.
    Killed { requests: usize, later: Duration },
    /// At a fail point, after it has passed it so often.
    At { point: &'static str, passes: u32 },
}

/// A gateway's folder, its provider and the bill, through some deaths.
#[derive(Debug)]
struct Life {
    gateway: Gateway,
    provider: FakeProvider,
    bill: PathBuf,
    _folder: TempDir,
    open_at_kills: Vec<OpenCall>,
    seed: u64,
    next_call: usize,
}

/// Calls in flight.
const CONCURRENCY: usize = 200;
/// More than pass before any death; those left over find nobody and cost nothing.
const CALLS: usize = 20_000;
/// Calls of a gateway that is not killed, to see that it still does its work.
const LAST_CALLS: usize = 200;
/// Deaths in a folder.
const LIFE: usize = 10;
/// Fail points, and how often at most they are passed before the process ends there: some are passed once a call, some once a batch.
const POINTS: [(&str, u32); 7] = [
    ("ledger-before-commit", 60),
    ("ledger-after-commit-before-ack", 60),
    ("gateway-before-send", 600),
    ("gateway-after-send", 600),
    ("gateway-before-settle", 600),
    ("ledger-before-settle-commit", 40),
    // Comes after some thousands of rows.
    ("ledger-checkpoint", 0),
];
/// The environment variable that arms them.
const FAIL_POINTS: &str = "FAILPOINTS";
/// The point at which a start ends that finds something to recover.
const IN_RECOVERY: &str = "ledger-before-settle-commit=return";
/// A budget that never is in the way, so that streams are metered and their leases written down.
const TENANT: &str = r#"
[tenant]
id = "crash"
keyless = true

[[budget]]
scope = "tenant"
window = "day"
limit_usd = 100_000

[[budget]]
scope = "task"
window = "task"
limit_usd = 1
"#;

/// A seed that nobody has chosen.
pub fn any_seed() -> u64 {
    RandomState::new().hash_one(()) >> 32
}

/// Kills the gateway as often as planned, and adds up what that did to the books.
///
/// # Panics
/// If the gateway does not come up, does not die at its fail point (it needs the feature `failpoints`), or the books cannot be read.
pub async fn run(plan: CrashPlan, mut told: impl FnMut(&CrashTotals)) -> CrashTotals {
    let mut totals = CrashTotals {
        seed: plan.seed,
        ..CrashTotals::default()
    };
    let mut random = StdRng::seed_from_u64(plan.seed);
    while totals.rounds < plan.rounds {
        let rounds = LIFE.min(plan.rounds - totals.rounds);
        let deaths: Vec<Death> = (0..rounds)
            .map(|round| Death::of(round, &mut random))
            .collect();
        let life = Life::begin(random.random::<u32>().into(), &deaths).await;
        life.through(&deaths, &mut totals).await;
        told(&totals);
    }
    totals
}

impl CrashTotals {
    /// The ledger's excess over the bill, beyond what was open at the kills.
    pub fn excess_over_open_nano(&self) -> i128 {
        self.ledger_nano - self.bill_nano - self.open_nano
    }

    /// True when the books are right.
    pub fn is_sound(&self) -> bool {
        let wrong = [
            &self.lost,
            &self.duplicates,
            &self.unexplained,
            &self.faults,
        ];
        wrong.iter().all(|wrong| wrong.is_empty())
            && self.left_open == 0
            && self.ledger_nano >= self.bill_nano
            && self.excess_over_open_nano() <= 0
    }
}

impl Death {
    /// The death of a round: in turns a kill, and the fail points between the kills.
    fn of(round: usize, random: &mut StdRng) -> Self {
        let (group, place) = (round / 4, round % 4);
        match place
            .checked_sub(1)
            .and_then(|place| POINTS.get(group * 3 + place))
        {
            Some((point, most)) => Self::At {
                point,
                passes: if *most == 0 {
                    0
                } else {
                    random.random_range(1..=*most)
                },
            },
            None => Self::Killed {
                requests: random.random_range(CONCURRENCY..4 * CONCURRENCY),
                later: Duration::from_micros(random.random_range(0..20_000)),
            },
        }
    }

    /// What the environment variable has to say.
    fn fail_points(self) -> String {
        match self {
            Self::Killed { .. } => String::new(),
            Self::At { point, passes: 0 } => format!("{point}=return"),
            Self::At { point, passes } => format!("{point}={passes}*off->return"),
        }
    }
}

impl Life {
    /// The first start is that of the first death.
    async fn begin(seed: u64, deaths: &[Death]) -> Self {
        let provider = FakeProvider::start().await;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let bill = folder.path().join("bill.tsv");
        provider.bill(&bill).expect("open the bill");
        let declined: Arc<Mutex<HashSet<String>>> = Arc::default();
        provider.script_by(move |exchange| {
            let id = exchange.header("x-client-request-id");
            let call = PlannedCall::of(id);
            if call.declined_once && declined.lock().insert(id.to_owned()) {
                return Some(Script::status(StatusCode::TOO_MANY_REQUESTS));
            }
            Some(call.script())
        });
        let fail_points = deaths.first().map(|death| death.fail_points());
        let gateway = Gateway::builder(&provider)
            .tenant("crash", TENANT)
            .env(FAIL_POINTS, &fail_points.unwrap_or_default())
            .start()
            .await;
        Self {
            gateway,
            provider,
            bill,
            _folder: folder,
            open_at_kills: Vec::new(),
            seed,
            next_call: 0,
        }
    }

    async fn through(mut self, deaths: &[Death], totals: &mut CrashTotals) {
        for (round, death) in deaths.iter().enumerate() {
            if round > 0 {
                self.start_again(&death.fail_points(), totals).await;
            }
            self.die(*death).await;
            totals.rounds += 1;
            let open = Books::left_open(&self.gateway.ledger()).await;
            let open = open.expect("read the books of the dead");
            totals.open_at_kills += open.len();
            if round == 0 && !open.is_empty() {
                self.die_in_recovery().await;
            }
            self.open_at_kills.extend(open);
        }
        self.end(totals).await;
    }

    /// Sends calls until the gateway is dead, and waits until the provider has noticed.
    async fn die(&mut self, death: Death) {
        let before = self.provider.exchanges().len();
        let load = self.gateway.load();
        let (seed, first) = (self.seed, self.next_call);
        let request = |index: usize| {
            let id = calls::id(seed, first + index);
            PlannedCall::of(&id).request(&id)
        };
        let dying = async {
            match death {
                Death::Killed { requests, later } => {
                    let enough = before + requests;
                    let what = format!("it has had {enough} requests");
                    self.provider
                        .wait_until(&what, |all| all.len() >= enough)
                        .await;
                    // A moment of its own, not one that a request decides.
                    tokio::time::sleep(later).await;
                    self.gateway.kill().await;
                }
                Death::At { point, .. } => {
                    let status = self.gateway.exited().await;
                    let aborted = status.signal() == Some(Signal::SIGABRT as i32);
                    assert!(
                        aborted,
                        "{status} in place of an end at {point}: {}",
                        self.gateway.output()
                    );
                }
            }
        };
        let (replies, ()) = tokio::join!(load.run(CALLS, CONCURRENCY, request), dying);
        let unanswered = |reply: &Reply| reply.status.is_none() || !reply.is_whole;
        assert!(
            replies.iter().any(unanswered),
            "the calls were over before the gateway was: {death:?}"
        );
        self.next_call += CALLS;
        self.provider.wait_idle().await;
    }

    /// A start that ends while it settles what was left open; the next one begins anew.
    async fn die_in_recovery(&mut self) {
        self.gateway.set_env(FAIL_POINTS, IN_RECOVERY);
        let start = self
            .gateway
            .cli(&["serve", "--config", "skinflint.toml"])
            .await;
        assert_eq!(
            start.code, None,
            "a start that was to end in its recovery: {start:?}"
        );
    }

    async fn start_again(&mut self, fail_points: &str, totals: &mut CrashTotals) {
        self.gateway.set_env(FAIL_POINTS, fail_points);
        self.gateway.start_again().await;
        let mut books = Books::open(&self.gateway.ledger())
            .await
            .expect("open the books");
        let open = books.open_calls().await.expect("read the books");
        if !open.is_empty() {
            totals.faults.push(format!("open after a start: {open:?}"));
        }
        books.close().await.expect("close the books");
    }

    /// Starts for good, works, stops in order, and lets the books be audited.
    async fn end(mut self, totals: &mut CrashTotals) {
        self.start_again("", totals).await;
        let (seed, first) = (self.seed, self.next_call);
        let request = |index: usize| {
            let id = calls::id(seed, first + index);
            PlannedCall::of(&id).request(&id)
        };
        let replies = self
            .gateway
            .load()
            .run(LAST_CALLS, CONCURRENCY, request)
            .await;
        let failed = replies
            .iter()
            .find(|reply| reply.status != Some(200) || !reply.is_whole);
        if let Some(reply) = failed {
            totals
                .faults
                .push(format!("a call failed after the last start: {reply:?}"));
        }
        let ledger = self.gateway.ledger();
        self.gateway.signal(Signal::SIGTERM);
        let status = self.gateway.exited().await;
        assert!(status.success(), "{status}: {}", self.gateway.output());
        let mut books = Books::open(&ledger).await.expect("open the books");
        let bill = BillLine::read(&self.bill);
        audit::audit(&mut books, &bill, &self.open_at_kills, totals)
            .await
            .expect("read the books");
        books.close().await.expect("close the books");
    }
}
