//! Refuses a service's own requests while it starts, as a program that isn't ready yet would.

use crate::{
    http::{kind::Kind, refusal::Refusal},
    lifecycle::Life,
};

pub(in crate::http) fn check(life: &Life, kind: Kind) -> Result<(), Refusal> {
    match kind {
        Kind::Ordinary => Ok(life.startup()?),
        Kind::Probe(_) | Kind::Operations | Kind::Unmatched => Ok(()),
    }
}
