//! How far switches may go.

use std::time::Duration;

use super::{action::Action, switch::Switch, value::Value};
use crate::config::written;

/// The bounds that the settings give.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// In MiB.
    pub(super) memory: u32,
    pub(super) files: u32,
    pub(super) delay: Duration,
}

impl Bounds {
    pub(super) fn check(&self, switch: &Switch) -> Result<(), String> {
        match switch.action {
            Action::Memory { mib, .. } if mib > self.memory => {
                return Err(beyond("mib", mib, "MAX_FAULT_MEMORY", self.memory));
            }
            Action::Files { count } if count > self.files => {
                return Err(beyond("count", count, "MAX_FAULT_FILES", self.files));
            }
            _ => {}
        }
        let times = switch.parameters.0.iter();
        let times = times.filter_map(|(name, value)| match value {
            Value::Time(time) if !time.is_zero() => Some((*name, *time)),
            _ => None,
        });
        let (names, times): (Vec<_>, Vec<Duration>) = times.unzip();
        let delay = times.iter().sum();
        if delay <= self.delay {
            return Ok(());
        }
        let [delay, most] = [delay, self.delay].map(written);
        let names = names.join(" plus ");
        Err(beyond(&names, delay, "MAX_FAULT_DELAY", most))
    }
}

fn beyond<T: std::fmt::Display>(name: &str, given: T, setting: &str, most: T) -> String {
    format!("{name} can't be {given}: {setting} allows up to {most}")
}
