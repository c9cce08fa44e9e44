//! Who may spend how much right now; see [`Budgets`].
#![doc = include_str!("../README.md")]

mod account;
mod book;
mod budgets;
mod error;
mod limit;
mod local;
mod redis;
mod seed;
#[cfg(test)]
mod trial;
mod window;

pub use self::{
    book::Book,
    budgets::{Budgets, Watch},
    error::BudgetError,
    limit::{AccountStatus, Ask, Crossing, Grant, Limit, Refusal, ReservationId, Settled},
    local::{LocalBooks, Lock},
    redis::{ConnectError, RedisBooks, RedisConfig, WhenDown},
    seed::{Missing, OpenCall, Seed, Seeding},
    window::{Period, Window},
};
