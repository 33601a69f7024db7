//! All tests from outside but those of burns, which measure time, in one program: it links once, and tests
//! that wait do so side by side.

#![allow(clippy::unwrap_used)] // a test may

mod contract;
mod load;
mod lookup;
mod page;
mod settings;
