//! Figures that don't change by themselves, as recorded in bench/recorded.txt: a line each, `name
//! figure`. The sizes of the binaries and the instructions of the requests are compared with them.

use std::fs;

use anyhow::{Context, Result};
use cluster::{manifest, set};

const FILE: &str = "bench/recorded.txt";

/// How far from what is recorded a figure may be, in percent. The compiler and the memory's layout
/// move it by less; what moves it by more has a reason. A gain that isn't recorded could be lost unseen.
const TOLERANCE: f64 = 3.0;

/// Prints each figure beside what is recorded; returns whether all are near. `BLESS=1` records them.
pub fn compare(unit: &str, figures: fn() -> Result<Vec<(String, u64)>>) -> Result<bool> {
    let mut text = fs::read_to_string(manifest::path(FILE)).context(FILE)?;
    let mut held = true;
    for (name, figure) in figures()? {
        // One that is not recorded is infinitely far from 0.
        let before = recorded(&text, &name).unwrap_or(0);
        let percent = change(figure, before);
        println!("{name:<28} {figure:>8} {unit}, recorded {before:>8}, {percent:+.1} %");
        held &= percent.abs() <= TOLERANCE;
        text = record(&text, &name, figure);
    }
    if set("BLESS").is_some() {
        fs::write(manifest::path(FILE), text)?;
        return Ok(true);
    }
    if !held {
        println!("More than {TOLERANCE} % from {FILE}: if there is a reason, BLESS=1 records it.");
    }
    Ok(held)
}

fn change(now: u64, before: u64) -> f64 {
    (now as f64 / before as f64 - 1.0) * 100.0
}

fn recorded(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.rsplit_once(' '));
    lines.find(|line| line.0 == name)?.1.parse().ok()
}

/// The text with this figure in the place of the one that it has, or else at its end.
fn record(text: &str, name: &str, figure: u64) -> String {
    let line = format!("{name} {figure}\n");
    match recorded(text, name) {
        Some(before) => text.replace(&format!("\n{name} {before}\n"), &format!("\n{line}")),
        None => text.to_owned() + &line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{instructions, shipped};

    #[test]
    fn a_figure_is_found_by_its_whole_name_and_recorded_in_its_place_or_at_the_end() {
        let text = "# why 3 %\noneapi after gzip 3\noneapi 12\n";
        assert_eq!(recorded(text, "oneapi after gzip"), Some(3));
        assert_eq!(recorded(text, "oneapi"), Some(12));
        assert_eq!(recorded(text, "twoapi"), None);
        let text = record(&text.replace("oneapi 12", "oneapi 120"), "oneapi", 4);
        assert_eq!(text, "# why 3 %\noneapi after gzip 3\noneapi 4\n");
        assert_eq!(record(&text, "twoapi", 5), text + "twoapi 5\n");
        assert!((change(1030, 1000) - TOLERANCE).abs() < 0.001);
        assert!((change(970, 1000) + TOLERANCE).abs() < 0.001);
        assert!(change(1, 0) > TOLERANCE, "one that is not recorded");
    }

    #[test]
    fn all_that_is_measured_is_recorded_and_nothing_else() {
        let text = fs::read_to_string(manifest::path(FILE)).unwrap();
        let measured = [&instructions::NAMES[..], &shipped::SIZES].concat();
        for name in &measured {
            assert!(recorded(&text, name).is_some(), "{name}");
        }
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(lines.count(), measured.len());
    }
}
