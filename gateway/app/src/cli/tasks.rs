//! `skinflint tasks`

mod text;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{json, value::RawValue};
use skinflint_ledger::{Outcome as TaskOutcome, TaskFilter, TaskRow};

use super::{
    Outcome,
    admin::{AdminSide, segment},
    books, out,
};
use crate::{
    clock,
    inquiry::{self, DEFAULT_TOP, MAX_TOP},
    moment,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    books: books::LedgerArguments,
    /// The tenant whose tasks these are
    #[arg(long, global = true)]
    tenant: Option<String>,
    /// Active since then: `24h` or `7d` ago, or a date such as `2026-11-01` (UTC)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// So many, the costliest first
    #[arg(long, value_name = "N", default_value_t = DEFAULT_TOP, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_TOP)))]
    top: u32,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show a task with its agents, its models and what was saved
    Show {
        /// The task's name
        id: String,
    },
    /// Close a task and say how it went
    ///
    /// Only one process writes to a ledger in a file. If a gateway runs by this configuration, it is asked through its admin API, with the
    /// token of `listen.admin_token_env`; if none answers there, the ledger is opened and written directly.
    Close {
        /// The task's name
        id: String,
        /// How it went: `success`, `failure` or `unknown`
        #[arg(long, value_parser = outcome)]
        outcome: TaskOutcome,
    },
}

#[derive(Serialize)]
struct Tasks {
    tasks: Vec<TaskRow>,
}

/// Who closed a task with this command.
const BY: &str = "cli";

pub(super) fn run(arguments: &Arguments) -> Outcome {
    books::run(async {
        match &arguments.verb {
            None => list(arguments).await,
            Some(Verb::Show { id }) => show(arguments, id).await,
            Some(Verb::Close { id, outcome }) => close(arguments, id, *outcome).await,
        }
    })
}

fn outcome(text: &str) -> Result<TaskOutcome, String> {
    inquiry::word(text).map_err(|error| error.to_string())
}

async fn list(arguments: &Arguments) -> Outcome {
    let since = arguments
        .since
        .as_deref()
        .map(|text| moment::parse(text, clock::unix_millis()))
        .transpose()?;
    let filter = TaskFilter {
        since_ms: since.unwrap_or_default(),
        tenant: arguments.tenant.clone(),
        top: arguments.top,
    };
    let config = arguments.books.load()?;
    let tasks = books::reader(&config).await?.tasks(&filter).await?;
    arguments
        .books
        .print(&Tasks { tasks }, |found| text::list(&found.tasks))
}

async fn show(arguments: &Arguments, id: &str) -> Outcome {
    let config = arguments.books.load()?;
    let reader = books::reader(&config).await?;
    let tree = inquiry::task(&reader, arguments.tenant.as_deref(), id).await?;
    arguments.books.print(&tree, text::tree)
}

async fn close(arguments: &Arguments, id: &str, outcome: TaskOutcome) -> Outcome {
    let config = arguments.books.load()?;
    let tenant = arguments.tenant.as_deref();
    let admin = AdminSide::of(&config.listen);
    if let Some(admin) = &admin {
        let path = format!("/api/tasks/{}/close", segment(id));
        let body = json!({ "outcome": outcome, "tenant": tenant }).to_string();
        if let Some(answer) = admin.post(&path, body).await? {
            let task: Box<RawValue> = serde_json::from_slice(&answer)?;
            return closed(arguments, &task, id, outcome);
        }
    }
    let now = clock::unix_millis();
    let written = books::write(&config, async |ledger| {
        Ok(inquiry::close(ledger, tenant, id, Some(outcome), BY, now).await?)
    });
    match written.await {
        Ok(task) => closed(arguments, &task, id, outcome),
        Err(error) if books::is_held(&*error) => {
            let asking = match admin {
                Some(admin) => format!("nobody answers at {}", admin.address()),
                None => "the configuration names no `listen.admin_token_env` to ask it with".into(),
            };
            Err(format!("a running gateway holds the ledger, and {asking}").into())
        }
        Err(error) => Err(error),
    }
}

fn closed(arguments: &Arguments, task: &impl Serialize, id: &str, outcome: TaskOutcome) -> Outcome {
    if arguments.books.json {
        out::line(serde_json::to_string_pretty(task)?);
    } else {
        let id = super::table::printable(id.to_owned());
        out::line(format_args!("closed {id}: {}", outcome.name()));
    }
    Ok(())
}
