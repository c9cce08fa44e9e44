//! The gateway as a whole: everything made from one configuration, run until it is told to stop.

use std::{
    convert::Infallible,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use secrecy::ExposeSecret as _;
use skinflint_decisions::{DecisionFile, DecisionStore, SharedRecords, SharedRecordsError};
use skinflint_policies::{Config, Decisions, FieldFault, Local, ModelTable, Timeouts, Upstream};
use skinflint_upstream::{BuildError, InFlight, Provider};
use tower::{Service, ServiceExt};

use crate::{
    accounting::{Accounting, Foundations, OpenError},
    admin::Admin,
    body::Body,
    compression::Compression,
    drain::Drain,
    health::Health,
    layers::route::RouteMap,
    local::{LocalModels, default_embedder},
    logs::CallLog,
    metrics::{LocalMetrics, Metrics},
    policy::LivePolicies,
    prose::Prose,
    relay::{LeftBehind, Relay},
    rungs::{LocalRung, ModelList, Origin, Rungs, UpstreamRung},
    serve::Listener,
    stack::{CallService, Parts, stack},
    tls,
    trials::Trials,
};

/// A gateway that is bound to its addresses and not yet serving.
#[derive(Debug)]
pub struct Gateway {
    calls: Listener,
    admin: Listener,
    service: Health<CallService>,
    pages: axum::Router,
    drain: Drain,
    /// Of the admin side, which goes on saying that the gateway is stopping until it has stopped.
    admin_drain: Drain,
    local: LocalModels,
    accounting: Accounting,
    compression: Compression,
    deadline: Duration,
}

/// Where things are kept on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Folders {
    /// The weights of local models.
    pub models: PathBuf,
    /// What belongs to no configuration file, such as the ledger.
    pub data: PathBuf,
}

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener's address cannot be bound.
    #[error("cannot listen on {address} for {listener}: {source}")]
    Bind {
        /// `calls` or `admin`.
        listener: &'static str,
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] FieldFault),
    /// The ledger or the budgets' counters cannot be opened.
    #[error(transparent)]
    Accounting(#[from] OpenError),
    /// What conversations were made into cannot be shared.
    #[error("the decisions of other gateways cannot be had")]
    Decisions(#[from] SharedRecordsError),
    /// A provider's client cannot be made.
    #[error(transparent)]
    Upstream(#[from] BuildError),
}

impl StartError {
    fn bind(listener: &'static str, address: std::net::SocketAddr, source: io::Error) -> Self {
        Self::Bind {
            listener,
            address,
            source,
        }
    }
}

/// In the folder of data.
const DECISIONS: &str = "decisions.db";
/// Some weeks of one agent, or an hour of a hundred, whole texts of which parts are left out included; it has to outlive
/// what providers keep.
const DECISION_BYTES: u64 = 128 << 20;
/// After the deadline: time for error events to reach their clients.
const GRACE: Duration = Duration::from_secs(1);

// === impl Gateway ===

impl Gateway {
    /// Makes everything that the configuration asks for, and binds the listeners.
    ///
    /// `log` takes a line for each call.
    pub(crate) async fn bind(
        config: Config,
        folders: Folders,
        log: CallLog,
    ) -> Result<Self, StartError> {
        let Config {
            listen,
            limits,
            timeouts,
            upstreams,
            models: table,
            local,
            tenants,
            source,
            policies,
            prices,
            ledger,
            counters,
            decisions,
            alerts,
        } = config;
        let (drain, admin_drain) = (Drain::default(), Drain::default());
        let tls = tls::of(&listen, &source)?;
        let bind = async |listener, address, tls, drain: &Drain| {
            let drain = drain.clone();
            let bound = Listener::bind(address, tls, &limits, &timeouts, drain).await;
            bound.map_err(|source| StartError::bind(listener, address, source))
        };
        let calls = bind("calls", listen.calls, tls, &drain).await?;
        let admin = bind("admin", listen.admin, None, &admin_drain).await?;

        let in_flight = InFlight::default();
        let origins = origins(&upstreams, &timeouts, &in_flight, &drain)?;
        let (metrics, mut registry) = Metrics::new(in_flight);
        let policies = LivePolicies::new(tenants, prices, policies, metrics.clone());
        policies.watch(&drain);
        let table = with_embedder(table, &local, &folders);
        let map = Arc::new(RouteMap::new(table, upstreams, &local));
        let local = LocalModels::start(&local, folders.models, &drain);
        registry.register_collector(Box::new(LocalMetrics::new(local.clone())));
        let accounting = Accounting::open(Foundations {
            ledger: &ledger,
            counters: &counters,
            alerts,
            data: &folders.data,
            policies: policies.clone(),
            metrics: metrics.clone(),
            local: local.clone(),
            tasks: drain.clone(),
        })
        .await?;
        drain.spawn(accounting.clone().upkeep());
        let store = open_decisions(&decisions, &folders.data, &admin_drain).await?;
        let prose = Prose::new(local.clone(), drain.clone());
        let trials = Trials::open(&folders.data, metrics.clone(), drain.clone());
        let compression = Compression::new(store, trials.clone()).with_prose(prose.clone());
        let relay = Relay::new(&timeouts, listen.cost_comments, drain.deadline());
        let rungs = rungs(origins, relay, &local, &map, prose);
        let api = accounting.api(&map.upstreams, trials);
        let pages =
            Admin::new(registry, listen.admin_access, drain.clone(), local.clone()).router(api);
        let service = stack(Parts {
            limits,
            timeouts,
            policies,
            accounting: accounting.clone(),
            compression: compression.clone(),
            map,
            metrics,
            log,
            rungs,
        });
        Ok(Self {
            calls,
            admin,
            service: Health::new(service, listen.health.then(|| local.clone())),
            pages,
            drain,
            admin_drain,
            local,
            accounting,
            compression,
            deadline: timeouts.drain,
        })
    }

    /// The handle by which it is told to stop.
    pub fn drain(&self) -> Drain {
        self.drain.clone()
    }

    /// Serves until told to stop, and then until every call has ended or the deadline has passed.
    pub async fn run(self) -> io::Result<()> {
        for (listener, name) in [(&self.calls, "calls"), (&self.admin, "admin")] {
            tracing::info!(listener = name, addr = %listener.address()?, "listening");
        }
        let calls = async {
            self.calls.run(self.service).await;
            let finished = self.drain.finished(self.deadline, GRACE).await;
            self.compression.close().await;
            self.admin_drain.start();
            finished
        };
        let (finished, ()) = tokio::join!(calls, self.admin.run(pages(self.pages)));
        self.admin_drain.finished(GRACE, Duration::ZERO).await;
        self.local.stop();
        if let Some(books) = self.accounting.books() {
            books.close().await;
        }
        if finished {
            tracing::info!("stopped");
        } else {
            tracing::warn!("stopped with calls that would not end");
        }
        Ok(())
    }
}

/// What answers.
fn rungs(
    origins: Vec<Origin>,
    relay: Relay,
    local: &LocalModels,
    map: &RouteMap,
    prose: Prose,
) -> Rungs {
    Rungs::new(
        LocalRung::new(local.clone(), relay.clone()),
        UpstreamRung::new(origins, relay),
        ModelList::new(&map.models, &map.upstreams),
        prose,
    )
}

/// What was decided about conversations before, here or by other gateways, and a task that writes down what is decided from now on. Without
/// a file the gateway serves all the same: then what it has sent is forgotten with the process.
async fn open_decisions(
    decisions: &Decisions,
    data: &Path,
    tasks: &Drain,
) -> Result<DecisionStore, SharedRecordsError> {
    let path = data.join(DECISIONS);
    // What is wrong with the folder is said of the file in it.
    let _ = std::fs::create_dir_all(data);
    let store = match DecisionFile::open(&path, DECISION_BYTES).await {
        Ok((store, file)) => {
            tasks.spawn(file.write());
            store
        }
        Err(error) => {
            let because = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(%error, because, "what becomes of blocks of conversations is kept in memory alone");
            DecisionStore::in_memory(DECISION_BYTES)
        }
    };
    Ok(match &decisions.redis {
        Some(url) => store.shared_through(SharedRecords::new(url.expose_secret())?),
        None => store,
    })
}

/// The table of models, with the default embedder if it has been pulled.
fn with_embedder(mut table: ModelTable, local: &Local, folders: &Folders) -> ModelTable {
    if let Some(embedder) = default_embedder(local, &folders.models) {
        table.add_local(embedder);
    }
    table
}

/// The providers, with what becomes of their answers when a client is gone.
fn origins(
    upstreams: &[Upstream],
    timeouts: &Timeouts,
    in_flight: &InFlight,
    drain: &Drain,
) -> Result<Vec<Origin>, BuildError> {
    upstreams
        .iter()
        .map(|upstream| {
            Ok(Origin {
                provider: Provider::new(upstream, timeouts, in_flight.clone())?,
                left: LeftBehind::new(upstream.on_disconnect, drain.clone()),
            })
        })
        .collect()
}

/// The admin pages as a service of the accept loop.
fn pages(
    router: axum::Router,
) -> impl Service<
    Request<Incoming>,
    Response = Response<Body>,
    Error = Infallible,
    Future: Send + 'static,
> + Clone
+ Send
+ 'static {
    ServiceExt::<Request<Incoming>>::map_response(router, |response: axum::response::Response| {
        response.map(|body| body.map_err(Into::into).boxed_unsync())
    })
}
