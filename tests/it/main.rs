//! End-to-end tests of the real binary, one module per promise.

#[cfg(test)]
mod api;
#[cfg(test)]
mod money;
#[cfg(test)]
mod told;

#[cfg(test)]
mod admission;
#[cfg(test)]
mod alerts;
#[cfg(test)]
mod attribution;
#[cfg(test)]
mod auth;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod budgets;
#[cfg(test)]
mod cache_hints;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod compress;
mod crash;
#[cfg(test)]
mod disconnect;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod duplicates;
#[cfg(test)]
mod egress;
#[cfg(test)]
mod encodings;
#[cfg(test)]
mod fetch;
#[cfg(test)]
mod fidelity;
#[cfg(test)]
mod framing;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod local;
#[cfg(test)]
mod models;
#[cfg(test)]
mod patience;
#[cfg(test)]
mod prices;
#[cfg(test)]
mod prose;
#[cfg(test)]
mod redis;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod retries;
#[cfg(test)]
mod routing;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod strays;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod transport;
#[cfg(test)]
mod trials;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod wholes;
