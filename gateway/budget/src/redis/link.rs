//! The connection to Redis, which is either there or not: nobody waits to find out.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{AsyncConnectionConfig, Client, RedisError, Script, aio::MultiplexedConnection};
use tokio::{
    sync::watch,
    time::{Instant, timeout, timeout_at},
};

use super::{answer::Answer, question::Question};

const SCRIPT: &str = concat!(
    include_str!("script/accounts.lua"),
    include_str!("script/calls.lua")
);
/// For a connection and the checks on it, while no call waits.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// Why Redis cannot hold budgets.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is none.
    #[error("the address of redis is not valid")]
    Address(#[source] RedisError),
    /// It cannot be reached or does not take writes.
    #[error("redis cannot be used")]
    Unusable(#[from] RedisError),
    /// It does not answer.
    #[error("redis does not answer within {} ms", CONNECT_WITHIN.as_millis())]
    Silent,
    /// It forgets what it should keep when memory is short.
    #[error("redis has `maxmemory-policy {0}` and would evict budgets: set it to `noeviction`")]
    Evicts(String),
}

/// No answer from Redis.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// Known before anything was sent.
    #[error("redis is down")]
    Down,
    #[error("redis does not answer in time")]
    Silent,
    #[error("redis failed")]
    Failed(#[source] RedisError),
    #[error("redis answered what the script does not say")]
    Garbled(#[source] serde_json::Error),
}

/// Where Redis is, and the connection while there is one.
pub(super) struct Link {
    client: Client,
    answer_within: Duration,
    script: Arc<Script>,
    up: watch::Sender<Option<Session>>,
    /// How often the connection was lost, and one more.
    absences: AtomicU64,
}

/// One connection.
#[derive(Clone)]
pub(super) struct Session {
    connection: MultiplexedConnection,
    script: Arc<Script>,
    number: u64,
}

// === impl Link ===

impl Link {
    pub(super) fn new(url: &str, answer_within: Duration) -> Result<Self, ConnectError> {
        Ok(Self {
            client: Client::open(url).map_err(ConnectError::Address)?,
            answer_within,
            script: Arc::new(Script::new(SCRIPT)),
            up: watch::Sender::new(None),
            absences: AtomicU64::new(1),
        })
    }

    pub(super) fn session(&self) -> Option<Session> {
        self.up.borrow().clone()
    }

    /// When to stop waiting for an answer to what is asked now.
    pub(super) fn patience(&self) -> Instant {
        let now = Instant::now();
        now.checked_add(self.answer_within).unwrap_or(now)
    }

    /// Lets calls use a connection.
    pub(super) fn open(&self, session: Session) {
        self.up.send_replace(Some(session));
    }

    /// Waits until calls can use a connection, or cannot.
    pub(super) async fn changes_to(&self, up: bool) {
        let mut sessions = self.up.subscribe();
        let changed = sessions.wait_for(|session| session.is_some() == up).await;
        debug_assert!(changed.is_ok(), "the sender is this");
    }

    /// Asks, if there is a connection; one that does not answer is given up.
    pub(super) async fn ask(
        &self,
        base: &str,
        question: &Question,
        until: Instant,
    ) -> Result<Answer, NoAnswer> {
        let session = self.session().ok_or(NoAnswer::Down)?;
        let answer = session.ask(base, question, until).await;
        if let Err(error) = &answer {
            self.give_up(&session, error);
        }
        answer
    }

    /// Which time without a connection this is, or was the last.
    pub(super) fn absence(&self) -> u64 {
        self.absences.load(Ordering::Relaxed)
    }

    pub(super) fn give_up(&self, session: &Session, error: &NoAnswer) {
        let lost = self.up.send_if_modified(|up| {
            let current = up.as_ref().is_some_and(|up| up.number == session.number);
            if current {
                *up = None;
                self.absences.fetch_add(1, Ordering::Relaxed);
            }
            current
        });
        if lost {
            tracing::warn!(%error, source = error.source_text(), "the budget store is down");
        }
    }

    /// A new connection to a server that takes writes and keeps them. Calls do not use it yet.
    pub(super) async fn connect(&self, number: u64) -> Result<Session, ConnectError> {
        let connecting = async {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(CONNECT_WITHIN))
                .set_response_timeout(None);
            let client = &self.client;
            let mut connection = client
                .get_multiplexed_async_connection_with_config(&config)
                .await?;
            check_memory(&mut connection).await?;
            let mut probe = redis::cmd("SET");
            probe.arg("sf1:probe").arg(1).arg("PX").arg(1000);
            probe.query_async::<()>(&mut connection).await?;
            self.script
                .prepare_invoke()
                .load_async(&mut connection)
                .await?;
            Ok(Session {
                connection,
                script: Arc::clone(&self.script),
                number,
            })
        };
        let connected = timeout(CONNECT_WITHIN, connecting).await;
        connected.unwrap_or(Err(ConnectError::Silent))
    }
}

async fn check_memory(connection: &mut MultiplexedConnection) -> Result<(), ConnectError> {
    let mut config = redis::cmd("CONFIG");
    config.arg("GET").arg("maxmemory*");
    let read = config
        .query_async::<HashMap<String, String>>(connection)
        .await;
    let settings = match read {
        Ok(settings) => settings,
        Err(error) if error.is_io_error() => return Err(error.into()),
        Err(error) => {
            tracing::warn!(
                %error,
                "redis does not say its `maxmemory-policy`: it must be `noeviction` for budgets to be kept"
            );
            return Ok(());
        }
    };
    let unbounded = settings.get("maxmemory").is_some_and(|most| most == "0");
    match settings.get("maxmemory-policy") {
        Some(policy) if !unbounded && policy != "noeviction" => {
            Err(ConnectError::Evicts(policy.clone()))
        }
        _ => Ok(()),
    }
}

// === impl Session ===

impl Session {
    pub(super) async fn ask(
        &self,
        base: &str,
        question: &Question,
        until: Instant,
    ) -> Result<Answer, NoAnswer> {
        let text = serde_json::to_string(question).map_err(NoAnswer::Garbled)?;
        let mut connection = self.connection.clone();
        let mut invocation = self.script.key(base);
        let asked = invocation.arg(text).invoke_async::<String>(&mut connection);
        let answer = timeout_at(until, asked).await;
        let answer = answer
            .map_err(|_| NoAnswer::Silent)?
            .map_err(NoAnswer::Failed)?;
        serde_json::from_str(&answer).map_err(NoAnswer::Garbled)
    }
}

// === impl NoAnswer ===

impl NoAnswer {
    /// Whether the server answered, and refused: not for lack of a connection.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Failed(error) => !error.is_io_error(),
            Self::Garbled(_) => true,
            Self::Down | Self::Silent => false,
        }
    }

    fn source_text(&self) -> Option<String> {
        std::error::Error::source(self).map(ToString::to_string)
    }
}
