//! What a client prefers of several representations: text, JSON or OpenMetrics by its `Accept`
//! headers, and plain or compressed by its `Accept-Encoding`. Every such header is read here.
//! <https://www.rfc-editor.org/rfc/rfc9110#section-12.5>

use axum::http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT, ACCEPT_ENCODING, VARY},
};

/// The header of an answer whose form [`prefers_json`] decides: caches have to know that there are two.
pub const VARY_ACCEPT: [(HeaderName, HeaderValue); 1] =
    [(VARY, HeaderValue::from_static("accept"))];

/// A type of what can be answered.
#[derive(Clone, Copy)]
struct MediaType {
    main: &'static str,
    sub: &'static str,
    /// The versions that are as good. If there are none, whatever version is asked for is ignored.
    versions: &'static [&'static str],
}

const TEXT: MediaType = MediaType {
    main: "text",
    sub: "plain",
    versions: &[],
};
const JSON: MediaType = MediaType {
    main: "application",
    sub: "json",
    versions: &[],
};
/// Names as plain as ours are written the same in both versions.
const PROMETHEUS: MediaType = MediaType {
    versions: &["0.0.4", "1.0.0"],
    ..TEXT
};
const OPENMETRICS: MediaType = MediaType {
    main: "application",
    sub: "openmetrics-text",
    versions: &["1.0.0"],
};

/// Whether JSON is preferred to plain text: by its weight or, where the weights are the same, by
/// being named more exactly. `application/json, */*`, which kubectl sends, asks for JSON; `*/*`,
/// which curl sends, doesn't.
pub fn prefers_json(headers: &HeaderMap) -> bool {
    prefers(headers, JSON, TEXT)
}

/// Whether JSON has more weight than plain text. `kubectl get --raw` sends `application/json, */*` whatever
/// its user wants to read, and gives both the same weight.
pub(crate) fn outweighs_text(headers: &HeaderMap) -> bool {
    let listed = listed(headers, ACCEPT);
    let weight = |media_type| preference(&listed, |entry| entry.names(media_type)).weight;
    weight(JSON) > weight(TEXT)
}

/// Whether OpenMetrics is preferred to Prometheus' own text format, by the rule of [`prefers_json`].
pub(crate) fn prefers_openmetrics(headers: &HeaderMap) -> bool {
    prefers(headers, OPENMETRICS, PROMETHEUS)
}

/// Whether a body compressed by gzip is accepted, and the plain one isn't preferred to it. The plain
/// one is for everybody else: also for a client that refuses both, since the only other answer would
/// be 406 and no body at all.
pub fn prefers_gzip(headers: &HeaderMap) -> bool {
    let listed = listed(headers, ACCEPT_ENCODING);
    let gzip = preference(&listed, |entry| match entry.name.as_str() {
        "gzip" | "x-gzip" => Some(1), // the old name stands for the same coding
        "*" => Some(0),
        _ => None,
    });
    let plain = preference(&listed, |entry| (entry.name == "identity").then_some(1));
    gzip.weight > 0 && gzip.weight >= plain.weight
}

/// Whether the first type is wanted, and more than the second.
fn prefers(headers: &HeaderMap, first: MediaType, second: MediaType) -> bool {
    let listed = listed(headers, ACCEPT);
    let [first, second] =
        [first, second].map(|media_type| preference(&listed, |entry| entry.names(media_type)));
    first.weight > 0 && first > second
}

/// How much something is wanted, and how exactly it was named.
#[derive(Clone, Copy, Default, PartialEq, PartialOrd)]
struct Preference {
    /// In thousandths; 0 is "not acceptable".
    weight: u16,
    exactness: u8,
}

/// The preference by the entry that names a thing most exactly.
fn preference(listed: &[Entry], exactness: impl Fn(&Entry) -> Option<u8>) -> Preference {
    let named = listed
        .iter()
        .filter_map(|entry| Some((exactness(entry)?, entry.weight)));
    let most_exact = named.max();
    most_exact.map_or(Preference::default(), |(exactness, weight)| Preference {
        weight,
        exactness,
    })
}

/// An entry of `Accept` or `Accept-Encoding`.
struct Entry {
    /// In small letters.
    name: String,
    version: Option<String>,
    weight: u16,
}

impl Entry {
    /// How exactly it names this type. `None` if it names another.
    fn names(&self, media_type: MediaType) -> Option<u8> {
        let (main, sub) = self.name.split_once('/')?;
        let is_main = main == media_type.main;
        match (&self.version, sub) {
            (_, "*") if main == "*" => Some(0),
            (_, "*") if is_main => Some(1),
            (Some(version), sub) if is_main && sub == media_type.sub => {
                let versions = media_type.versions;
                let is_one = versions.is_empty() || versions.contains(&version.as_str());
                is_one.then_some(3)
            }
            (None, sub) if is_main && sub == media_type.sub => Some(2),
            _ => None,
        }
    }
}

fn listed(headers: &HeaderMap, name: HeaderName) -> Vec<Entry> {
    let lists = headers.get_all(name).into_iter();
    lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| split(list, ','))
        .map(|entry| {
            let mut parts = split(entry, ';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let (mut version, mut weight) = (None, 1000);
            for (parameter, value) in parts.filter_map(|part| part.split_once('=')) {
                let (parameter, value) = (parameter.trim(), value.trim());
                if parameter.eq_ignore_ascii_case("q") {
                    weight = thousandths(value).unwrap_or(0); // what can't be read isn't wanted
                    break; // what follows is no part of the type
                }
                if parameter.eq_ignore_ascii_case("version") {
                    version = Some(value.trim_matches('"').to_owned());
                }
            }
            Entry {
                name,
                version,
                weight,
            }
        })
        .collect()
}

