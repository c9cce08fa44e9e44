#![doc = include_str!("../README.md")]

pub mod cli;

mod admin;
mod attribution;
mod body;
mod call;
mod clock;
mod drain;
mod error;
mod gateway;
mod layers;
mod local;
mod logs;
mod metrics;
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
