//! A model hub that answers like Hugging Face and misbehaves on demand. See [`FakeHub`].

use std::{collections::BTreeMap, fmt::Write, net::SocketAddr, sync::Arc};

use parking_lot::Mutex;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::patience::wait_on;

mod server;

/// A hub on two loopback ports of the system's choice: large files lie at another origin, to which it redirects, as they do at the real one.
#[derive(Debug)]
pub struct FakeHub {
    hub: SocketAddr,
    store: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    _tasks: TaskTracker,
}

/// One of the two origins of a [`FakeHub`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Describes repositories and has their small files.
    Hub,
    /// Has large files.
    Store,
}

/// What goes wrong with one request.
#[derive(Clone, Debug)]
pub enum HubFault {
    /// The connection is closed after so many bytes of the body.
    BreakAfter(usize),
    /// Nothing more is sent after so many bytes of the body.
    StallAfter(usize),
    /// The whole file comes, whatever range was asked for.
    IgnoreRange,
    /// A range comes that begins elsewhere.
    OtherRange,
    /// Other bytes come, of the same number.
    Lie,
    /// More bytes come than the hub has stated.
    Longer,
    /// An error, and what the hub calls it.
    Status(u16, Option<&'static str>),
    /// Leads there.
    Redirect(String),
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct HubRequest {
    /// Where.
    pub origin: Origin,
    /// Path and query.
    pub target: String,
    /// Header fields; names in lower case.
    pub headers: Vec<(String, String)>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Counts what happens.
    changes: tokio::sync::watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    repositories: BTreeMap<String, Repository>,
    faults: Vec<(Origin, String, HubFault)>,
    requests: Vec<HubRequest>,
}

#[derive(Clone, Debug, Default)]
struct Repository {
    commit: String,
    revisions: Vec<String>,
    files: BTreeMap<String, Vec<u8>>,
    token: Option<String>,
}

impl FakeHub {
    /// Starts with no repository.
    ///
    /// # Panics
    /// If no loopback port can be bound.
    pub async fn start() -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changes: tokio::sync::watch::Sender::new(0),
        });
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let bind = async || {
            TcpListener::bind("127.0.0.1:0")
                .await
                .expect("bind a loopback port")
        };
        let (hub, store) = (bind().await, bind().await);
        let address = |listener: &TcpListener| listener.local_addr().expect("a bound address");
        let (hub_address, store_address) = (address(&hub), address(&store));
        for (origin, listener) in [(Origin::Hub, hub), (Origin::Store, store)] {
            let server = server::Server {
                origin,
                store: store_address,
                shared: Arc::clone(&shared),
                stop: stop.clone(),
                tasks: tasks.clone(),
            };
            tasks.spawn(server.run(listener));
        }
        Self {
            hub: hub_address,
            store: store_address,
            shared,
            stop,
            _tasks: tasks,
        }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.hub)
    }

    /// The address of its large files.
    pub fn store_url(&self) -> String {
        format!("http://{}", self.store)
    }

    /// Puts a repository there, or a new commit of it.
    pub fn publish(
        &self,
        repository: &str,
        commit: &str,
        revisions: &[&str],
        files: &[(&str, Vec<u8>)],
    ) {
        let files = files
            .iter()
            .map(|(path, content)| ((*path).to_owned(), content.clone()));
        let published = Repository {
            commit: commit.to_owned(),
            revisions: revisions.iter().map(|name| (*name).to_owned()).collect(),
            files: files.collect(),
            token: None,
        };
        let repositories = &mut self.shared.state.lock().repositories;
        repositories.insert(repository.to_owned(), published);
    }

    /// Gives a repository to those alone who have this token.
    ///
    /// # Panics
    /// If there is no such repository.
    pub fn require_token(&self, repository: &str, token: &str) {
        let mut state = self.shared.state.lock();
        let gated = state
            .repositories
            .get_mut(repository)
            .expect("a repository");
        gated.token = Some(token.to_owned());
    }

    /// Does this to the next request whose path and query end so. Of several faults the first comes first.
    pub fn fault(&self, origin: Origin, end: &str, fault: HubFault) {
        let faults = &mut self.shared.state.lock().faults;
        faults.push((origin, end.to_owned(), fault));
    }

    /// The requests that have come since this was last asked.
    pub fn take_requests(&self) -> Vec<HubRequest> {
        std::mem::take(&mut self.shared.state.lock().requests)
    }

    /// Waits until nothing of what was to go wrong is left.
    ///
    /// # Panics
    /// If that does not come.
    pub async fn wait_faults_used(&self) {
        let mut changes = self.shared.changes.subscribe();
        let used = || self.shared.state.lock().faults.is_empty().then_some(());
        let used = wait_on(&mut changes, used).await;
        used.expect("every fault is met");
    }
}

impl Drop for FakeHub {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl HubRequest {
    /// Value of the first field of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.headers.iter();
        fields
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Repository {
    /// As the hub's API describes it with `blobs=true`; of large files it states the checksum.
    fn describe(&self, name: &str) -> String {
        let siblings = self.files.iter().map(|(path, content)| {
            let mut sibling = json!({ "rfilename": path, "size": content.len(), "blobId": "0" });
            if is_large(path) {
                let sha256 = sha256(content);
                sibling["lfs"] =
                    json!({ "sha256": sha256, "size": content.len(), "pointerSize": 134 });
            }
            sibling
        });
        let siblings: Vec<_> = siblings.collect();
        json!({ "id": name, "sha": self.commit, "private": false, "siblings": siblings })
            .to_string()
    }
}

/// What a real hub keeps in large file storage.
fn is_large(path: &str) -> bool {
    [".gguf", ".safetensors"]
        .iter()
        .any(|end| path.ends_with(end))
}

fn sha256(content: &[u8]) -> String {
    let digits = Sha256::digest(content);
    digits.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
