//! The fault switches: a learner or a tester brings the service into a state that Kubernetes reacts
//! to, by one switch, and it ends by itself. Nothing here knows HTTP: a switch is read from
//! `NAME?parameter=value&…`, whoever sends that, and set in a table; a layer of `http` and the stop
//! signals ask the table. `deaf` reaches the accept loop as a gate, which `app` hands over. What concerns
//! the process is done here.
//!
//! They are for people who may change the pod anyway, and so are off unless the service is started
//! with them allowed.

mod action;
mod active;
mod bounds;
mod collector;
mod crash;
mod name;
mod part;
mod schema;
mod settings;
mod stop_signals;
mod switch;
mod table;
mod taken;
mod value;

pub use self::{
    action::{Action, CrashSignal, End},
    active::{Left, Listed},
    name::Name,
    part::Percent,
    settings::{AtStart, Settings},
    switch::Switch,
    table::{Faults, Hit},
    value::Parameters,
};
