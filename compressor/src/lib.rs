//! Blocks in, smaller blocks out.
#![doc = include_str!("../README.md")]
