//! End-to-end tests of the real binary, one module per promise.

#[cfg(test)]
mod api;
#[cfg(test)]
mod told;

#[cfg(test)]
mod admission;
#[cfg(test)]
mod attribution;
#[cfg(test)]
mod auth;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod cli;
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
mod fidelity;
#[cfg(test)]
mod framing;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod local;
#[cfg(test)]
mod patience;
#[cfg(test)]
mod retries;
#[cfg(test)]
mod routing;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod transport;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod wholes;
