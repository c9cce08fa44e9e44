//! The three ways to the answer: the origin itself, nginx before it, Skinflint before it.

use std::{
    fs::{File, OpenOptions},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::{TcpListener, TcpStream},
    process::Command,
    time::Instant,
};

use super::{
    BenchError,
    origin::LISTENING,
    process::Process,
    request::{CHAT_MODEL, MESSAGES_MODEL},
};

/// A server that answers, in a process of its own.
#[derive(Debug)]
pub(super) struct Server {
    // Ended before its folder goes.
    pub(super) process: Process,
    pub(super) address: SocketAddr,
    folder: TempDir,
}

/// The origin's own binary is this one.
pub(super) async fn origin() -> Result<Server, BenchError> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("--origin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut process = Process::start("the origin", command)?;
    let output = process.child().and_then(|child| child.stdout.take());
    let mut line = String::new();
    if let Some(output) = output {
        BufReader::new(output).read_line(&mut line).await?;
    }
    let address = line.trim().strip_prefix(LISTENING);
    let address = address.and_then(|address| address.parse().ok());
    Ok(Server {
        process,
        address: address.ok_or(BenchError::NotUp { name: "the origin" })?,
        folder: TempDir::new()?,
    })
}

/// nginx as one more hop, on a worker for each of two cores, relaying what comes as it comes.
pub(super) async fn nginx(program: &Path, origin: SocketAddr) -> Result<Server, BenchError> {
    let folder = TempDir::new()?;
    // nginx takes no port 0: it gets one that was free just now.
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await?
        .local_addr()?;
    std::fs::write(
        folder.path().join("nginx.conf"),
        nginx_configuration(address, origin),
    )?;
    let mut command = Command::new(program);
    command
        .args(["-c", "nginx.conf", "-e", "stderr", "-p"])
        .arg(folder.path())
        .stdin(Stdio::null());
    let mut process = Process::start("nginx", command)?;
    process
        .wait_until(async || TcpStream::connect(address).await.ok())
        .await?;
    Ok(Server {
        process,
        address,
        folder,
    })
}

fn nginx_configuration(address: SocketAddr, origin: SocketAddr) -> String {
    format!(
        "daemon off;
worker_processes 2;
pid nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    client_max_body_size 64m;
    # Larger than any body here, so that none is written to a file.
    client_body_buffer_size 1m;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    upstream origin {{
        server {origin};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen {address};
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_buffering off;
        }}
    }}
}}
"
    )
}

/// What a gateway keeps of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Books {
    /// What it does by default: a ledger in a file.
    Usual,
    /// Nothing.
    Off,
    /// A ledger in a file, and budgets of tenant, task and model that are far from full.
    Budgets,
}

/// Skinflint as it is by default, without a local model; also how long it took to listen.
///
/// Its log lines go to a file: a pipe would take the time of whoever reads it.
pub(super) async fn skinflint(
    program: &Path,
    origin: SocketAddr,
    books: Books,
) -> Result<(Server, Duration), BenchError> {
    start(program, origin, books, None).await
}

/// The same without books, with the default local model from the folder `models`.
pub(super) async fn skinflint_with_model(
    program: &Path,
    origin: SocketAddr,
    models: &Path,
) -> Result<Server, BenchError> {
    let (server, _) = start(program, origin, Books::Off, Some(models)).await?;
    Ok(server)
}

