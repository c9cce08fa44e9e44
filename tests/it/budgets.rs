//! Budgets hold: whatever calls turn out to cost, however many come at once, and however they end.

mod disconnect;
mod errors;
mod exceeded;
mod many;
mod restart;
mod scopes;
mod short;
mod told;
mod unmetered;
mod usage;
