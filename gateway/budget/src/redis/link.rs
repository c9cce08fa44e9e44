//! The connection to Redis, which is either there or not: nobody waits to find out.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use redis::{AsyncConnectionConfig, Client, RedisError, Script, aio::MultiplexedConnection};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{Semaphore, watch},
    time::{Instant, timeout, timeout_at},
};

use super::{answer::Answer, question::Question};

const SCRIPT: &str = concat!(
    include_str!("script/accounts.lua"),
    include_str!("script/calls.lua")
);
/// Questions on their way at a time. Redis takes one after the other; more would only wait there instead of here, and one
/// late answer then counts against all of them.
const ON_THEIR_WAY: usize = 32;
/// Of the time for an answer: what is left for reading one that has arrived, where the machine is so busy that the alarm went first.
const GRACE: Duration = Duration::from_millis(5);
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
    /// There is no thread for the connection.
    #[error("no thread for the connection to redis")]
    Thread(#[source] std::io::Error),
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
    /// A thread of the connection's own: thousands of calls at once may keep the others busy for longer than an answer
    /// may take. None only while this is dropped.
    thread: Option<Runtime>,
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
    answer_within: Duration,
    pace: Arc<Pace>,
}

/// How questions and answers follow each other on a connection.
struct Pace {
    turns: Semaphore,
    /// When the last answer came.
    heard: Mutex<Instant>,
    /// Nobody waits for this connection any more.
    lost: AtomicBool,
}

// === impl Link ===

impl Link {
    pub(super) fn new(url: &str, answer_within: Duration) -> Result<Self, ConnectError> {
        let client = Client::open(url).map_err(ConnectError::Address)?;
        let thread = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("redis")
            .enable_all()
            .build()
            .map_err(ConnectError::Thread)?;
        Ok(Self {
            thread: Some(thread),
            client,
            answer_within,
            script: Arc::new(Script::new(SCRIPT)),
            up: watch::Sender::new(None),
            absences: AtomicU64::new(1),
        })
    }

    pub(super) fn session(&self) -> Option<Session> {
        self.up.borrow().clone()
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
    pub(super) async fn ask(&self, base: &str, question: &Question) -> Result<Answer, NoAnswer> {
        let session = self.session().ok_or(NoAnswer::Down)?;
        let answer = self.ask_on(&session, base, question).await;
        if let Err(error) = &answer {
            self.give_up(&session, error);
        }
        answer
    }

    /// Asks on a connection that calls may not use yet.
    pub(super) async fn ask_on(
        &self,
        session: &Session,
        base: &str,
        question: &Question,
    ) -> Result<Answer, NoAnswer> {
        let text = serde_json::to_string(question).map_err(NoAnswer::Garbled)?;
        let (session, base) = (session.clone(), base.to_owned());
        self.apart(async move { session.ask(&base, text).await })
            .await
            .unwrap_or(Err(NoAnswer::Down))
    }

    /// Does something on the connection's thread. None if that is being stopped.
    async fn apart<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        self.thread.as_ref()?.spawn(work).await.ok()
    }

    /// Which time without a connection this is, or was the last.
    pub(super) fn absence(&self) -> u64 {
        self.absences.load(Ordering::Relaxed)
    }

    pub(super) fn give_up(&self, session: &Session, error: &NoAnswer) {
        session.pace.lost.store(true, Ordering::Relaxed);
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
        let (client, script) = (self.client.clone(), Arc::clone(&self.script));
        let answer_within = self.answer_within;
        let connecting = async move {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(CONNECT_WITHIN))
                .set_response_timeout(None);
            let mut connection = client
                .get_multiplexed_async_connection_with_config(&config)
                .await?;
            check_memory(&mut connection).await?;
            let mut probe = redis::cmd("SET");
            probe.arg("sf1:probe").arg(1).arg("PX").arg(1000);
            probe.query_async::<()>(&mut connection).await?;
            script.prepare_invoke().load_async(&mut connection).await?;
            Ok(Session {
                connection,
                script,
                number,
                answer_within,
                pace: Arc::new(Pace {
                    turns: Semaphore::new(ON_THEIR_WAY),
                    heard: Mutex::new(Instant::now()),
                    lost: AtomicBool::new(false),
                }),
            })
        };
        let connected = self.apart(async { timeout(CONNECT_WITHIN, connecting).await });
        match connected.await {
            Some(Ok(connected)) => connected,
            Some(Err(_)) | None => Err(ConnectError::Silent),
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.shutdown_background();
        }
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
    /// Asks when it is this question's turn. The time for an answer begins then, and anew with each answer to another
    /// question: they come in the order of the questions, so that while any come this one's is on its way.
    async fn ask(&self, base: &str, text: String) -> Result<Answer, NoAnswer> {
        let turn = self.pace.turns.acquire().await;
        if turn.is_err() || self.pace.lost.load(Ordering::Relaxed) {
            return Err(NoAnswer::Down);
        }
        let mut connection = self.connection.clone();
        let mut invocation = self.script.key(base);
        let asked = invocation.arg(text).invoke_async::<String>(&mut connection);
        let answer = self.in_time(asked).await?.map_err(NoAnswer::Failed)?;
        serde_json::from_str(&answer).map_err(NoAnswer::Garbled)
    }

    async fn in_time<T>(&self, asked: impl Future<Output = T>) -> Result<T, NoAnswer> {
        let mut asked = pin!(asked);
        let patience = self.answer_within.saturating_sub(GRACE);
        let mut since = Instant::now();
        loop {
            let until = since.checked_add(patience).unwrap_or(since);
            if let Ok(answer) = timeout_at(until, asked.as_mut()).await {
                *self.pace.heard.lock() = Instant::now();
                return Ok(answer);
            }
            let heard = *self.pace.heard.lock();
            if heard <= since {
                break;
            }
            since = heard;
        }
        let late = timeout(GRACE, asked).await;
        late.map_err(|_| NoAnswer::Silent)
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
