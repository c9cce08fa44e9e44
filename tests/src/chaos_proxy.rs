//! A TCP proxy that breaks the wire on demand. See [`ChaosProxy`].

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What the proxy does to the bytes. A change holds for open connections too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Passes everything.
    Pass,
    /// Has no listening socket, so that a connect is refused; open connections are reset.
    Refuse,
    /// Accepts, and passes nothing; what arrives is held until [`ChaosProxy::restore`].
    Blackhole,
    /// Passes each piece after this time.
    Delay(Duration),
    /// Resets both sides once this many bytes of a connection have passed in this direction.
    ResetAfter(Direction, usize),
    /// Ends this direction with FIN once this many bytes of a connection have passed; the other direction goes on.
    HalfCloseAfter(Direction, usize),
}

/// A way through the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the gateway to the provider.
    ToProvider,
    /// From the provider to the gateway.
    ToGateway,
}

/// Stands between the gateway and the provider, on a loopback port of the system's choice that it keeps in every mode.
#[derive(Debug)]
pub struct ChaosProxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    /// Tells the accept loop to open or close its socket, and takes its word when that is done.
    listening: mpsc::Sender<(bool, oneshot::Sender<()>)>,
    stop: CancellationToken,
    /// Holds the port while nothing listens on it: bound, never listening.
    _reservation: TcpSocket,
}

impl ChaosProxy {
    /// Starts in front of `provider`, passing everything.
    ///
    /// # Panics
    /// If no loopback port can be bound.
    pub fn start(provider: SocketAddr) -> Self {
        let reservation = bind(([127, 0, 0, 1], 0).into()).expect("bind a loopback port");
        let address = reservation
            .local_addr()
            .expect("a bound socket has an address");
        let mode = watch::Sender::new(Mode::Pass);
        let (listening, orders) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let acceptor = Acceptor {
            address,
            provider,
            mode: mode.subscribe(),
            stop: stop.clone(),
            links: TaskTracker::new(),
        };
        let listener = acceptor.listen();
        TaskTracker::new().spawn(acceptor.run(listener, orders));
        Self {
            address,
            mode,
            listening,
            stop,
            _reservation: reservation,
        }
    }

    /// Base URL without `/v1`, for the gateway's upstream.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes what happens to the bytes; on return the change is in force for new connections.
    ///
    /// # Panics
    /// If the accept loop has ended.
    pub async fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
        let (done, when_done) = oneshot::channel();
        let order = (mode != Mode::Refuse, done);
        self.listening
            .send(order)
            .await
            .expect("the accept loop runs");
        when_done.await.expect("the accept loop answers");
    }

    /// Passes everything again.
    pub async fn restore(&self) {
        self.set(Mode::Pass).await;
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Binds with `SO_REUSEPORT`, so that the port can be listened on beside its reservation.
fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

struct Acceptor {
    address: SocketAddr,
    provider: SocketAddr,
    mode: watch::Receiver<Mode>,
    stop: CancellationToken,
    links: TaskTracker,
}

impl Acceptor {
    fn listen(&self) -> TcpListener {
        bind(self.address)
            .and_then(|socket| socket.listen(1024))
            .expect("listen on the reserved port")
    }

    async fn run(
        self,
        listener: TcpListener,
        mut orders: mpsc::Receiver<(bool, oneshot::Sender<()>)>,
    ) {
        let mut listener = Some(listener);
        loop {
            let accepted = async {
                match &listener {
                    Some(listener) => listener.accept().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = accepted => {
                    if let Ok((gateway, _)) = accepted {
                        self.links.spawn(link(gateway, self.provider, self.mode.clone(), self.stop.child_token()));
                    }
                }
                Some((open, done)) = orders.recv() => {
                    listener = if open { listener.or_else(|| Some(self.listen())) } else { None };
                    // The test may have given up waiting.
                    let _ = done.send(());
                }
            }
        }
    }
}

/// One connection through the proxy; `cut` ends both of its directions with a reset.
async fn link(
    gateway: TcpStream,
    provider: SocketAddr,
    mode: watch::Receiver<Mode>,
    cut: CancellationToken,
) {
    let Ok(provider) = TcpStream::connect(provider).await else {
        // As the gateway would see it without the proxy.
        let _ = gateway.set_zero_linger();
        return;
    };
    for stream in [&gateway, &provider] {
        // Only latency suffers when the option cannot be set.
        let _ = stream.set_nodelay(true);
    }
    let (from_gateway, to_gateway) = gateway.into_split();
    let (from_provider, to_provider) = provider.into_split();
    let pump = |from, to, direction| Pump {
        from,
        to,
        direction,
        passed: 0,
        mode: mode.clone(),
        cut: cut.clone(),
    };
    tokio::join!(
        pump(from_gateway, to_provider, Direction::ToProvider).run(),
        pump(from_provider, to_gateway, Direction::ToGateway).run(),
    );
}

/// One direction of a connection.
struct Pump {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    direction: Direction,
    /// Bytes passed so far.
    passed: usize,
    mode: watch::Receiver<Mode>,
    cut: CancellationToken,
}

/// What a pump does next.
enum Step {
    Pass(usize),
    Hold,
    Reset,
    Finish,
}

impl Pump {
    async fn run(mut self) {
        let cut = self.cut.clone();
        let ended = tokio::select! {
            () = cut.cancelled() => Err(io::ErrorKind::ConnectionReset.into()),
            ended = self.pass() => ended,
        };
        if ended.is_ok() {
            // Dropping the writing half sends the FIN that the other end is due.
            return;
        }
        self.cut.cancel();
        // Fails only on a socket that is gone already.
        let _ = self.from.as_ref().set_zero_linger();
        let _ = self.to.as_ref().set_zero_linger();
        // A FIN before the reset would look like a clean end.
        self.to.forget();
    }

    /// Passes bytes until the source ends (`Ok`) or the connection is to be reset.
    async fn pass(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let mode = *self.mode.borrow_and_update();
            let room = match self.step(mode) {
                Step::Pass(room) => room.min(buffer.len()),
                Step::Reset => return Err(io::ErrorKind::ConnectionReset.into()),
                Step::Finish => return Ok(()),
                Step::Hold => {
                    changed(&mut self.mode).await;
                    continue;
                }
            };
            let read = tokio::select! {
                biased;
                () = changed(&mut self.mode) => continue,
                read = self.from.read(&mut buffer[..room]) => read?,
            };
            if read == 0 {
                return Ok(());
            }
            if let Mode::Delay(time) = mode {
                tokio::time::sleep(time).await;
            }
            self.to.write_all(&buffer[..read]).await?;
            self.passed += read;
        }
    }

    fn step(&self, mode: Mode) -> Step {
        match mode {
            Mode::Refuse => Step::Reset,
            Mode::Blackhole => Step::Hold,
            Mode::ResetAfter(direction, bytes) if direction == self.direction => {
                left(bytes, self.passed).map_or(Step::Reset, Step::Pass)
            }
            Mode::HalfCloseAfter(direction, bytes) if direction == self.direction => {
                left(bytes, self.passed).map_or(Step::Finish, Step::Pass)
            }
            _ => Step::Pass(usize::MAX),
        }
    }
}

/// Bytes that may still pass; none when the mark is reached.
fn left(mark: usize, passed: usize) -> Option<usize> {
    mark.checked_sub(passed).filter(|left| *left > 0)
}

async fn changed(mode: &mut watch::Receiver<Mode>) {
    if mode.changed().await.is_err() {
        // The proxy is being dropped; the stop signal ends the connection.
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests;
