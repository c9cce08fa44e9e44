#![doc = include_str!("../README.md")]

pub mod cli;

mod accounting;
mod admin;
mod api;
mod attribution;
mod body;
mod call;
mod clock;
mod compression;
mod drain;
mod error;
mod failpoint;
mod gateway;
mod health;
mod inquiry;
mod layers;
mod local;
mod logs;
mod metrics;
mod moment;
mod policy;
mod prose;
mod receipt;
mod reconcile;
mod relay;
mod repricing;
mod rescue;
mod rungs;
#[cfg(test)]
mod sample;
mod serve;
mod stack;
mod surface;
mod this_machine;
mod tls;
mod trials;

pub use gateway::{Gateway, StartError};
