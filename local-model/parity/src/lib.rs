#![doc = include_str!("../README.md")]

pub mod bench;
pub mod compare;
pub mod figure;
pub mod llama;
pub mod logits;
pub mod ours;
pub mod prompts;
pub mod report;
pub mod statistics;
