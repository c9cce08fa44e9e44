//! Blocks in, smaller blocks out.
#![doc = include_str!("../README.md")]

#[cfg(test)]
mod data;
pub mod jton;
mod place;
pub mod toon;

pub use place::Place;
