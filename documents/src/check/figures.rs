//! A figure in a sentence is the one that was measured. A hidden comment right behind it says where that
//! stands, such as
//!
//! ```text
//! within 0.5 ms<!-- measured: docs/bench.json, /test, rows, what=from exec to the first 200, oneapi, in ms -->
//! ```
//!
//! The steps lead through the JSON: a key of an object, or `key=value` for the element of a list that has
//! it. A list of numbers is its median. `in UNIT` converts from seconds or bytes. The number in the sentence
//! has to be what was measured, rounded to as many digits as it has.

use std::{fs, path::Path, sync::LazyLock};

use regex::Regex;
use serde_json::Value;

use super::tree::Tree;
use crate::elements::Kind;

/// What a comment of this kind begins with.
pub(super) const MARK: &str = "measured:";

/// What a second or a byte is in these units.
const UNITS: [(&str, f64); 2] = [("in ms", 1e3), ("in MB", 1e-6)];

/// The last number before the comment; a comma can part its thousands.
static LAST_NUMBER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?s)(?<number>\d[\d,]*(?:\.\d+)?)\D*$").expect("it is tested"));

pub(super) fn check(tree: &Tree<'_>, findings: &mut Vec<String>) {
    for document in &tree.documents {
        for element in &document.elements {
            if let Kind::Comment(comment, before) = &element.kind
                && let Some(steps) = comment.strip_prefix(MARK)
                && let Err(sentence) = compare(tree.root, before, steps)
            {
                findings.push(document.at(element.line, &sentence));
            }
        }
    }
}

fn compare(root: &Path, before: &str, steps: &str) -> Result<(), String> {
    let number = LAST_NUMBER
        .captures(before)
        .ok_or("There is no number before `measured`.")?;
    let number = number["number"].replace(',', "");
    let (file, steps) = steps.trim().split_once(", ").unwrap_or((steps, ""));
    let text = fs::read_to_string(root.join(file))
        .map_err(|error| format!("{file} can't be read: {error}."))?;
    let mut value: &Value =
        &serde_json::from_str(&text).map_err(|error| format!("{file} is not JSON: {error}."))?;
    let mut factor = 1.0;
    for step in steps.split(", ") {
        if let Some((_, unit)) = UNITS.iter().find(|(name, _)| *name == step) {
            factor = *unit;
        } else {
            value = follow(value, step)
                .ok_or_else(|| format!("There is no {step} in {file} where `measured` says."))?;
        }
    }
    let mut values: Vec<f64> = match value {
        Value::Array(values) => values.iter().filter_map(Value::as_f64).collect(),
        value => value.as_f64().into_iter().collect(),
    };
    // As the bench's own tables have it: of an even number of values, the upper one of the middle two.
    values.sort_by(f64::total_cmp);
    let median = values
        .get(values.len() / 2)
        .ok_or_else(|| format!("There is no number in {file} where `measured` says."))?;
    let digits = number.split('.').nth(1).map_or(0, str::len);
    let rounded = format!("{:.digits$}", median * factor);
    let wrong = || format!("It says {number}, and {rounded} was measured ({file}).");
    (rounded == number).then_some(()).ok_or_else(wrong)
}

fn follow<'a>(value: &'a Value, step: &str) -> Option<&'a Value> {
    let (key, wanted) = step.split_once('=').unwrap_or((step, ""));
    match value {
        Value::Array(elements) => elements.iter().find(|element| match &element[key] {
            Value::String(text) => text == wanted,
            Value::Number(number) => number.to_string() == wanted,
            _ => false,
        }),
        value => value.get(step),
    }
}
