//! Real servers that the gateway can share its books with: [`RedisServer`] and [`PostgresServer`].

use std::{
    collections::hash_map::RandomState,
    ffi::OsStr,
    hash::BuildHasher,
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, User},
};
use tokio::time::sleep;

pub use self::{postgres::PostgresServer, redis::RedisServer};
use crate::patience::within;

mod postgres;
mod redis;

/// Runs a server until its own input ends, which it does with the process that holds the other end, however that dies: then the server
/// gets the signal `$1`, and the folder `$2` goes. The signal is repeated: what is just starting may ignore it. The server's process id is in the file `pid`, what it writes is in `log`.
const GUARDIAN: &str = r#"
trap '' HUP INT TERM
signal=$1 folder=$2
shift 2
"$@" </dev/null >"$folder/log" 2>&1 &
server=$!
echo $server >"$folder/pid.new" && mv "$folder/pid.new" "$folder/pid"
cat >/dev/null
kill -s CONT $server
while kill -s "$signal" $server; do sleep 0.02; done
rm -rf "$folder"
"#;
/// Both servers end their start with this, in any spelling.
const READY: &str = "ready to accept connections";
/// What both say when somebody else was faster at their port.
const TAKEN: &str = "Address already in use";
/// How often a state that cannot announce itself is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A server process with a folder of its own.
#[derive(Debug)]
struct Server {
    guardian: Guardian,
    id: Pid,
}

/// The shell that ends a server, and removes its folder, with this process.
#[derive(Debug)]
struct Guardian {
    shell: Child,
    /// Closing it ends the server.
    life: Option<ChildStdin>,
}

/// Who runs a server, and how it is ended.
#[derive(Debug)]
struct Keeper {
    /// Ends the server for good.
    end: Signal,
    /// Whose process it is, where that is not this process's user.
    user: Option<User>,
}

/// Why a server does not run.
#[derive(Debug)]
enum Failure {
    /// Somebody else has its port.
    PortTaken,
    /// It says this.
    Other(String),
}

impl Server {
    /// Starts `program` with `arguments`, and waits until it is ready. The folder is removed after it.
    async fn start<A: AsRef<OsStr>>(
        keeper: &Keeper,
        folder: &Path,
        program: &Path,
        arguments: &[A],
    ) -> Result<Self, Failure> {
        let mut guardian = Guardian::start(keeper, folder, program, arguments);
        match ready(folder).await {
            Ok(id) => Ok(Self { guardian, id }),
            Err(failure) => {
                guardian.end().await;
                Err(failure)
            }
        }
    }

    /// Sends the server a signal.
    fn signal(&self, signal: Signal) {
        kill(self.id, signal).expect("the server runs");
    }
}

impl Guardian {
    fn start<A: AsRef<OsStr>>(
        keeper: &Keeper,
        folder: &Path,
        program: &Path,
        arguments: &[A],
    ) -> Self {
        let signal = keeper.end.as_str().trim_start_matches("SIG");
        let mut shell = keeper
            .command("sh")
            .args(["-c", GUARDIAN, "guardian", signal])
            .arg(folder)
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start a shell");
        let life = shell.stdin.take();
        Self { shell, life }
    }

    /// Ends the server, and waits until it and its folder are gone.
    async fn end(&mut self) {
        self.life = None;
        let ended = within(async {
            while self.shell.try_wait().expect("wait for a shell").is_none() {
                sleep(LOOK_AGAIN).await;
            }
        });
        assert!(ended.await.is_some(), "the server does not end: {self:?}");
    }
}

/// Waits until the server with this folder is ready, and gives its process id.
async fn ready(folder: &Path) -> Result<Pid, Failure> {
    let log = || read(&folder.join("log"));
    let looking = async {
        loop {
            let log = log();
            if log.to_lowercase().contains(READY) {
                let id = read(&folder.join("pid")).trim().parse();
                if let Ok(id) = id {
                    return Ok(Pid::from_raw(id));
                }
            }
            if log.contains(TAKEN) {
                return Err(Failure::PortTaken);
            }
            sleep(LOOK_AGAIN).await;
        }
    };
    let late = || Failure::Other(format!("not ready in time: {}", log()));
    within(looking).await.unwrap_or_else(|| Err(late()))
}

impl Keeper {
    /// A process of the keeper's user, without this process's environment.
    ///
    /// Not tokio's: a server that tests share outlives the runtime of the test that starts it.
    #[expect(
        clippy::disallowed_methods,
        reason = "no request has a say in what the harness starts"
    )]
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("LC_ALL", "C");
        if let Some(user) = &self.user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }

    /// A new folder that is the keeper's.
    fn folder(&self) -> PathBuf {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        if let Some(user) = &self.user {
            let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
            std::os::unix::fs::chown(&folder, Some(uid), Some(gid)).expect("give the folder away");
        }
        folder
    }
}

/// A port of 127.0.0.1 that nobody has. Below those that the system gives to outgoing connections: a client that dials a server
/// which is down for a moment could else be given the server's port, and reach itself.
fn free_port() -> u16 {
    const FIRST: u16 = 15_000;
    const PORTS: u64 = 17_000;
    loop {
        let random = RandomState::new().hash_one(()) % PORTS;
        let port = FIRST + u16::try_from(random).expect("the ports are 16 bits wide");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// The file's text; empty while there is none.
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The program, or a panic that names the Debian package it is in.
fn installed(program: Option<PathBuf>, name: &str, package: &str) -> PathBuf {
    program.unwrap_or_else(|| {
        panic!("no `{name}` here: install the Debian package `{package}`, as `make test` does")
    })
}
