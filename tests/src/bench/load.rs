//! The load: so many connections, each sending its next request when it has the whole answer. See [`Load`].

use std::{
    io,
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::future::try_join_all;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};

use super::{
    case::Case,
    origin::Answer,
    process::Process,
    request,
    statistics::{millis, percentile, share},
    wire::{Message, Wire},
};

/// What is sent, and what has to come back.
#[derive(Debug)]
pub(super) struct Load {
    address: SocketAddr,
    /// Sent in turns.
    requests: Vec<Vec<u8>>,
    /// Requests sent.
    sent: AtomicUsize,
    answer: Vec<u8>,
    connections: usize,
    /// From an answer to the next request, on average.
    pause: Duration,
    /// From the last answer to the end of the slice.
    linger: Duration,
}

/// What a slice of the run has shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Slice {
    /// Time to the last byte of the answer, in ms.
    pub(super) p50: f64,
    pub(super) p99: f64,
    /// Time to the first byte of the answer's body, in ms; of a stream, its first event.
    pub(super) first_p50: f64,
    pub(super) first_p99: f64,
    /// Answers a second.
    pub(super) rate: f64,
    /// CPU time of the proxy, in ms; 0 without a proxy.
    pub(super) cpu: f64,
}

/// Of one request.
#[derive(Debug, Clone, Copy)]
struct Sample {
    first: Duration,
    last: Duration,
}

/// Requests of each connection before the slice: they fill pools and caches.
const WARM_UP: usize = 2;

// === impl Load ===

impl Load {
    pub(super) fn new(address: SocketAddr, case: Case) -> Self {
        let answer = Answer::new(case.size.protocol(), case.mode);
        Self {
            address,
            requests: vec![request::request(address, case.size, case.mode, None)],
            sent: AtomicUsize::new(0),
            answer: answer.body,
            connections: case.connections,
            pause: Duration::ZERO,
            linger: Duration::ZERO,
        }
    }

    /// Each call is of the next of so many tasks.
    pub(super) fn of_tasks(mut self, case: Case, tasks: usize) -> Self {
        let of = |task| request::request(self.address, case.size, case.mode, Some(task));
        self.requests = (0..tasks).map(of).collect();
        self
    }

    /// Each connection waits, about so long, before its next call: from half of it to half as much again.
    pub(super) fn pausing(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// What the proxy does in so long after the last answer belongs to the slice too.
    pub(super) fn lingering(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Sends for so long; `proxy` is the process whose CPU time is of interest.
    pub(super) async fn run(&self, length: Duration, proxy: Option<&Process>) -> io::Result<Slice> {
        let connecting = (0..self.connections).map(|_| self.connect());
        let mut connections = try_join_all(connecting).await?;
        sleep(self.linger).await;
        let cpu = || proxy.map_or(Ok(Duration::ZERO), Process::cpu);
        let (cpu_before, began) = (cpu()?, Instant::now());
        let sending = connections
            .iter_mut()
            .map(|wire| self.converse(wire, began + length));
        let samples = try_join_all(sending).await?.concat();
        let took = began.elapsed();
        sleep(self.linger).await;
        let cpu_after = cpu()?;
        Ok(slice(&samples, took, cpu_after.saturating_sub(cpu_before)))
    }

    async fn connect(&self) -> io::Result<Wire> {
        let mut wire = Wire::new(TcpStream::connect(self.address).await?)?;
        let mut message = self.message();
        for _ in 0..WARM_UP {
            self.exchange(&mut wire, &mut message).await?;
        }
        Ok(wire)
    }

    async fn converse(&self, wire: &mut Wire, deadline: Instant) -> io::Result<Vec<Sample>> {
        let mut message = self.message();
        let mut samples = Vec::new();
        loop {
            if !self.pause.is_zero() {
                sleep(self.pause.mul_f64(rand::random_range(0.5..1.5))).await;
            }
            if Instant::now() >= deadline {
                return Ok(samples);
            }
            samples.push(self.exchange(wire, &mut message).await?);
        }
    }

    /// One byte more than the answer has, so that one that is too long is seen.
    fn message(&self) -> Message {
        Message::keeping(self.answer.len() + 1)
    }

    /// A request and its answer, which has to be the origin's to the byte.
    async fn exchange(&self, wire: &mut Wire, message: &mut Message) -> io::Result<Sample> {
        let turn = self.sent.fetch_add(1, Ordering::Relaxed) % self.requests.len();
        let began = Instant::now();
        wire.send(&self.requests[turn]).await?;
        if !wire.receive(message).await? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let last = began.elapsed();
        let is_ok = message.start.split(' ').nth(1) == Some("200");
        let first = message
            .body_began
            .filter(|_| is_ok && message.body == self.answer);
        let Some(first) = first else {
            let body = String::from_utf8_lossy(&message.body);
            let fault = format!("not the origin's answer: {}: {body}", message.start);
            return Err(io::Error::new(io::ErrorKind::InvalidData, fault));
        };
        Ok(Sample {
            first: first.duration_since(began),
            last,
        })
    }
}

fn slice(samples: &[Sample], took: Duration, cpu: Duration) -> Slice {
    let sorted = |pick: fn(&Sample) -> Duration| {
        let mut times: Vec<f64> = samples.iter().map(|sample| millis(pick(sample))).collect();
        times.sort_unstable_by(f64::total_cmp);
        times
    };
    let (last, first) = (sorted(|sample| sample.last), sorted(|sample| sample.first));
    Slice {
        p50: percentile(&last, 50),
        p99: percentile(&last, 99),
        first_p50: percentile(&first, 50),
        first_p99: percentile(&first, 99),
        rate: 1.0 / share(took.as_secs_f64(), samples.len()),
        cpu: share(millis(cpu), samples.len()),
    }
}
