//! Who answers a call, and what may be served at all.
#![doc = include_str!("../README.md")]
