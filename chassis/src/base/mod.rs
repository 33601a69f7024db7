//! What the standard library lacks, for all crates.

mod lock;
mod random;

pub use self::{lock::lock, random::random};
