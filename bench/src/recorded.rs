//! Figures that don't change by themselves, as recorded in bench/recorded.txt: a line each, `name
//! figure`. The sizes of the binaries and the instructions of the requests are compared with them.

use std::fs;

use anyhow::{Context, Result};

use crate::shipped;

const FILE: &str = "bench/recorded.txt";

/// How far above what is recorded a figure may be, in percent. The compiler and the memory's layout
/// move it by less; what moves it by more is worth a reason in the commit.
const TOLERANCE: f64 = 3.0;

/// Prints each figure beside what is recorded; returns whether none is too far above that. With
/// `BLESS=1` records them.
pub fn compare(unit: &str, figures: fn() -> Result<Vec<(String, u64)>>) -> Result<bool> {
    let mut text = fs::read_to_string(shipped::file(FILE)).context(FILE)?;
    let mut held = true;
    for (name, figure) in figures()? {
        let before = recorded(&text, &name);
        let before = before.with_context(|| format!("{FILE} has no line for {name}"))?;
        let percent = change(figure, before);
        println!("{name:<28} {figure:>8} {unit}, recorded {before:>8}, {percent:+.1} %");
        held &= percent <= TOLERANCE;
        text = text.replace(&line(&name, before), &line(&name, figure));
    }
    if shipped::set("BLESS").is_some() {
        fs::write(shipped::file(FILE), text)?;
        return Ok(true);
    }
    if !held {
        println!("More than {TOLERANCE} % above {FILE}: if it is worth that, BLESS=1 records it.");
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

fn line(name: &str, figure: u64) -> String {
    format!("\n{name} {figure}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_found_by_its_whole_name_and_may_be_three_percent_above() {
        let text = "# why 3 %\noneapi after gzip 3\noneapi 12\n";
        assert_eq!(recorded(text, "oneapi after gzip"), Some(3));
        assert_eq!(recorded(text, "oneapi"), Some(12));
        assert_eq!(recorded(text, "twoapi"), None);
        assert!(change(1029, 1000) <= TOLERANCE && change(1031, 1000) > TOLERANCE);
    }
}
