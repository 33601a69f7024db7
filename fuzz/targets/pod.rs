//! What the page shows of a Pod, whatever that answers to `/info`, `/probes`, `/faults` and `/burns`: a line each.

#![no_main]

use chassis::text::{MAX_SHOWN, shown};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use twoapi::fuzz::card;

fuzz_target!(|text: &str| {
    let mut lines = text.lines().map(str::as_bytes);
    let card = card(std::array::from_fn(|_| lines.next().unwrap_or_default()));
    let written = card.to_string();
    assert!(written.len() < 100_000, "{} bytes", written.len());
    let read: Value = serde_json::from_str(&written).expect("a browser reads it");
    // A number may lose its last digit.
    assert_eq!(read["state"], card["state"]);
    check(&card, 0);
});

fn check(value: &Value, depth: usize) {
    assert!(depth < 7);
    match value {
        // A reason has the container's name before it.
        Value::String(text) => {
            assert!(text.chars().count() < MAX_SHOWN + 20);
            let text = text.split_once("api: ").map_or(&**text, |(_, why)| why);
            assert_eq!(shown(text), text, "it may be printed");
        }
        Value::Array(values) => values.iter().for_each(|value| check(value, depth + 1)),
        Value::Object(fields) => fields.values().for_each(|value| check(value, depth + 1)),
        _ => {}
    }
}
