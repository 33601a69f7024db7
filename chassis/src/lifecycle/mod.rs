//! A service's life, from its start to its exit: which phase it is in, the signals that end it, and
//! the order of a stop. It knows no HTTP and no sockets: the server is handed to it.

mod life;
mod settings;
mod signal;
mod stop;
pub mod termination;

pub use self::{
    life::{LateRequests, Life, NotReady, Phase, Stop},
    settings::Settings,
    signal::{HeldSignals, Signal, Signals},
    stop::{Stoppable, WaitsFor, stop_in_order},
};
