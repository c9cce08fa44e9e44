//! A real Redis. See [`RedisServer`].

use std::{net::SocketAddr, path::PathBuf};

use nix::sys::signal::Signal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Failure, Keeper, Server, free_port, installed};
use crate::patience::within;

const KEEPER: Keeper = Keeper {
    end: Signal::SIGKILL,
    user: None,
};

/// A `redis-server` on a free port of 127.0.0.1 that keeps nothing on disk and evicts nothing. Dropped, it is killed.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    server: Server,
}

impl RedisServer {
    /// Starts one, and waits until it answers.
    ///
    /// # Panics
    /// If it does not, or is not installed.
    pub async fn start() -> Self {
        loop {
            let port = free_port();
            if let Some(server) = launch(port).await {
                return Self { port, server };
            }
        }
    }

    /// `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Stops it where it is: connections stay open, nothing is answered.
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

    /// Kills it, and waits until it is gone; from then on connections to it are refused.
    ///
    /// # Panics
    /// If it has been killed already.
    pub async fn kill(&mut self) {
        self.server.signal(Signal::SIGKILL);
        self.server.guardian.end().await;
    }

    /// Replaces it, killed or not, by an empty one on the same port.
    ///
    /// # Panics
    /// If that does not answer.
    pub async fn restart_empty(&mut self) {
        self.server.guardian.end().await;
        let again = launch(self.port).await;
        self.server = again.expect("the port is still free");
    }
}

/// A server that answers, or none when the port is taken.
async fn launch(port: u16) -> Option<Server> {
    let folder = KEEPER.folder();
    let port_text = port.to_string();
    let arguments = [
        "--port",
        &port_text,
        "--bind",
        "127.0.0.1",
        "--dir",
        folder.to_str().expect("a folder's name is text"),
        "--save",
        "",
        "--appendonly",
        "no",
        "--maxmemory-policy",
        "noeviction",
    ];
    match Server::start(&KEEPER, &folder, &program(), &arguments).await {
        Ok(server) => {
            let pong = ping(port).await;
            assert_eq!(pong.as_deref(), Some("+PONG\r\n"), "Redis answers to PING");
            Some(server)
        }
        Err(Failure::PortTaken) => None,
        Err(Failure::Other(fault)) => panic!("Redis: {fault}"),
    }
}

async fn ping(port: u16) -> Option<String> {
    let asking = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        stream.write_all(b"PING\r\n").await.ok()?;
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).await.ok()?;
        Some(String::from_utf8_lossy(&answer).into_owned())
    };
    within(asking).await?
}

fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = std::env::split_paths(&path).map(|folder| folder.join("redis-server"));
    installed(
        candidates.find(|candidate| candidate.is_file()),
        "redis-server",
        "redis-server",
    )
}
