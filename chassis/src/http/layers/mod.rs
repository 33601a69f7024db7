//! The layers between the server and a handler, a file each. [`App`](super::App) calls them in order.

pub(super) mod head;
pub(super) mod identity;
pub(super) mod injection;
pub(super) mod large;
pub(super) mod late_requests;
pub(super) mod options;
pub(super) mod panic;
pub(super) mod probe_record;
pub(super) mod request_record;
pub(super) mod startup;
pub(super) mod stopping;
pub(super) mod trace;