async fn start(
    program: &Path,
    origin: SocketAddr,
    books: Books,
    models: Option<&Path>,
) -> Result<(Server, Duration), BenchError> {
    let folder = TempDir::new()?;
    let path = folder.path().join("skinflint.toml");
    std::fs::write(
        &path,
        skinflint_configuration(origin, books, models.is_some()),
    )?;
    let tenants = folder.path().join("policies");
    for folder in [&tenants, &folder.path().join(LOGS)] {
        std::fs::create_dir(folder)?;
    }
    if let Some(tenant) = tenant(books) {
        std::fs::write(tenants.join("bench.toml"), tenant)?;
    }
    let log = folder.path().join(LOGS).join(LOG);
    let appending = OpenOptions::new().create(true).append(true).open(&log)?;
    let mut command = Command::new(program);
    command
        .args(["serve", "--config"])
        .arg(&path)
        .env_clear()
        .env("HOME", folder.path())
        .envs(KEYS.map(|name| (name, "not-a-key")))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(appending);
    if let Some(models) = models {
        command.arg("--models").arg(models);
    }
    let began = Instant::now();
    let mut process = Process::start("skinflint", command)?;
    let listening = process.wait_until(async || {
        let lines = std::fs::read_to_string(&log).ok()?;
        listener(&lines, "admin")?;
        listener(&lines, "calls")
    });
    let address = match listening.await {
        Ok(address) => address,
        Err(error) => {
            let lines = std::fs::read_to_string(&log)?;
            return Err(BenchError::Log {
                source: Box::new(error),
                lines,
            });
        }
    };
    let took = began.elapsed();
    let server = Server {
        process,
        address,
        folder,
    };
    Ok((server, took))
}

/// Not beside the configuration: the gateway looks up at whatever is written there.
const LOGS: &str = "logs";
const LOG: &str = "log";
const POLICIES: &str = "policies = \"policies\"";
const KEYS: [&str; 2] = ["ORIGIN_OPENAI_KEY", "ORIGIN_ANTHROPIC_KEY"];

fn skinflint_configuration(origin: SocketAddr, books: Books, has_model: bool) -> String {
    let [openai_key, anthropic_key] = KEYS;
    let (policies, ledger) = match books {
        Books::Usual => ("", ""),
        Books::Off => (POLICIES, "[ledger]\nstore = \"off\""),
        Books::Budgets => (POLICIES, ""),
    };
    format!(
        r#"
{policies}

[listen]
calls = "127.0.0.1:0"
admin = "127.0.0.1:0"

[local]
enabled = {has_model}

[[upstream]]
name = "openai"
protocol = "openai"
base_url = "http://{origin}"
api_key_env = "{openai_key}"

[[upstream]]
name = "anthropic"
protocol = "anthropic"
base_url = "http://{origin}"
api_key_env = "{anthropic_key}"

[[model]]
name = "{CHAT_MODEL}"
upstream = "openai"

[[model]]
name = "{MESSAGES_MODEL}"
upstream = "anthropic"

{ledger}
"#
    )
}

/// The tenant of callers without a key.
fn tenant(books: Books) -> Option<String> {
    let tenant = "[tenant]\nid = \"bench\"\nkeyless = true\n";
    let budget = |(scope, window)| {
        format!("[[budget]]\nscope = \"{scope}\"\nwindow = \"{window}\"\nlimit_usd = 1_000_000\n")
    };
    match books {
        Books::Usual => None,
        Books::Off => Some(tenant.into()),
        Books::Budgets => {
            let budgets = [("tenant", "month"), ("task", "task"), ("model", "day")].map(budget);
            Some(format!("{tenant}{}", budgets.concat()))
        }
    }
}

/// The address at which the log says that a listener is up.
fn listener(lines: &str, name: &str) -> Option<SocketAddr> {
    let lines = lines.lines();
    let mut events = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let up = events.find(|event| event["message"] == "listening" && event["listener"] == name)?;
    up["addr"].as_str()?.parse().ok()
}

// === impl Server ===

impl Server {
    /// Empties the log, so that a long run does not fill the disk.
    pub(super) fn empty_log(&self) -> std::io::Result<()> {
        let path = self.folder.path().join(LOGS).join(LOG);
        if path.exists() {
            File::options().write(true).open(path)?.set_len(0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_found_in_the_log() {
        let lines = "\
            {\"level\":\"INFO\",\"message\":\"listening\",\"listener\":\"calls\",\"addr\":\"127.0.0.1:4100\"}\n\
            a line that is no JSON\n\
            {\"level\":\"INFO\",\"message\":\"listening\",\"listener\":\"admin\",\"addr\":\"127.0.0.1:4101\"}\n";
        let port = |name| listener(lines, name).map(|address| address.port());
        assert_eq!(
            (port("calls"), port("admin"), port("other")),
            (Some(4100), Some(4101), None)
        );
    }
}
