//! The reference's vectors, measured savings, and laws.

mod measures;
