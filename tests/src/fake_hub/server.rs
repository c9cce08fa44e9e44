//! HTTP/1.1 by hand: one request a connection, so that every answer can be broken anywhere.

use std::{fmt::Write, net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{HubFault, HubRequest, Origin, Repository, Shared, is_large, sha256};

/// The accept loop of one origin.
pub(super) struct Server {
    pub(super) origin: Origin,
    pub(super) store: SocketAddr,
    pub(super) shared: Arc<Shared>,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
}

/// An answer before it is sent.
struct Answer {
    status: u16,
    fields: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Server {
    pub(super) async fn run(self, listener: TcpListener) {
        let server = Arc::new(self);
        loop {
            let accepted = tokio::select! {
                () = server.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            if let Ok((stream, _)) = accepted {
                let server = Arc::clone(&server);
                server.clone().tasks.spawn(async move {
                    let stop = server.stop.clone();
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = server.serve(stream) => {}
                    }
                });
            }
        }
    }

    /// A client that goes away meanwhile is what some tests are about.
    async fn serve(&self, mut stream: TcpStream) {
        let Some(request) = self.read(&mut stream).await else {
            return;
        };
        let fault = self.note(request.clone());
        let answer = self.answer(&request, fault.as_ref());
        let _ = self.send(stream, answer, fault).await;
    }

    async fn send(
        &self,
        mut stream: TcpStream,
        answer: Answer,
        fault: Option<HubFault>,
    ) -> std::io::Result<()> {
        let mut head = format!("HTTP/1.1 {} .\r\nconnection: close\r\n", answer.status);
        for (name, value) in &answer.fields {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let _ = write!(head, "content-length: {}\r\n\r\n", answer.body.len());
        stream.write_all(head.as_bytes()).await?;
        match fault {
            Some(HubFault::BreakAfter(bytes)) => stream.write_all(&answer.body[..bytes]).await,
            Some(HubFault::StallAfter(bytes)) => {
                stream.write_all(&answer.body[..bytes]).await?;
                // Until the client goes.
                let _ = stream.read(&mut [0]).await;
                Ok(())
            }
            _ => stream.write_all(&answer.body).await,
        }
    }

    async fn read(&self, stream: &mut TcpStream) -> Option<HubRequest> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).ok()?;
        let mut lines = head.trim_end().split("\r\n");
        let target = lines.next()?.split(' ').nth(1)?.to_owned();
        let field = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        Some(HubRequest {
            origin: self.origin,
            target,
            headers: lines.filter_map(field).collect(),
        })
    }

    /// Writes the request down, and gives what is to go wrong with it.
    fn note(&self, request: HubRequest) -> Option<HubFault> {
        let mut state = self.shared.state.lock();
        let meant = |(origin, end, _): &(Origin, String, HubFault)| {
            *origin == self.origin && request.target.ends_with(end)
        };
        let at = state.faults.iter().position(meant);
        let fault = at.map(|at| state.faults.remove(at).2);
        state.requests.push(request);
        drop(state);
        self.shared.changes.send_modify(|count| *count += 1);
        fault
    }

    fn answer(&self, request: &HubRequest, fault: Option<&HubFault>) -> Answer {
        match fault {
            Some(HubFault::Status(status, code)) => return Answer::error(*status, *code),
            Some(HubFault::Redirect(to)) => return Answer::redirect(to.clone()),
            _ => {}
        }
        let path = request.target.split('?').next().unwrap_or_default();
        match self.origin {
            Origin::Hub => self.of_hub(path, request, fault),
            Origin::Store => self.of_store(path, request, fault),
        }
    }

    fn of_hub(&self, path: &str, request: &HubRequest, fault: Option<&HubFault>) -> Answer {
        let (described, rest) = match path.strip_prefix("/api/models/") {
            Some(rest) => (true, rest),
            None => (false, path.trim_start_matches('/')),
        };
        let mut steps = rest.splitn(4, '/');
        let mut step = || steps.next().unwrap_or_default();
        let name = format!("{}/{}", step(), step());
        let state = self.shared.state.lock();
        let Some(repository) = state.repositories.get(&name) else {
            // So the real one hides what is private.
            return Answer::error(401, Some("RepoNotFound"));
        };
        let token = request.header("authorization");
        match (&repository.token, token) {
            (Some(_), None) => return Answer::error(401, Some("GatedRepo")),
            (Some(right), Some(token)) if token != format!("Bearer {right}") => {
                return Answer::error(403, Some("GatedRepo"));
            }
            _ => {}
        }
        let (verb, rest) = (step(), step());
        let is_commit = rest.starts_with(&repository.commit);
        match (described, verb) {
            (true, "revision") => {
                if is_commit || repository.revisions.iter().any(|known| known == rest) {
                    return Answer::ok("application/json", repository.describe(&name).into());
                }
                Answer::error(404, Some("RevisionNotFound"))
            }
            (false, "resolve") if is_commit => {
                self.of_repository(repository, &rest[repository.commit.len()..], request, fault)
            }
            _ => Answer::error(404, None),
        }
    }

    fn of_repository(
        &self,
        repository: &Repository,
        path: &str,
        request: &HubRequest,
        fault: Option<&HubFault>,
    ) -> Answer {
        let path = path.trim_start_matches('/');
        let Some(content) = repository.files.get(path) else {
            return Answer::error(404, Some("EntryNotFound"));
        };
        if is_large(path) {
            let store = format!("http://{}/{}", self.store, sha256(content));
            return Answer::redirect(format!("{store}?signature=canary-signature&name={path}"));
        }
        Answer::file(content, request, fault)
    }

    fn of_store(&self, path: &str, request: &HubRequest, fault: Option<&HubFault>) -> Answer {
        let state = self.shared.state.lock();
        let mut contents = state
            .repositories
            .values()
            .flat_map(|all| all.files.values());
        let wanted = path.trim_start_matches('/');
        contents
            .find(|content| sha256(content) == wanted)
            .map_or_else(
                || Answer::error(403, None),
                |content| Answer::file(content, request, fault),
            )
    }
}

impl Answer {
    fn ok(kind: &str, body: Vec<u8>) -> Self {
        Self {
            status: 200,
            fields: vec![("content-type", kind.to_owned())],
            body,
        }
    }

    fn error(status: u16, code: Option<&str>) -> Self {
        let code = code.map(|code| ("x-error-code", code.to_owned()));
        Self {
            status,
            fields: code.into_iter().collect(),
            body: b"{\"error\":\"no\"}".to_vec(),
        }
    }

    fn redirect(to: String) -> Self {
        Self {
            status: 302,
            fields: vec![("location", to)],
            body: Vec::new(),
        }
    }

    /// The whole file or the rest of it, as `Range` and `If-Range` ask for.
    fn file(content: &[u8], request: &HubRequest, fault: Option<&HubFault>) -> Self {
        let tag = format!("\"{}\"", sha256(content));
        let mut content = content.to_vec();
        let length = content.len();
        if let Some(HubFault::Lie) = fault {
            content.reverse();
        }
        if let Some(HubFault::Longer) = fault {
            content.push(0);
        }
        let mut answer = Self::ok("application/octet-stream", content);
        answer.fields.push(("etag", tag.clone()));
        let unchanged = request.header("if-range").is_none_or(|known| known == tag);
        let from = request.header("range").and_then(|range| {
            let from = range.strip_prefix("bytes=")?.strip_suffix('-')?;
            from.parse::<usize>().ok()
        });
        let (Some(mut from), true) = (from, unchanged) else {
            return answer;
        };
        match fault {
            Some(HubFault::IgnoreRange) => return answer,
            Some(HubFault::OtherRange) => from -= 1,
            _ if from >= length => return Self::error(416, None),
            _ => {}
        }
        answer.status = 206;
        answer.body.drain(..from);
        let range = format!("bytes {from}-{}/{length}", length - 1);
        answer.fields.push(("content-range", range));
        answer
    }
}
