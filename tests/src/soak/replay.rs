//! Recorded conversations, turn by turn through the gateway, with a provider that bills as OpenAI and Anthropic do. See [`run`].
//!
//! The provider answers each turn as it was recorded, models its prompt cache on the requests that reach it, and writes what it charges on its bill. The bill is
//! priced here, from price lists of our own, and held against the ledger: task by task and in sum, to the nano-dollar.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use futures_util::{StreamExt, stream};
use nix::sys::signal::Signal;
use parking_lot::Mutex;

use self::{
    cache::{Cache, usage},
    price::price,
    trajectories::Conversation,
};
use super::books::Books;
use crate::{BillLine, FakeProvider, Gateway, Script};

mod cache;
mod price;
mod trajectories;

/// What the replay came to. Amounts are in nano-dollars.
#[derive(Debug, Default)]
pub struct ReplayTotals {
    /// Conversations, each a task.
    pub tasks: usize,
    /// Turns, each a call.
    pub calls: usize,
    /// What the provider billed.
    pub bill_nano: u64,
    /// What is in the ledger.
    pub ledger_nano: u64,
    /// The tasks' differences between the two, whichever is larger, added up.
    pub difference_nano: u64,
    /// Tokens read from the cache and written to it for five minutes and for an hour: the kinds that are billed apart.
    pub cached: [u64; 3],
    /// What is wrong.
    pub faults: Vec<String>,
}

/// Names the folder of evaluation data.
const DATA: &str = "SKINFLINT_EVAL_DATA";
/// Where it is when nothing names it: beside the project.
const DEFAULT_DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
/// Conversations at a time; the turns of each follow one another.
const AT_ONCE: usize = 8;

/// The folder of the evaluation data, which may not be there.
pub fn evaluation_data() -> PathBuf {
    std::env::var_os(DATA).map_or_else(|| DEFAULT_DATA.into(), PathBuf::from)
}

/// The folder of the recorded conversations, where it is there.
pub fn data() -> Option<PathBuf> {
    Some(evaluation_data().join("tau_bench")).filter(|folder| folder.is_dir())
}

/// Replays so many of the conversations in `folder` in each of the two protocols.
///
/// # Panics
/// If the recordings cannot be read, the gateway does not come up, or refuses a call.
pub async fn run(folder: &Path, most: usize) -> ReplayTotals {
    let conversations = trajectories::read(folder, most);
    let provider = FakeProvider::start().await;
    let papers = tempfile::tempdir().expect("a temporary folder");
    let bill = papers.path().join("bill.tsv");
    provider.bill(&bill).expect("open the bill");
    let answers: HashMap<String, _> = conversations
        .iter()
        .flat_map(Conversation::answers)
        .collect();
    let caches: Mutex<HashMap<String, Cache>> = Mutex::default();
    provider.script_by(move |exchange| {
        let id = exchange.header("x-client-request-id");
        let mut answer = answers.get(id)?.clone();
        let task = task_of(id).to_owned();
        let mut caches = caches.lock();
        answer.usage = usage(&exchange.body, &answer, caches.entry(task).or_default());
        Some(Script::answer(answer))
    });
    let mut gateway = gateway(&provider).await;
    stream::iter(&conversations)
        .for_each_concurrent(AT_ONCE, |conversation| replay(&gateway, conversation))
        .await;
    gateway.signal(Signal::SIGTERM);
    let status = gateway.exited().await;
    assert!(status.success(), "{status}: {}", gateway.output());
    let mut totals = ReplayTotals {
        tasks: conversations.len(),
        calls: conversations.iter().map(Conversation::turns).sum(),
        ..ReplayTotals::default()
    };
    let mut books = Books::open(&gateway.ledger())
        .await
        .expect("open the books");
    let compared = compare(&mut books, &BillLine::read(&bill), &mut totals).await;
    compared.expect("read the books");
    books.close().await.expect("close the books");
    totals
}

/// The gateway with upstreams whose names say whose prices are theirs.
async fn gateway(provider: &FakeProvider) -> Gateway {
    let mut builder = Gateway::builder(provider);
    for (upstream, protocol, model) in price::MODELS {
        builder = builder
            .upstream(upstream, protocol, &provider.url())
            .model(model, upstream, None);
    }
    builder.start().await
}

async fn replay(gateway: &Gateway, conversation: &Conversation) {
    for turn in 0..conversation.turns() {
        let answer = gateway
            .post(conversation.path(), conversation.request(turn))
            .header("x-skinflint-task", &conversation.task)
            .header("x-client-request-id", conversation.id(turn))
            .send()
            .await
            .expect("an answer");
        let status = answer.status();
        let body = answer.bytes().await.expect("a whole answer");
        assert!(
            status.is_success(),
            "{status} to {}: {}",
            conversation.id(turn),
            String::from_utf8_lossy(&body)
        );
    }
}

async fn compare(
    books: &mut Books,
    bill: &[BillLine],
    totals: &mut ReplayTotals,
) -> sqlx::Result<()> {
    let mut billed: HashMap<&str, u64> = HashMap::new();
    for line in bill {
        *billed.entry(task_of(&line.call)).or_default() += price(line);
        for (sum, tokens) in
            totals
                .cached
                .iter_mut()
                .zip([line.cached, line.write_5m, line.write_1h])
        {
            *sum += tokens;
        }
    }
    totals.bill_nano = billed.values().sum();
    for (task, cost) in books.tasks().await? {
        let cost = u64::try_from(cost).expect("a cost is not negative");
        let billed = billed.remove(&*task).unwrap_or_default();
        totals.difference_nano += cost.abs_diff(billed);
        if cost != billed {
            totals
                .faults
                .push(format!("{task}: billed {billed}, in the ledger {cost}"));
        }
    }
    for (task, billed) in billed {
        totals.difference_nano += billed;
        totals
            .faults
            .push(format!("{task}: billed {billed}, not in the ledger"));
    }
    let sums = books.sums().await?;
    match sums.agreed() {
        Some(sum) => totals.ledger_nano = sum.unsigned_abs(),
        None => totals.faults.push(format!("the sums differ: {sums:?}")),
    }
    let attempts = books.attempts().await?;
    if attempts.len() != bill.len() || bill.len() != totals.calls {
        totals.faults.push(format!(
            "{} calls, {} lines of the bill, {} rows in the ledger",
            totals.calls,
            bill.len(),
            attempts.len()
        ));
    }
    let guessed = attempts.iter().filter(|row| row.source != "provider");
    let guessed = guessed.map(|row| format!("not by the provider's own account: {row:?}"));
    totals.faults.extend(guessed);
    Ok(())
}

/// The task of a call's id, `TASK/TURN`.
fn task_of(id: &str) -> &str {
    id.split('/').next().unwrap_or_default()
}
