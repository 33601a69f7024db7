//! What the standard library lacks, for all crates.

#[cfg(test)]
pub(crate) mod alone;
mod lock;
mod random;

pub use self::{lock::lock, random::random};
