//! The queries of oneapi, with limits of an hour and two cores, and that of twoapi. They are read as others read forms,
//! and what is read is written and read again.

#![no_main]

use std::{collections::BTreeMap, time::Duration};

use chassis::{http::no_parameters, text::MAX_SHOWN};
use form_urlencoded::Serializer;
use hyper::Uri;
use libfuzzer_sys::fuzz_target;
use oneapi::{
    burn::{BurnRequest, Caller},
    fuzz::{burn_request, only_caller},
};
use percent_encoding::percent_decode_str;
use twoapi::fuzz::events_rate;

const MAX_MINUTES: f64 = 60.0;
const MAX_MILLICORES: u32 = 2000;

fuzz_target!(|query: &str| {
    let read = burn_request(query, MAX_MINUTES, MAX_MILLICORES);
    match &read {
        Ok(request) => {
            assert!(request.duration <= Duration::from_secs(3600));
            assert!((1..=MAX_MILLICORES).contains(&request.millicores));
            assert!(request.cpu_time() <= Duration::from_secs(2 * 3600));
            let again = burn_request(&written(request), MAX_MINUTES, MAX_MILLICORES);
            let again = again.expect("what was read can be written");
            assert!(again.duration.abs_diff(request.duration) < Duration::from_micros(1));
            let duration = request.duration;
            assert_eq!(BurnRequest { duration, ..again }, *request);
        }
        Err(refusal) => {
            assert_eq!(refusal.status, 400);
            assert!(refusal.sentence.chars().count() < MAX_SHOWN + 150);
            assert!(!refusal.sentence.contains(char::is_control));
        }
    }

    let given = by_others(query);
    if read.is_ok() {
        let given = given.as_ref().expect("others read it");
        let known = ["minutes", "millicores", "force", "caller"];
        assert!(given.keys().all(|name| known.contains(&&**name)));
    }
    check_rate(query, given.as_ref());
    let caller = only_caller(query);
    let none = no_parameters(query);
    match given {
        None => assert!(caller.is_err() && none.is_err() && read.is_err()),
        Some(given) => {
            assert_eq!(none.is_ok(), given.is_empty());
            let mut named: Vec<_> = given.into_iter().collect();
            let named = match (named.pop(), named.is_empty()) {
                (None, _) => Some(None),
                (Some((name, value)), true) if name == "caller" => Caller::new(&value).map(Some),
                _ => None,
            };
            assert_eq!(caller.ok(), named);
        }
    }
});

fn check_rate(query: &str, given: Option<&BTreeMap<String, String>>) {
    let Ok(uri) = format!("/page/events?{query}").parse::<Uri>() else {
        return;
    };
    if uri.query() != Some(query) {
        return; // it ends with a `#`
    }
    let is_read = events_rate(&uri).is_ok_and(|rate| rate <= 50);
    let only = given.filter(|given| given.keys().all(|name| name == "rate"));
    let rate = only.and_then(|only| match only.get("rate") {
        Some(rate) => rate.parse::<u64>().ok(),
        None => Some(0),
    });
    assert_eq!(is_read, rate.is_some_and(|rate| rate <= 50));
}

fn written(request: &BurnRequest) -> String {
    let mut query = Serializer::new(String::new());
    let minutes = request.duration.as_secs_f64() / 60.0;
    query.append_pair("minutes", &minutes.min(MAX_MINUTES).to_string());
    query.append_pair("millicores", &request.millicores.to_string());
    query.append_pair("force", &request.force.to_string());
    if let Some(caller) = &request.caller {
        query.append_pair("caller", caller.as_str());
    }
    query.finish()
}

/// Each name once with its value. `None` if a name comes twice, a percent sign isn't followed by two digits, or
/// something isn't UTF-8.
fn by_others(query: &str) -> Option<BTreeMap<String, String>> {
    let mut given = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if given.insert(decoded(name)?, decoded(value)?).is_some() {
            return None;
        }
    }
    Some(given)
}

fn decoded(text: &str) -> Option<String> {
    let is_encoded = |rest: &str| {
        let mut digits = rest.bytes();
        [digits.next(), digits.next()]
            .iter()
            .all(|digit| digit.is_some_and(|d| d.is_ascii_hexdigit()))
    };
    let mut encoded = text.split('%').skip(1);
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8().ok()?;
    encoded.all(is_encoded).then(|| decoded.into_owned())
}
