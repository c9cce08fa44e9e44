//! A real Postgres. See [`PostgresServer`].

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use nix::{
    sys::signal::Signal,
    unistd::{Uid, User},
};
use tokio::sync::OnceCell;

use super::{Failure, Keeper, Server, free_port, installed};

/// Where Debian puts Postgres: `VERSION/bin` below.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The Debian package, and the user that it makes.
const PACKAGE: &str = "postgresql";
const USER: &str = "postgres";

/// Makes a cluster in the folder `$2` with the programs in `$1`, and becomes its server on the port `$4`; `$3` is the superuser.
const CLUSTER: &str = r#"
"$1/initdb" -D "$2/data" -U "$3" -A trust -E UTF8 --no-locale --no-sync && exec "$1/postgres" -D "$2/data" -p "$4" \
  -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200 \
  -c fsync=off -c synchronous_commit=off -c full_page_writes=off
"#;

/// A Postgres cluster of its own on a free port of 127.0.0.1 that trusts everybody and never waits for the disk. Dropped, it is ended.
#[derive(Debug)]
pub struct PostgresServer {
    port: u16,
    /// Holds the cluster's programs.
    programs: PathBuf,
    keeper: Keeper,
    server: Server,
    databases: AtomicU32,
}

impl PostgresServer {
    /// Starts one, and waits until it takes connections. That takes seconds: tests that do not stop it use [`Self::shared`].
    ///
    /// # Panics
    /// If it does not come up, or is not installed.
    pub async fn start() -> Self {
        let keeper = Keeper {
            // Postgres's "immediate" end: no checkpoint, and no shared memory left behind.
            end: Signal::SIGQUIT,
            user: user(),
        };
        let programs = installed(newest(), "postgres", PACKAGE);
        loop {
            let port = free_port();
            if let Some(server) = launch(&keeper, &programs, port).await {
                return Self {
                    port,
                    programs,
                    keeper,
                    server,
                    databases: AtomicU32::new(0),
                };
            }
        }
    }

    /// The one that all tests of this process share; it ends with the process.
    ///
    /// # Panics
    /// Like [`Self::start`].
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<PostgresServer> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// URL of a new, empty database.
    ///
    /// # Panics
    /// If it cannot be made.
    pub async fn database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        let port = self.port.to_string();
        let mut command = self.keeper.command(self.programs.join("createdb"));
        command.args(["-h", "127.0.0.1", "-p", &port, "-U", USER, &name]);
        run(command).await;
        format!("postgres://{USER}@127.0.0.1:{port}/{name}")
    }

    /// Stops the server process where it is, so that no new connection is answered; open ones have processes of their own, which go on.
    ///
    /// # Panics
    /// If it has been killed.
    pub fn stop(&self) {
        self.server.signal(Signal::SIGSTOP);
    }

    /// Lets it go on after [`Self::stop`].
    ///
    /// # Panics
    /// If it has been killed.
    pub fn cont(&self) {
        self.server.signal(Signal::SIGCONT);
    }

    /// Ends it at once with its connections and databases, and waits until it is gone.
    ///
    /// # Panics
    /// If it does not end in time.
    pub async fn kill(&mut self) {
        self.server.guardian.end().await;
    }
}

/// A server that takes connections, or none when the port is taken.
async fn launch(keeper: &Keeper, programs: &Path, port: u16) -> Option<Server> {
    let folder = keeper.folder();
    let port = port.to_string();
    let arguments = [
        OsStr::new("-c"),
        OsStr::new(CLUSTER),
        OsStr::new("cluster"),
        programs.as_os_str(),
        folder.as_os_str(),
        OsStr::new(USER),
        OsStr::new(&port),
    ];
    match Server::start(keeper, &folder, Path::new("sh"), &arguments).await {
        Ok(server) => Some(server),
        Err(Failure::PortTaken) => None,
        Err(Failure::Other(fault)) => panic!("Postgres: {fault}"),
    }
}

/// Runs a program of the cluster to its end.
async fn run(command: Command) {
    let mut command = tokio::process::Command::from(command);
    let output = command.output().await.expect("start a Postgres program");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

/// The folder of the newest version's programs.
fn newest() -> Option<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).ok()?.flatten();
    let version = |folder: std::fs::DirEntry| {
        let number: u32 = folder.file_name().to_str()?.parse().ok()?;
        let programs = folder.path().join("bin");
        programs
            .join("postgres")
            .is_file()
            .then_some((number, programs))
    };
    let newest = versions.filter_map(version).max()?;
    Some(newest.1)
}

/// Postgres refuses to run as root.
fn user() -> Option<User> {
    if !Uid::effective().is_root() {
        return None;
    }
    let user = User::from_name(USER).expect("look the user up");
    Some(user.unwrap_or_else(|| {
        panic!("no user `{USER}` here: install the Debian package `{PACKAGE}`, as `make test` does")
    }))
}
