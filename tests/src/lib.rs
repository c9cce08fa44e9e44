#![doc = include_str!("../README.md")]
//!
//! Start at [`Gateway`].
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a harness reports a broken test by panicking"
)]

pub use crate::{
    chaos_proxy::{ChaosProxy, Direction, Mode},
    fake_hub::{FakeHub, HubFault, HubRequest, Origin},
    fake_provider::{
        AgentScenario, Answer, BadBillLine, BillLine, Cut, CutAt, Encoding, End, Ending, Exchange,
        FakeProvider, Gate, Payload, Script, Thinking, ToolCall, Usage, UsageShape,
    },
    gateway::{Command, Gateway, GatewayBuilder},
    load::{Load, Reply},
    log::Log,
    raw_http::{RawConnection, RawResponse},
    servers::{PostgresServer, RedisServer},
};

pub mod bench;
pub mod eval;
pub mod soak;
pub mod sse;
pub mod weights;

mod chaos_proxy;
mod fake_hub;
mod fake_provider;
mod figure;
mod gateway;
mod load;
mod log;
mod patience;
mod raw_http;
mod servers;
