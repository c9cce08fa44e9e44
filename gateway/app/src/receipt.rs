//! The record of one call: what each layer saw and decided, and how the call ended.

use std::{fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde::Serialize;
use skinflint_money::{NanoUsd, NanoUsdDelta};
use skinflint_policies::{KeyId, TenantId};
use skinflint_protocol::{StopReason, Usage};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{accounting::Taken, attribution::Attribution, surface::Surface};

/// The record of one call, shared by the layers that it passes; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Receipt(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: RequestId,
    surface: Surface,
    began: Instant,
    entries: Mutex<Entries>,
}

/// What has been entered so far. A field is empty if the call did not come that far.
#[derive(Debug, Default, Clone)]
pub(crate) struct Entries {
    /// Who called.
    pub tenant: Option<TenantId>,
    /// The key that was shown.
    pub key: Option<KeyId>,
    /// Which policies held.
    pub generation: u64,
    /// The price table that held.
    pub price_version: Option<Arc<str>>,
    /// How the task ended, where this call says that it has.
    pub task_outcome: Option<skinflint_ledger::Outcome>,
    /// Whether the task runs unoptimised, to compare with.
    pub holdout: bool,
    /// What was taken from rates of tokens before the tokens were known.
    pub rates_taken: Vec<Taken>,
    /// What the call belongs to.
    pub attribution: Option<Arc<Attribution>>,
    /// The model asked for.
    pub model: Option<String>,
    /// Whether the answer was asked for as a stream.
    pub stream: bool,
    /// Where the call went.
    pub route: Option<RouteTaken>,
    /// Bytes of the request body, decompressed.
    pub bytes_in: usize,
    /// Time spent waiting for the client's body and for the provider's headers.
    pub waited: Duration,
    /// From the call's first byte to the first token.
    pub first_token: Option<Duration>,
    /// What the provider says was used, in the last round.
    pub usage: Option<Usage>,
    /// The same of earlier rounds, in which the model asked the gateway for something.
    pub earlier_usage: Usage,
    /// Tokens that were kept out of the prompt.
    pub tokens_spared: u64,
    /// How many rounds there were before.
    pub rounds: u32,
    /// How often the call was sent.
    pub attempts: u32,
    /// The model that answered, by the provider's own word.
    pub answered_by: Option<String>,
    /// Why the answer ended.
    pub stop: Option<StopReason>,
    /// What the call cost so far, all attempts together.
    pub cost: Option<NanoUsd>,
    /// What we saved on it.
    pub saved: Option<NanoUsdDelta>,
    /// What was decided on the way, in its order.
    pub decisions: Vec<Decision>,
    /// Whether the answer is complete, so that a client that leaves now is done, not gone.
    pub complete: bool,
    /// What went wrong, in the operator's words.
    pub failure: Option<Failure>,
}

/// What went wrong.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// A label of low cardinality.
    pub label: &'static str,
    /// The error and its causes.
    pub detail: String,
}

/// Something that was decided about a call, and why; `skinflint explain` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub(crate) enum Decision {
    /// Where the call goes.
    Routed {
        /// The rung.
        to: String,
    },
    /// What was set aside for it.
    Reserved {
        /// The likely cost.
        held_usd: NanoUsd,
        /// The most that it can cost before it has to ask again.
        exposed_usd: NanoUsd,
        /// Tokens of the prompt, from above.
        input_tokens: u64,
        /// Whether the stream asks for more as it goes.
        metered: bool,
    },
    /// The answer's length was cut to what the budget has left.
    Clamped {
        /// In tokens.
        tokens: u64,
    },
    /// Results of tools were made smaller, now or in an earlier turn.
    Compressed {
        /// How many.
        blocks: u64,
        /// What they had.
        tokens_before: u64,
        /// What they have.
        tokens_after: u64,
        /// How, by the names of the stages.
        stages: String,
        /// What was taken away for good, such as spaces at the ends of lines.
        #[serde(skip_serializing_if = "String::is_empty")]
        normalised: String,
        /// What was left out, to be fetched if it is needed.
        #[serde(skip_serializing_if = "String::is_empty")]
        omitted: String,
    },
    /// The provider is told what of the request will come again.
    CacheHints {
        /// Breakpoints that were put in.
        marks: usize,
        /// Whether the conversation was named to it.
        key: bool,
    },
    /// Old results of tools are not sent from now on.
    Elided {
        /// Which occasion, and its numbers.
        because: String,
    },
    /// The model fetched what was left out, and went on.
    Fetched {
        /// How many texts.
        texts: usize,
        /// How long they are together.
        bytes: usize,
    },
    /// A budget had no room, and the local model answers instead.
    Downgraded {
        /// The budget.
        budget: String,
    },
    /// A budget had no room for the next step of a stream, which ended there.
    CutShort,
    /// The provider declined an attempt, and another was made.
    TriedAgain {
        /// The status of its answer; none if there was none.
        status: Option<u16>,
    },
}

