//! `Accept` and `Accept-Encoding`. The same wishes, written otherwise, have the same answer. And `If-None-Match`, which is
//! read as others read it.

#![no_main]

use axum::http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT, ACCEPT_ENCODING, IF_NONE_MATCH},
};
use chassis::{
    fuzz::{outweighs_text, prefers_openmetrics},
    http::{prefers_gzip, prefers_json},
};
use headers::{HeaderMapExt, IfNoneMatch};
use libfuzzer_sys::fuzz_target;
use twoapi::fuzz::is_known;

fuzz_target!(|text: &str| {
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    // One that isn't ASCII is passed over as a whole.
    let is_header = |line: &String| line.is_ascii() && HeaderValue::from_str(line).is_ok();
    if !lines.iter().all(is_header) {
        return;
    }
    check_tags(&lines);
    let wanted = wanted(&lines);
    let [json, outweighs, openmetrics, gzip] = wanted;
    assert!(!outweighs || json, "what has more weight is preferred");
    if lines.is_empty() {
        assert_eq!(
            [json, openmetrics, gzip],
            [false; 3],
            "the plain one is for everybody"
        );
    }

    let each = |change: &dyn Fn(&String) -> String| lines.iter().map(change).collect::<Vec<_>>();
    assert_eq!(
        self::wanted(&each(&|line| line.to_ascii_uppercase())),
        wanted,
        "in capital letters"
    );
    assert_eq!(
        self::wanted(&each(&|line| line.to_ascii_lowercase())),
        wanted,
        "in small letters"
    );
    // In quotes all of them mean themselves.
    if !text.contains('"') {
        let airy = each(&|line| line.replace(',', "\t , ").replace(';', " ;\t"));
        assert_eq!(self::wanted(&airy), wanted, "with spaces");
        let backwards = each(&|line| line.rsplit(',').collect::<Vec<_>>().join(","));
        assert_eq!(self::wanted(&backwards), wanted, "in another order");
        assert_eq!(self::wanted(&[lines.join(",")]), wanted, "in one line");
        let entries: Vec<_> = lines.iter().flat_map(|line| line.split(',')).collect();
        let entries: Vec<_> = entries.into_iter().map(str::to_owned).collect();
        assert_eq!(self::wanted(&entries), wanted, "each in a line of its own");
        let mut more = lines.clone();
        more.push("image/png, br;q=0.9".to_owned());
        assert_eq!(self::wanted(&more), wanted, "beside what nobody has");
        let names = |line: &String| {
            ["json", "gzip"]
                .iter()
                .any(|it| line.to_ascii_lowercase().contains(it))
        };
        more.retain(|line| !names(line));
        more.push("application/json;q=0, gzip;q=0".to_owned());
        let [json, outweighs, _, gzip] = self::wanted(&more);
        assert_eq!([json, outweighs, gzip], [false; 3], "what isn't wanted");
    }
});

fn check_tags(lines: &[String]) {
    let headers = headers(lines, IF_NONE_MATCH);
    let is_known = is_known(&headers, "\"tag\"");
    // What isn't a list of tags or `*` alone, others read otherwise.
    let is_tag = |tag: &str| {
        let tag = tag.trim_matches([' ', '\t']);
        let quoted = tag.strip_prefix("W/").unwrap_or(tag);
        let opaque = quoted
            .strip_prefix('"')
            .and_then(|tag| tag.strip_suffix('"'));
        opaque.is_some_and(|tag| !tag.contains(['"', ' ', '\t']))
    };
    let all: Vec<_> = lines.iter().flat_map(|line| line.split(',')).collect();
    if all != ["*"] && !all.into_iter().all(is_tag) {
        return;
    }
    if let Ok(Some(tags)) = headers.typed_try_get::<IfNoneMatch>() {
        let tag = "\"tag\"".parse().expect("it is one");
        assert_eq!(is_known, !tags.precondition_passes(&tag));
    }
}

fn headers(lines: &[String], name: HeaderName) -> HeaderMap {
    let values = lines.iter().map(|line| HeaderValue::from_str(line));
    let values = values.map(|value| value.expect("it was one before"));
    values.map(|value| (name.clone(), value)).collect()
}

fn wanted(lines: &[String]) -> [bool; 4] {
    let headers = |name| headers(lines, name);
    let types = headers(ACCEPT);
    [
        prefers_json(&types),
        outweighs_text(&types),
        prefers_openmetrics(&types),
        prefers_gzip(&headers(ACCEPT_ENCODING)),
    ]
}
