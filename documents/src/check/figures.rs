//! A figure in a sentence is the one that was measured. A hidden comment right behind it says where that
//! stands, such as
//!
//! ```text
//! within 0.5 ms<!-- measured: docs/bench.json, figures, id=starts, values, in ms -->
//! ```
//!
//! The steps lead through the JSON: a key of an object, the number of an element, or `key=value` for the
//! element that has it. A list of numbers is its median; `maximum` or `minimum` as the last step is that.
//! `in UNIT` converts from seconds, bytes or a share. The number in the sentence has to be what was
//! measured, rounded to as many digits as it has.

use std::{fs, path::Path, sync::LazyLock};

use regex::Regex;
use serde_json::Value;

use super::{Documents, at};
use crate::page::Kind;

/// What a comment of this kind begins with.
pub(super) const MARK: &str = "measured:";

/// The last number before the comment; a comma can part its thousands.
static LAST_NUMBER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?s)(?<number>\d[\d,]*(?:\.\d+)?)\D*$").expect("it is tested"));

pub(super) fn check(root: &Path, documents: &Documents, findings: &mut Vec<String>) {
    for page in &documents.pages {
        for element in &page.elements {
            let Kind::Comment(comment, before) = &element.kind else {
                continue;
            };
            let Some(steps) = comment.strip_prefix(MARK) else {
                continue;
            };
            if let Err(sentence) = compare(root, before, steps) {
                findings.push(at(&page.path, element.line, &sentence));
            }
        }
    }
}

fn compare(root: &Path, before: &str, steps: &str) -> Result<(), String> {
    let number = LAST_NUMBER
        .captures(before)
        .ok_or("There is no number before `measured`.")?;
    let number = number["number"].replace(',', "");
    let mut steps = steps.split(',').map(str::trim);
    let file = steps.next().unwrap_or_default();
    let text = fs::read_to_string(root.join(file))
        .map_err(|error| format!("{file} can't be read: {error}."))?;
    let mut value: &Value =
        &serde_json::from_str(&text).map_err(|error| format!("{file} is not JSON: {error}."))?;
    let mut factor = 1.0;
    let mut choose = median as fn(&mut [f64]) -> Option<f64>;
    for step in steps {
        if let Some(unit) = step.strip_prefix("in ") {
            factor = self::factor(unit).ok_or_else(|| {
                format!(
                    "\"{unit}\" is none of the units: ns, µs, ms, s, kB, MB, kiB, MiB, %, thousand."
                )
            })?;
            continue;
        }
        match step {
            "maximum" => choose = maximum,
            "minimum" => choose = minimum,
            _ => {
                value = follow(value, step).ok_or_else(|| {
                    format!("There is no {step} in {file} where `measured` says.")
                })?;
            }
        }
    }
    let mut values: Vec<f64> = match value {
        Value::Array(values) => values.iter().filter_map(Value::as_f64).collect(),
        value => value.as_f64().into_iter().collect(),
    };
    let measured = choose(&mut values)
        .ok_or_else(|| format!("There is no number in {file} where `measured` says."))?
        * factor;
    let digits = number
        .split_once('.')
        .map_or(0, |(_, decimals)| decimals.len());
    let rounded = format!("{measured:.digits$}");
    if rounded == number {
        Ok(())
    } else {
        Err(format!(
            "It says {number}, and {rounded} was measured ({file})."
        ))
    }
}

fn follow<'a>(value: &'a Value, step: &str) -> Option<&'a Value> {
    match value {
        Value::Object(object) => object.get(step),
        Value::Array(elements) => match step.split_once('=') {
            Some((key, wanted)) => {
                let number = serde_json::from_str::<Value>(wanted).ok();
                elements.iter().find(|element| {
                    element[key].as_str() == Some(wanted) || Some(&element[key]) == number.as_ref()
                })
            }
            None => elements.get(step.parse::<usize>().ok()?),
        },
        _ => None,
    }
}

fn factor(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e9,
        "µs" => 1e6,
        "ms" => 1e3,
        "s" => 1.0,
        "kB" | "thousand" => 1e-3,
        "MB" => 1e-6,
        "kiB" => 1.0 / 1024.0,
        "MiB" => 1.0 / 1_048_576.0,
        "%" => 100.0,
        _ => return None,
    })
}

/// As the bench's own tables have it: of an even number of values, the upper one of the middle two.
fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn maximum(values: &mut [f64]) -> Option<f64> {
    values.iter().copied().max_by(f64::total_cmp)
}

fn minimum(values: &mut [f64]) -> Option<f64> {
    values.iter().copied().min_by(f64::total_cmp)
}