/// Splits at each separator that isn't in quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |char| {
        is_quoted ^= char == '"';
        char == separator && !is_quoted
    })
}

/// `0.5`, at most 1, with three decimals or fewer.
fn thousandths(weight: &str) -> Option<u16> {
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match (whole, format!("{decimals:0<3}").parse()) {
        ("0", Ok(thousandths)) => Some(thousandths),
        ("1", Ok(0)) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(lines: &[&'static str]) -> HeaderMap {
        let lines = lines.iter();
        lines
            .map(|line| (ACCEPT, HeaderValue::from_static(line)))
            .collect()
    }

    #[test]
    fn json_is_for_who_prefers_it() {
        for line in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/*",
            "application/json, */*", // kubectl
            "application/json, */*;q=0.1",
            "application/json;q=0.5",
            "application/json;q=0.5, text/plain;q=0.4",
            "text/plain;q=0.5, application/json;q=0.6",
            "application/json;q=0.5, */*;q=0.1",
            "application/*, text/plain;q=0.9",
            "text/html, application/json",
            "text/html, application/json;q=0.9, text/plain;q=0",
            "application/json;q=1.000, text/plain;Q=0.999",
            "application/json ; q = 0.5 , text/plain;q=0.4;level=1",
            "application/json;version=7",
            r#"application/json;x="a,b;q=0", text/plain;q=0.5"#,
        ] {
            assert!(prefers_json(&accept(&[line])), "{line}");
        }
        let lines = ["text/plain;q=0.5", "application/json"];
        assert!(prefers_json(&accept(&lines)), "two lines");
    }

    #[test]
    fn text_is_for_everybody_else() {
        assert!(!prefers_json(&HeaderMap::new()), "without the header");
        for line in [
            "*/*", // curl
            // A browser.
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8",
            "",
            "text/html",
            "text/plain",
            "application/json, text/plain",
            "text/plain, application/json;q=0.5",
            "application/json;q=0",
            "application/json;q=0.0, */*",
            "application/json;q=0.5, */*",
            "application/json;q=0.5, text/*",
            "application/json;q=0, application/*",
            "text/*, application/*",
            "application/jsonx",
            "application/problem+json",
            r#"text/html;x="application/json""#,
            r#"text/plain;x="a, application/json""#,
            // Not weights: 0 to 1, at most three decimals.
            "application/json;q=2",
            "application/json;q=-1",
            "application/json;q=much",
            "application/json;q=0.5000",
            "application/json;q=",
        ] {
            assert!(!prefers_json(&accept(&[line])), "{line}");
        }
    }

    #[test]
    fn json_outweighs_text_only_by_its_weight() {
        for (line, expected) in [
            ("application/json", true),
            ("application/json, */*;q=0.1", true),
            ("application/json;q=0.5, text/plain;q=0.4", true),
            ("application/json, */*", false), // kubectl
            ("application/json, text/plain", false),
            ("*/*", false),
            ("application/json;q=0", false),
        ] {
            assert_eq!(outweighs_text(&accept(&[line])), expected, "{line}");
        }
    }

    #[test]
    fn openmetrics_is_for_the_scraper_that_prefers_it() {
        for (line, expected) in [
            ("application/openmetrics-text", true),
            ("Application/OpenMetrics-Text; Version=1.0.0", true),
            // Prometheus 3, and 2.
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 application/openmetrics-text;version=0.0.1;q=0.5,\
                 text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,\
                 */*;q=0.2",
                true,
            ),
            (
                "application/openmetrics-text;version=1.0.0,\
                 application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,\
                 */*;q=0.1",
                true,
            ),
            // Prometheus 3 whose configuration prefers text, in either version.
            (
                "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.4",
                false,
            ),
            (
                "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.4",
                false,
            ),
            ("application/openmetrics-text;q=0, */*", false),
            ("application/openmetrics-text;q=0", false),
            // We write 1.0.0 and nothing else.
            ("application/openmetrics-text;version=0.0.1", false),
            (
                "application/openmetrics-text;version=2.0.0, text/plain;q=0.1",
                false,
            ),
            ("text/plain;version=0.0.4", false),
            ("text/plain;version=0.0.4;q=0.1, */*", true),
            ("*/*", false),
            ("application/openmetrics-textual", false),
        ] {
            assert_eq!(prefers_openmetrics(&accept(&[line])), expected, "{line}");
        }
        assert!(
            !prefers_openmetrics(&HeaderMap::new()),
            "without the header"
        );
    }

    #[test]
    fn gzip_is_for_who_accepts_it() {
        for (accept, expected) in [
            (&["gzip"][..], true),
            (&["gzip, deflate, br, zstd"], true),
            (&["GZIP"], true),
            (&["x-gzip"], true),
            (&["*"], true),
            (&["gzip;q=0.5"], true),
            (&["gzip ; q=1.0"], true),
            (&["br", "gzip"], true),
            (&["gzip;q=0.5, identity;q=0.1"], true),
            (&["*;q=0, gzip"], true),
            (&["identity;q=0, *"], true),
            (&["gzip;Q=1.000"], true),
            (&[], false),
            (&[""], false),
            (&["br"], false),
            (&["identity"], false),
            (&["gzip;q=0"], false),
            (&["gzip;q=0, *"], false),
            (&["gzip;q=0.000"], false),
            (&["gzip;q=much"], false),
            (&["gzip;q=-1"], false),
            (&["*;q=0"], false),
            (&["identity;q=0"], false),
            (&["gzip;q=0.5, identity"], false),
            (&[";;;=,, ,"], false),
            (&["gzipped"], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in accept {
                headers.append(ACCEPT_ENCODING, line.parse().unwrap());
            }
            assert_eq!(prefers_gzip(&headers), expected, "{accept:?}");
        }
    }
}
