//! Who answers a call, and what may be served at all; see [`guard`].
#![doc = include_str!("../README.md")]

pub mod guard;
