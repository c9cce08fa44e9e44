#![doc = include_str!("../README.md")]

pub mod cli;

mod accounting;
mod admin;
mod attribution;
mod body;
mod call;
mod clock;
mod drain;
mod error;
mod failpoint;
mod gateway;
mod layers;
mod local;
mod logs;
mod metrics;
mod policy;
mod receipt;
mod relay;
mod rescue;
mod rungs;
mod serve;
mod stack;
mod surface;
mod this_machine;
mod tls;

pub use gateway::{Gateway, StartError};
