//! The layers between the server and a handler, a file each. [`App`](super::App) calls them in order.

pub(super) mod faults;
pub(super) mod head;
pub(super) mod identity;
pub(super) mod large;
pub(super) mod late_requests;
pub(super) mod metrics;
pub(super) mod mirror;
pub(super) mod options;
pub(super) mod panic;
pub(super) mod startup;
pub(super) mod stopping;