/// Where a call went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RouteTaken {
    /// The model in this process.
    Local,
    /// A provider.
    Upstream(String),
    /// The gateway's own lists.
    Gateway,
}

/// The gateway's id of a call; sortable by time (UUIDv7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RequestId(Uuid);

// === impl Receipt ===

impl Receipt {
    /// Opens the record of a call that begins now.
    pub(crate) fn open(surface: Surface) -> Self {
        Self(Arc::new(Inner {
            id: RequestId(Uuid::now_v7()),
            surface,
            began: Instant::now(),
            entries: Mutex::default(),
        }))
    }

    /// A record of the same call for what is sent besides, of which the client is told nothing.
    pub(crate) fn apart(&self) -> Self {
        let entries = self.read(Entries::clone);
        Self(Arc::new(Inner {
            id: self.0.id,
            surface: self.0.surface,
            began: Instant::now(),
            entries: Mutex::new(entries),
        }))
    }

    /// The call's id.
    pub(crate) fn id(&self) -> RequestId {
        self.0.id
    }

    /// What was asked for, by method and path.
    pub(crate) fn surface(&self) -> Surface {
        self.0.surface
    }

    /// Time since the call began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.began.elapsed()
    }

    /// Enters something. The lock is held for that only.
    pub(crate) fn enter(&self, entry: impl FnOnce(&mut Entries)) {
        entry(&mut self.0.entries.lock());
    }

    /// Reads what has been entered.
    pub(crate) fn read<T>(&self, reader: impl FnOnce(&Entries) -> T) -> T {
        reader(&self.0.entries.lock())
    }

    /// Waits for something that is not the gateway's own work, and enters how long it took.
    pub(crate) async fn waiting<F: Future>(&self, other: F) -> F::Output {
        let began = Instant::now();
        let output = other.await;
        self.enter(|entries| entries.waited += began.elapsed());
        output
    }

    /// The gateway's own share of the time until now.
    pub(crate) fn overhead(&self) -> Duration {
        self.elapsed()
            .saturating_sub(self.read(|entries| entries.waited))
    }

    /// Enters a decision.
    pub(crate) fn decide(&self, decision: Decision) {
        self.enter(|entries| entries.decisions.push(decision));
    }

    /// The answer of a round is not the client's: another follows.
    pub(crate) fn next_round(&self) {
        self.enter(|entries| {
            entries.earlier_usage = entries.total_usage().unwrap_or_default();
            entries.usage = None;
            entries.rounds += 1;
            entries.stop = None;
            entries.complete = false;
        });
    }

    /// Enters the time of the first token, once.
    pub(crate) fn first_token(&self) {
        let elapsed = self.elapsed();
        self.enter(|entries| {
            entries.first_token.get_or_insert(elapsed);
        });
    }

    /// Enters an error with its causes.
    pub(crate) fn failed(&self, label: &'static str, error: &dyn std::error::Error) {
        let failure = Failure {
            label,
            detail: chain(error),
        };
        self.enter(|entries| entries.failure = Some(failure));
    }
}

// === impl Entries ===

impl Entries {
    /// What all rounds have used; none where the provider has said nothing.
    pub(crate) fn total_usage(&self) -> Option<Usage> {
        let earlier = (self.rounds > 0).then_some(self.earlier_usage);
        match (earlier, self.usage) {
            (Some(earlier), Some(last)) => Some(earlier.plus(&last)),
            (earlier, last) => last.or(earlier),
        }
    }
}

/// An error and its causes on one line. A cause that its parent already quotes is not repeated.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

// === impl RequestId ===

impl RequestId {
    /// The id as the ledger keeps it.
    pub(crate) fn uuid(self) -> Uuid {
        self.0
    }

    /// The id without its prefix, to make other ids from.
    pub(crate) fn bare(self) -> String {
        self.0.simple().to_string()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "req_{}", self.0.simple())
    }
}

// === impl RouteTaken ===

impl fmt::Display for RouteTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::Upstream(name) => write!(f, "upstream:{name}"),
            Self::Gateway => f.write_str("gateway"),
        }
    }
}
