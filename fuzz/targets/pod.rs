//! What the page shows of a Pod, whatever that answers to `/info`, `/probes`, `/faults` and `/burns`, and which address
//! it polls, whatever is answered to a request of its own: a line each.

#![no_main]

use std::net::IpAddr;

use chassis::text::{MAX_SHOWN, shown};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use twoapi::fuzz::{address_in, card};

fuzz_target!(|text: &str| {
    let mut lines = text.lines().map(str::as_bytes);
    let card = card(std::array::from_fn(|_| lines.next().unwrap_or_default()));
    let written = card.to_string();
    assert!(written.len() < 100_000, "{} bytes", written.len());
    let read: Value = serde_json::from_str(&written).expect("a browser reads it");
    // A number may lose its last digit.
    assert_eq!(read["state"], card["state"]);
    check(&card, 0);
    check_address(lines.next().unwrap_or_default());
});

fn check_address(body: &[u8]) {
    let Some(ip) = address_in(body) else { return };
    let text = String::from_utf8_lossy(body);
    let said = text.trim_end().ends_with(&ip.to_string());
    // An address of IPv6 may be written otherwise.
    assert!(said || ip.is_ipv6(), "{ip} is none of {text}");
    let bytes = match ip.to_canonical() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    // This machine, a node's own services, and groups.
    let is_nobodys = match bytes[..] {
        [127 | 224..240, _, _, _] | [169, 254, _, _] | [0, 0, 0, 0] | [255, 255, 255, 255] => true,
        [0xfe, 0x80..=0xbf, ..] => bytes.len() == 16,
        [0xff, ..] => bytes.len() == 16,
        _ => bytes.len() == 16 && bytes[..15] == [0; 15] && bytes[15] < 2,
    };
    assert!(!is_nobodys, "{ip}");
}

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
