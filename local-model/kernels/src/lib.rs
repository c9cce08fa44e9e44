#![doc = include_str!("../README.md")]

mod team;

pub use team::{Lead, Team, lower_priority};
