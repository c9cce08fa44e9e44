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
    fake_provider::{
        AgentScenario, Answer, Cut, CutAt, Encoding, End, Ending, Exchange, FakeProvider, Gate,
        Payload, Script, Thinking, ToolCall, Usage, UsageShape,
    },
    gateway::{Command, Gateway, GatewayBuilder},
    log::Log,
    raw_http::{RawConnection, RawResponse},
};

pub mod bench;
pub mod sse;

mod chaos_proxy;
mod fake_provider;
mod gateway;
mod log;
mod patience;
mod raw_http;
