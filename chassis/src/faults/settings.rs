//! Whether there are fault switches, how far they go, and which are set from the start.

use std::{str::FromStr, time::Duration};

use super::{bounds::Bounds, switch::Switch};
use crate::{
    config::{CheckConflicts, Reader, duration, whole_number},
    system::descriptors,
    text::shown,
};

/// Whether there are fault switches, and how far they go.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Settings {
    /// Allow fault switches to be set at `/faults`
    #[arg(long, env, default_value = "false", default_missing_value = "true", num_args = 0..=1,
        require_equals = true, action = clap::ArgAction::Set)]
    pub faults: bool,

    /// Fault switches that are set from the start, such as `readiness?mode=fail&for=20s exit?code=3&after=1m`; needs `FAULTS=true`
    #[arg(long, env, value_parser = Reader(str::parse::<AtStart>))]
    pub faults_at_start: Option<AtStart>,

    /// The most memory that the fault switch `memory` may take, in MiB
    // 1024: more than the memory limit of any lesson, and less than what a laptop misses.
    #[arg(long, env, default_value = "1024", value_parser = Reader(whole_number(1..=u32::MAX)))]
    pub max_fault_memory: u32,

    /// The most file descriptors that the fault switch `files` may take [default: all that the process may have]
    // Else the switch could not show what a lack of them is like.
    #[arg(long, env, value_parser = Reader(whole_number(1..=u32::MAX)))]
    pub max_fault_files: Option<u32>,

    /// The longest time that a fault switch may hold an answer or a signal back: `hang`, `delay` and `jitter` together, `slow`, `after`
    // 10 min: longer than any probe's timeout and any grace period of a lesson.
    #[arg(long, env, default_value = "10m", allow_hyphen_values = true, value_parser = Reader(duration))]
    pub max_fault_delay: Duration,
}

/// The switches of `FAULTS_AT_START`.
#[derive(Clone, Debug, PartialEq)]
pub struct AtStart(Vec<Switch>);

/// Reads switches with spaces between them.
impl FromStr for AtStart {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut switches = Vec::<Switch>::new();
        for word in text.split_whitespace() {
            let (name, query) = word.split_once('?').unwrap_or((word, ""));
            let switch =
                Switch::read(name, query).map_err(|why| format!("{}: {why}", shown(word)))?;
            if switches.iter().any(|other| other.name == switch.name) {
                return Err(format!("{} is set twice", switch.name.as_str()));
            }
            switches.push(switch);
        }
        if switches.is_empty() {
            return Err(
                "switches are written as exit?code=3&after=1m, with spaces between them".to_owned(),
            );
        }
        Ok(Self(switches))
    }
}

impl Settings {
    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            memory: self.max_fault_memory,
            files: self
                .max_fault_files
                .unwrap_or_else(|| u32::try_from(descriptors::limit()).unwrap_or(u32::MAX)),
            delay: self.max_fault_delay,
        }
    }

    pub(super) fn at_start(&self) -> &[Switch] {
        self.faults_at_start
            .as_ref()
            .map_or(&[], |AtStart(switches)| switches)
    }
}

impl CheckConflicts for Settings {
    fn conflicts(&self) -> Vec<String> {
        let at_start = self.at_start();
        if !at_start.is_empty() && !self.faults {
            return vec![
                "FAULTS_AT_START sets fault switches, which are not allowed: set FAULTS=true \
                 (or --faults) too"
                    .to_owned(),
            ];
        }
        let bounds = self.bounds();
        let checks = at_start.iter().map(|switch| (switch, bounds.check(switch)));
        checks
            .filter_map(|(switch, check)| {
                let name = switch.name.as_str();
                Some(format!(
                    "FAULTS_AT_START can't set {name}: {}",
                    check.err()?
                ))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::defaults;

    #[test]
    fn switches_at_the_start_are_read_like_any_other() {
        let text = "readiness?mode=fail&for=20s  errors?percent=5&status=500&for=ever";
        let AtStart(switches) = AtStart::from_str(text).unwrap();
        assert_eq!(switches.len(), 2);
        assert_eq!(
            switches[1],
            Switch::read("errors", "percent=5&status=500&for=ever").unwrap()
        );
        for (text, part) in [
            (
                "readyness?mode=fail&for=20s",
                "there is no fault switch 'readyness'",
            ),
            (
                "readiness?mode=fail",
                "readiness?mode=fail: it needs an end",
            ),
            ("deaf?for=1s deaf?for=2s", "deaf is set twice"),
        ] {
            let why = AtStart::from_str(text).unwrap_err();
            assert!(why.contains(part), "{text}: {why}");
        }
    }

    #[test]
    fn switches_at_the_start_must_be_allowed_and_within_bounds() {
        let mut settings: Settings = defaults();
        assert!(settings.conflicts().is_empty());
        let text = "memory?mib=2000&for=1m liveness?hang=1h&for=ever files?count=1&for=1m";
        settings.faults_at_start = Some(AtStart::from_str(text).unwrap());
        let conflicts = settings.conflicts();
        assert_eq!(conflicts.len(), 1, "{conflicts:?}");
        assert!(conflicts[0].contains("set FAULTS=true"), "{conflicts:?}");

        settings.faults = true;
        let conflicts = settings.conflicts();
        assert_eq!(conflicts.len(), 2, "a sentence each: {conflicts:?}");
        assert!(conflicts[0].contains("MAX_FAULT_MEMORY"), "{conflicts:?}");
        assert!(conflicts[1].contains("MAX_FAULT_DELAY"), "{conflicts:?}");
    }
}
