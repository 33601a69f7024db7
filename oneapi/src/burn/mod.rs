//! Burning CPU, exactly as much as was asked, apart from any HTTP.
//!
//! A burn of M millicores for a time T uses M/1000 × T of CPU time, evenly: in every second as
//! much as in every other.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `request` | what a client asks for |
//! | `running` | one burn that runs: what it may use, and what it has used |
//! | `registry` | all burns of this process, which share what the container's CPU limit allows |
//! | `handle` | starts a burn, waits for its end, and ends it when dropped |
//! | `share_out`, `quota` | how the limit is divided, and what it is |
//! | `thread`, `clock` | a burn's threads, and the clock of CPU time by which each of them steers |
//!
//! A burn has threads of its own, at the lowest priority: never the async runtime's, so probes go on
//! answering.

mod clock;
mod handle;
mod quota;
mod registry;
mod request;
mod running;
mod share_out;
#[cfg(test)]
pub(crate) mod tests;
mod thread;

pub use self::{
    clock::{Clock, ReadCpuTime},
    handle::{Handle, Outcome},
    registry::{Burns, StartError, Totals},
    request::{BurnRequest, Caller, Millicores},
    running::RunningBurn,
    share_out::Headroom,
};
