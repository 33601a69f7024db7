//! All tests from outside but those that measure CPU time, in one program: it links once, and tests that
//! wait do so side by side.

#![allow(clippy::unwrap_used)] // a test may

mod contract;
mod faults;
mod program;
