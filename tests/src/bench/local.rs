//! Proxied calls while the local model has all it can do, beside the same calls while it rests, in turns. See [`measure`].

use std::{
    io,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::json;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use super::{
    BenchError,
    case::{Case, Mode, Size},
    load::{Load, Slice},
    statistics::median,
    target::{self, Server},
    wire::{Message, Wire},
};
use crate::figure::{Figure, Goal};

/// 1 KB of chat, answered whole, on 4 connections.
const CASE: Case = Case {
    size: Size::Small,
    mode: Mode::Whole,
    connections: 4,
};
/// Each connection waits so long between its calls: some hundred calls a second, which leave the local model its cores.
const PAUSE: Duration = Duration::from_millis(20);
/// Streams of the local model, as many as it runs at the same time and some that wait.
const STREAMS: usize = 10;
/// Of which at least so many have told something before it is measured.
const RUNNING: usize = 8;
const SLICE: Duration = Duration::from_secs(4);
const QUICK_SLICE: Duration = Duration::from_millis(300);
const ROUNDS: usize = 7;
const QUICK_ROUNDS: usize = 1;
/// In which the model forgets callers that have gone away: a step of it takes some tens of milliseconds.
const REST: Duration = Duration::from_millis(500);
/// A machine so busy that nothing comes in this time measures nothing.
const PATIENCE: Duration = Duration::from_mins(2);

const CONTENT: &str = "\"content\":\"";
const NO_CONTENT: &str = "\"content\":\"\"";

/// `None` where there are no weights in `models`.
pub(super) async fn measure(
    gateway: &Path,
    models: &Path,
    quick: bool,
) -> Result<Option<Vec<Figure>>, BenchError> {
    let origin = target::origin().await?;
    let gateway = target::skinflint_with_model(gateway, origin.address, models).await?;
    let busy = Busy::new(&gateway);
    let figures = if busy.has_model().await.map_err(wrong)? {
        Some(rounds(&gateway, &busy, quick).await?)
    } else {
        None
    };
    gateway.process.stop().await?;
    origin.process.stop().await?;
    Ok(figures)
}

async fn rounds(gateway: &Server, busy: &Busy, quick: bool) -> Result<Vec<Figure>, BenchError> {
    let (rounds, length) = if quick {
        (QUICK_ROUNDS, QUICK_SLICE)
    } else {
        (ROUNDS, SLICE)
    };
    let load = Load::new(gateway.address, CASE).pausing(PAUSE);
    let (mut with, mut without): (Vec<Slice>, Vec<Slice>) = (Vec::new(), Vec::new());
    let mut tokens = 0.0;
    for round in 0..rounds {
        // Who goes first changes from round to round.
        for turn in [round % 2, (round + 1) % 2] {
            if turn == 0 {
                without.push(load.run(length, None).await.map_err(wrong)?);
            } else {
                let (slice, rate) = busy.during(&load, length).await.map_err(wrong)?;
                with.push(slice);
                tokens += rate;
            }
            sleep(REST).await;
        }
    }
    let of = |slices: &[Slice], pick: fn(&Slice) -> f64| median(slices.iter().map(pick));
    let p50 = |slice: &Slice| slice.p50;
    let p99 = |slice: &Slice| slice.p99;
    let ratio = of(&with, p99) / of(&without, p99);
    let info = |name: &str, value, unit| Figure::new(name, value, unit, None);
    let goal = Some(Goal::AtMost(2.0));
    let rate = tokens / u32::try_from(rounds).map_or(f64::INFINITY, f64::from);
    Ok(vec![
        Figure::new("local_saturated_p99_ratio", ratio, "ratio", goal),
        info("local_saturated_p99", of(&with, p99), "ms"),
        info("local_idle_p99", of(&without, p99), "ms"),
        info("local_saturated_p50", of(&with, p50), "ms"),
        info("local_idle_p50", of(&without, p50), "ms"),
        info("local_saturated_events_per_second", rate, "1/s"),
    ])
}

fn wrong(source: io::Error) -> BenchError {
    BenchError::Call {
        case: CASE.to_string(),
        way: "Skinflint with a local model".into(),
        source,
    }
}

/// Callers that keep the local model busy.
#[derive(Debug)]
struct Busy {
    address: std::net::SocketAddr,
    request: Vec<u8>,
    probe: Vec<u8>,
}

// === impl Busy ===

impl Busy {
    fn new(gateway: &Server) -> Self {
        let address = gateway.address;
        Self {
            address,
            request: request(address, 400),
            probe: request(address, 1),
        }
    }

    /// Whether the model answers; waits while its weights are read.
    async fn has_model(&self) -> io::Result<bool> {
        let mut wire = Wire::new(TcpStream::connect(self.address).await?)?;
        let mut message = Message::keeping(4096);
        wire.send(&self.probe).await?;
        let received = timeout(PATIENCE, wire.receive(&mut message)).await;
        received??;
        match message.start.split(' ').nth(1) {
            Some("200") => Ok(true),
            Some("503") => Ok(false),
            _ => Err(io::Error::other(message.start.clone())),
        }
    }

    /// A slice of the load while the model is busy; also the events that its streams told in a second.
    async fn during(&self, load: &Load, length: Duration) -> io::Result<(Slice, f64)> {
        let (told, running) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let streams = join_all((0..STREAMS).map(|_| self.stream(&told, &running)));
        let measured = async {
            let deadline = Instant::now() + PATIENCE;
            while running.load(Ordering::Relaxed) < RUNNING {
                if Instant::now() > deadline {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                sleep(Duration::from_millis(5)).await;
            }
            let (before, began) = (told.load(Ordering::Relaxed), Instant::now());
            let slice = load.run(length, None).await?;
            let events = told.load(Ordering::Relaxed) - before;
            let events = u32::try_from(events).map_or(f64::INFINITY, f64::from);
            Ok((slice, events / began.elapsed().as_secs_f64()))
        };
        tokio::select! {
            measured = measured => measured,
            // They go on until they fail.
            ended = streams => {
                let fault = ended.into_iter().find_map(Result::err);
                Err(fault.unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()))
            }
        }
    }

    /// One answer after the other; counts reads of what is told, and itself once the first is there.
    async fn stream(&self, told: &AtomicUsize, running: &AtomicUsize) -> io::Result<()> {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut is_first = true;
        loop {
            let mut connection = TcpStream::connect(self.address).await?;
            connection.write_all(&self.request).await?;
            let mut text = Vec::new();
            loop {
                let from = text.len();
                if connection.read_buf(&mut text).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                let new = String::from_utf8_lossy(&text[from..]);
                // The first one names the role, and tells nothing.
                let events = new.matches(CONTENT).count() - new.matches(NO_CONTENT).count();
                told.fetch_add(events, Ordering::Relaxed);
                if is_first && events > 0 {
                    is_first = false;
                    running.fetch_add(1, Ordering::Relaxed);
                }
                if !text.starts_with(b"HTTP/1.1 200") {
                    let answer = String::from_utf8_lossy(&text);
                    return Err(io::Error::other(answer.into_owned()));
                }
                if text.ends_with(b"0\r\n\r\n") {
                    break;
                }
            }
        }
    }
}

/// A call of the default local model whose answer cannot end before it has told some hundred numbers.
fn request(address: std::net::SocketAddr, tokens: u32) -> Vec<u8> {
    let numbers = json!({ "type": "array", "items": { "type": "integer" }, "minItems": 300, "maxItems": 400 });
    let body = json!({
        "model": "gemma-3-270m",
        "messages": [{ "role": "user", "content": "Count." }],
        "max_completion_tokens": tokens,
        "stream": true,
        "response_format": { "type": "json_schema", "json_schema": { "name": "numbers", "schema": numbers, "strict": true } },
    })
    .to_string();
    let length = body.len();
    format!("POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}
