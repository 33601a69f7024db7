//! What was measured, as tables: printed, and with `DOCS=1` kept in docs/bench.json and put into
//! docs/performance.md and its translation, each between two comments:
//!
//! ```text
//! <!-- figures: /test -->
//! | … |
//! <!-- end of figures -->
//! ```

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use cluster::{manifest, set};

/// What the services are measured beside: the second column.
pub const REFERENCE: &str = "bare hyper";

/// The third column then: the first one's figure, divided by the second one's.
const RATIO: &str = "of bare hyper's";

const KEPT: &str = "docs/bench.json";

/// The pages, and the words that the second one has in the place of those here.
const PAGES: [(&str, &str); 2] = [
    ("docs/performance.md", ""),
    ("docs/performance.zh-CN.md", WORDS),
];
const WORDS: &str = include_str!("../words.zh-CN.txt");

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Table {
    /// When, on what, and how it was measured.
    pub on: String,
    columns: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Row {
    what: String,
    unit: Unit,
    /// By the column: a figure, or the lowest, the median and the highest one. Of five digits: more than
    /// are shown, so that a sentence can have them.
    #[serde(flatten)]
    cells: BTreeMap<String, Vec<f64>>,
}

/// By name.
pub type Tables = Vec<(&'static str, Table)>;

/// What a figure counts.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    PerSecond,
    Seconds,
    Bytes,
    Times,
    Percent,
}

impl Table {
    pub fn new<'a>(columns: impl IntoIterator<Item = &'a str>) -> Self {
        let mut columns: Vec<String> = columns.into_iter().map(str::to_owned).collect();
        if columns.get(1).is_some_and(|column| column == REFERENCE) {
            columns.insert(2, RATIO.to_owned());
        }
        let (on, rows) = (String::new(), Vec::new());
        Self { on, columns, rows }
    }

    /// Adds a row: of each column the samples, in the order in which they were taken.
    pub fn add(&mut self, what: &str, unit: Unit, samples: &[Vec<f64>]) {
        let mut cells = BTreeMap::new();
        let measured = self.columns.iter().filter(|column| *column != RATIO);
        for (column, samples) in measured.zip(samples) {
            let mut sorted: Vec<f64> = samples.iter().map(|it| round(*it, 5)).collect();
            sorted.sort_by(f64::total_cmp);
            sorted = match sorted[..] {
                [low, .., high] if low < high => vec![low, median(&sorted), high],
                _ => sorted[..1].to_vec(),
            };
            cells.insert(column.clone(), sorted);
        }
        if self.columns.iter().any(|column| column == RATIO) {
            // Of each round, in which both were measured one after the other.
            let rounds = samples[0].iter().zip(&samples[1]);
            let mut ratios: Vec<f64> = rounds.map(|(ours, theirs)| ours / theirs).collect();
            ratios.sort_by(f64::total_cmp);
            cells.insert(RATIO.to_owned(), vec![round(median(&ratios), 5)]);
        }
        let what = what.to_owned();
        self.rows.push(Row { what, unit, cells });
    }

    /// As Markdown, with these words; for a terminal the columns are aligned.
    fn text(&self, words: &str, aligned: bool) -> String {
        let columns = self.columns.iter();
        let mut titles = vec![String::new()];
        titles.extend(columns.clone().map(|column| translated(column, words)));
        let mut lines = vec![titles, vec!["---".to_owned(); columns.len() + 1]];
        for Row { what, unit, cells } in &self.rows {
            let mut line = vec![translated(what, words)];
            line.extend(columns.clone().map(|column| match cells.get(column) {
                Some(cell) if column == RATIO => shown(cell, Unit::Times),
                Some(cell) => shown(cell, *unit),
                None => "–".to_owned(),
            }));
            lines.push(line);
        }
        let mut text = format!("{}\n\n", self.on);
        for line in &lines {
            for (column, cell) in line.iter().enumerate() {
                let widths = lines.iter().map(|line| line[column].chars().count());
                let width = widths.max().filter(|_| aligned).unwrap_or(0);
                text += &format!("| {cell:<width$} ");
            }
            text += "|\n";
        }
        text
    }
}

/// Prints these tables; with `DOCS=1` writes them into the documents too.
pub fn keep(tables: Tables) -> Result<()> {
    for (name, table) in &tables {
        println!("\n{name}: {}", table.text("", true));
    }
    if set("DOCS").is_none() {
        return Ok(());
    }
    let mut kept = kept()?;
    for (name, table) in tables {
        kept.insert(name.to_owned(), table);
    }
    fs::write(manifest::path(KEPT), json(&kept)?)?;
    for (page, words) in PAGES {
        let path = manifest::path(page);
        let text = fs::read_to_string(&path).context(page)?;
        fs::write(path, filled(&text, &kept, words).context(page)?)?;
    }
    Ok(())
}

