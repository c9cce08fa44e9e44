//! The accept loop: connections in, capped and timed, each served by a clone of the stack.

mod first_bytes;

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use rustls::ServerConfig;
use skinflint_policies::{Limits, Timeouts};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tower::Service;

use self::first_bytes::FirstBytes;
use crate::{body::Body, drain::Drain};

/// One listening socket and how its connections are served.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    rules: Arc<Rules>,
    drain: Drain,
}

#[derive(Debug)]
struct Rules {
    http: auto::Builder<TokioExecutor>,
    /// Open connections; one more is closed at once, so that it costs a file descriptor for no longer than that.
    connections: Arc<Semaphore>,
    header: Duration,
}

/// Streams of one HTTP/2 connection; an agent with its sub-agents stays far below.
const MAX_STREAMS: u32 = 100;
/// HTTP/2 windows: an agent-size body of 400 KB fits without a round trip.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 2 << 20;
/// Response bytes that wait for a slow reader, per stream; beyond, the provider is made to wait.
const MAX_SEND_BUFFER: usize = 256 << 10;
/// Header lines of a request.
const MAX_HEADERS: usize = 100;
/// HTTP/2 pings on quiet connections: a client that vanished is found within a minute.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// A client that reads nothing holds a place, a provider's stream and buffers; past this it has had its chance.
const CLIENT_STALL: Duration = Duration::from_mins(5);
/// After running out of file descriptors: accepting again at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

// === impl Listener ===

impl Listener {
    /// Binds a socket; port 0 takes a free one.
    pub(crate) async fn bind(
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        limits: &Limits,
        timeouts: &Timeouts,
        drain: Drain,
    ) -> io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        let connections = limits.connections.min(Semaphore::MAX_PERMITS);
        Ok(Self {
            socket,
            tls,
            rules: Arc::new(Rules {
                http: http_builder(limits, timeouts),
                connections: Arc::new(Semaphore::new(connections)),
                header: timeouts.header,
            }),
            drain,
        })
    }

    /// The address it is bound to.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves connections until the gateway is told to stop; returns once the socket is closed.
    pub(crate) async fn run<S, F>(self, service: S)
    where
        S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future = F>
            + Clone
            + Send
            + 'static,
        F: Future<Output = Result<Response<Body>, Infallible>> + Send + 'static,
    {
        loop {
            let stream = tokio::select! {
                () = self.drain.draining() => return,
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
            };
            let Ok(place) = self.rules.connections.clone().try_acquire_owned() else {
                tracing::debug!("too many connections: closing the newest");
                continue;
            };
            let tls = self.tls.clone().map(TlsAcceptor::from);
            let (rules, drain) = (self.rules.clone(), self.drain.clone());
            let service = service.clone();
            self.drain.spawn(async move {
                let _place = place;
                accept(stream, tls, &rules, service, drain).await;
            });
        }
    }
}

fn http_builder(limits: &Limits, timeouts: &Timeouts) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    let headers = limits.headers.as_len();
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(timeouts.header)
        .max_headers(MAX_HEADERS)
        .max_buf_size(headers)
        // Bodies are relayed as they come; waiting for more to write would delay tokens.
        .pipeline_flush(false);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(headers).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(MAX_SEND_BUFFER)
        .keep_alive_interval(PING_INTERVAL);
    http
}

async fn accept<S, F>(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    rules: &Rules,
    service: S,
    drain: Drain,
) where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future = F>
        + Clone
        + Send
        + 'static,
    F: Future<Output = Result<Response<Body>, Infallible>> + Send + 'static,
{
    if let Err(error) = prepare(&stream) {
        tracing::debug!(%error, "connection lost before it was served");
        return;
    }
    let Some(tls) = tls else {
        return converse(stream, rules, service, drain).await;
    };
    match timeout(rules.header, tls.accept(stream)).await {
        Ok(Ok(stream)) => converse(stream, rules, service, drain).await,
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => tracing::debug!("TLS handshake took too long"),
    }
}

/// Tokens go out as they come, and a client that takes none for too long loses its connection.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(PING_INTERVAL))?;
    socket.set_tcp_user_timeout(Some(CLIENT_STALL))
}

/// Serves one connection to its end; told to stop, it finishes the calls that it has begun.
async fn converse<I, S, F>(io: I, rules: &Rules, service: S, drain: Drain)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future = F>
        + Clone
        + Send
        + 'static,
    F: Future<Output = Result<Response<Body>, Infallible>> + Send + 'static,
{
    let service = TowerToHyperService::new(service);
    let io = FirstBytes::new(io, rules.header);
    let connection = rules.http.serve_connection(TokioIo::new(io), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = drain.draining() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}
