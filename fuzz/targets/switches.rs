//! Fault switches, several with spaces between them as in `FAULTS_AT_START`. One that is read is listed so that
//! it can be read again.

#![no_main]

use std::time::Duration;

use chassis::{
    config::{CheckConflicts, defaults},
    faults::{Action, AtStart, End, Settings, Switch},
    text::MAX_SHOWN,
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|text: &str| {
    let mut sum = 0;
    let mut are_bounded = true;
    for word in text.split_whitespace() {
        let (name, query) = word.split_once('?').unwrap_or((word, ""));
        match Switch::read(name, query) {
            Ok(switch) => {
                sum += 1;
                are_bounded &= check(&switch);
            }
            Err(sentence) => {
                sum = usize::MAX / 2;
                assert!(sentence.chars().count() < 2 * MAX_SHOWN + 300, "{sentence}");
                assert!(!sentence.contains(char::is_control), "{sentence}");
            }
        }
    }
    match text.parse::<AtStart>() {
        Ok(at_start) => {
            assert!((1..=12).contains(&sum), "each of them was read, and once");
            let mut settings: Settings = defaults();
            settings.max_fault_files = Some(1000);
            settings.faults_at_start = Some(at_start);
            assert_eq!(settings.conflicts().len(), 1, "they have to be allowed");
            settings.faults = true;
            assert_eq!(settings.conflicts().is_empty(), are_bounded);
        }
        Err(sentence) => assert!(!sentence.contains(char::is_control), "{sentence}"),
    }
});

/// Whether it is within the bounds that the settings have by default, with 1000 files.
fn check(switch: &Switch) -> bool {
    let end = match switch.end {
        End::After(time) => format!("&for={}", humantime::format_duration(time)),
        End::Count(count) => format!("&count={count}"),
        End::Never if matches!(switch.action, Action::Exit { .. } | Action::Crash(_)) => {
            String::new()
        }
        End::Never => "&for=ever".to_owned(),
    };
    // As the log has it, and as `/faults` lists it.
    let logged = switch.parameters.to_string();
    let json = serde_json::to_value(&switch.parameters).expect("it has no keys but texts");
    let Value::Object(listed) = json else {
        panic!("{json}")
    };
    let listed = listed.iter().map(|(name, value)| match value {
        Value::Bool(true) => name.clone(),
        Value::String(text) => format!("{name}={text}"),
        other => format!("{name}={other}"),
    });
    let mut listed: Vec<String> = listed.collect();
    let query = format!("{}{end}", listed.join("&"));
    let again = Switch::read(switch.name.as_str(), query.trim_start_matches('&'));
    assert_eq!(again.as_ref(), Ok(switch), "{query}");
    let mut of_log = parameters(&logged);
    listed.sort_unstable();
    of_log.sort_unstable();
    assert_eq!(of_log.len(), listed.len());
    for (of_log, listed) in of_log.iter().zip(&listed) {
        // A number may be written in two ways.
        let number = |text: &str| text.split_once('=')?.1.parse::<f64>().ok();
        assert!(
            of_log == listed || number(of_log) == number(listed),
            "{of_log} and {listed}"
        );
    }

    let minutes = Duration::from_secs(600);
    match switch.action {
        Action::Hang(time) | Action::SlowStop(time) | Action::Exit { after: time, .. } => {
            time <= minutes
        }
        Action::Latency { delay, jitter } => {
            assert!(jitter <= delay);
            delay + jitter <= minutes
        }
        Action::Memory { mib, .. } => mib <= 1024,
        Action::Files { count } => count <= 1000,
        Action::Errors { status, .. } => {
            assert!(status.is_client_error() || status.is_server_error());
            true
        }
        _ => true,
    }
}

/// The parameters of `delay=1m 30s jitter=0s`: a space may stand within a length of time.
fn parameters(logged: &str) -> Vec<String> {
    let mut all = Vec::<String>::new();
    for word in logged.split(' ').filter(|word| !word.is_empty()) {
        let is_more = word.starts_with(|char: char| char.is_ascii_digit());
        match all.last_mut() {
            Some(last) if is_more => *last += &format!(" {word}"),
            _ => all.push(word.to_owned()),
        }
    }
    all
}