fn kept() -> Result<BTreeMap<String, Table>> {
    let text = fs::read_to_string(manifest::path(KEPT)).context(KEPT)?;
    serde_json::from_str(&text).context(KEPT)
}

/// A line for each row and for the head of each table.
fn json(tables: &BTreeMap<String, Table>) -> Result<String> {
    let text = serde_json::to_string(tables)?;
    let text = text.replace("{\"what\":", "\n{\"what\":");
    Ok(text.replace("},\"", "},\n\"") + "\n")
}

/// A page with these tables in the place of those that it has.
fn filled(page: &str, tables: &BTreeMap<String, Table>, words: &str) -> Result<String> {
    const END: &str = "<!-- end of figures -->";
    let mut page = page.to_owned();
    for (name, table) in tables {
        let begin = format!("<!-- figures: {name} -->\n");
        let place = page.split_once(&begin);
        let place = place.and_then(|(before, after)| Some((before, after.split_once(END)?.1)));
        let place = place.with_context(|| format!("it has no place for the figures of {name}"));
        let (before, after) = place?;
        page = [before, &begin, &table.text(words, false), END, after].concat();
    }
    Ok(page)
}

/// `words` has a line `English = translated` for each that is translated.
fn translated(word: &str, words: &str) -> String {
    let mut lines = words.lines().filter_map(|line| line.split_once(" = "));
    let line = lines.find(|(english, _)| *english == word);
    line.map_or(word, |(_, translated)| translated).to_owned()
}

/// Of an even number the upper one.
fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

/// The median, and the lowest and the highest where they look different.
fn shown(figures: &[f64], unit: Unit) -> String {
    let texts: Vec<String> = figures.iter().map(|figure| unit.text(*figure)).collect();
    match &texts[..] {
        [low, median, high] if low != high => format!("{median} ({low}–{high})"),
        texts => texts[0].clone(),
    }
}

impl Unit {
    /// With three digits, in a unit in which it has few: `21.3 k`, `1.57 ms`, `3.17 MB`.
    fn text(self, value: f64) -> String {
        match self {
            Self::PerSecond if value < 1e4 => format!("{:.0}", round(value, 3)),
            Self::PerSecond => digits(value / 1e3) + " k",
            Self::Times => format!("{value:.2}"),
            Self::Percent => format!("{value:.2} %"),
            Self::Seconds if value < 0.001 => digits(value * 1e6) + " µs",
            Self::Seconds if value < 1.0 => digits(value * 1e3) + " ms",
            Self::Seconds => digits(value) + " s",
            Self::Bytes if value < 1e5 => digits(value / 1e3) + " kB",
            Self::Bytes => digits(value / 1e6) + " MB",
        }
    }
}

fn round(value: f64, digits: usize) -> f64 {
    let text = format!("{value:.*e}", digits - 1);
    text.parse().expect("a number is printed as one")
}

fn digits(value: f64) -> String {
    match round(value, 3) {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_in_a_unit_that_fits() {
        for (unit, value, text) in [
            (Unit::PerSecond, 40_833.96, "40.8 k"),
            (Unit::PerSecond, 3124.0, "3120"),
            (Unit::Seconds, 0.000_021_04, "21.0 µs"),
            (Unit::Seconds, 6.9, "6.90 s"),
            (Unit::Bytes, 3_170_000.0, "3.17 MB"),
            (Unit::Percent, -0.061, "-0.06 %"),
        ] {
            assert_eq!(unit.text(value), text);
        }
    }

    #[test]
    fn a_ratio_is_of_what_was_measured_in_the_same_round() {
        // The machine was twice as fast in the last two rounds, for both.
        let ours = vec![80.0, 81.0, 160.0, 162.0, 79.0];
        let theirs = vec![100.0, 100.0, 200.0, 200.0, 100.0];
        let mut table = Table::new(["ours", REFERENCE, "peer"]);
        table.add("rate", Unit::PerSecond, &[ours, theirs, vec![3.0]]);
        let text = table.text("rate = 速率", false);
        let row = "| 速率 | 81 (79–162) | 100 (100–200) | 0.80 | 3 |\n";
        assert!(text.ends_with(row), "{text}");
    }

    #[test]
    fn the_pages_have_the_figures_that_are_kept() {
        let kept = kept().unwrap();
        let text = fs::read_to_string(manifest::path(KEPT)).unwrap();
        assert_eq!(json(&kept).unwrap(), text);
        for (page, words) in PAGES {
            let text = fs::read_to_string(manifest::path(page)).unwrap();
            let filled = filled(&text, &kept, words).unwrap();
            assert_eq!(text, filled, "{page}: DOCS=1 writes its figures anew");
            assert_eq!(text.matches("<!-- figures: ").count(), kept.len(), "{page}");
        }
    }
}
