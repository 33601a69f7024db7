//! A random number, for what should differ from one process or connection to the next.

use std::hash::{BuildHasher, RandomState};

/// Not for secrets: the standard library seeds its hash maps at random, and this is such a seed's hash.
pub fn random() -> u64 {
    RandomState::new().hash_one(())
}
