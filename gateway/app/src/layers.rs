//! The middleware of the request path, one file each. `stack.rs` says in which order, and why.

pub(crate) mod admission;
pub(crate) mod aside;
pub(crate) mod attribute;
pub(crate) mod authenticate;
pub(crate) mod budget;
pub(crate) mod cache_hints;
pub(crate) mod catch_panic;
pub(crate) mod compress;
pub(crate) mod rate_limit;
pub(crate) mod read;
pub(crate) mod rescue;
pub(crate) mod route;
pub(crate) mod telemetry;
