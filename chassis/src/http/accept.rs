//! What a client prefers of several representations: text or JSON, by its `Accept` header, and plain
//! or compressed, by its `Accept-Encoding`. <https://www.rfc-editor.org/rfc/rfc9110#section-12.5>

use axum::http::{
    HeaderMap, HeaderName,
    header::{ACCEPT, ACCEPT_ENCODING},
};

/// Whether JSON is preferred to plain text. Text is for people, who send no such header or one
/// that takes anything; a program says what it wants.
pub fn prefers_json(headers: &HeaderMap) -> bool {
    let (mut json, mut text) = (Quality::default(), Quality::default());
    for (media_type, quality) in listed(headers, ACCEPT) {
        json.consider(&media_type, ["application/json", "application/*"], quality);
        text.consider(&media_type, ["text/plain", "text/*"], quality);
    }
    json.value > text.value
}

/// Whether a body compressed by gzip is accepted, and the plain one isn't preferred to it. The plain
/// one is for everybody else: also for a client that refuses both, since the only other answer would
/// be 406 and no body at all.
pub fn prefers_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut plain) = (Quality::default(), Quality::default());
    for (coding, quality) in listed(headers, ACCEPT_ENCODING) {
        // The old name stands for the same coding.
        let coding = coding.strip_prefix("x-").unwrap_or(&coding);
        gzip.consider(coding, ["gzip", "*"], quality);
        plain.consider(coding, ["identity"; 2], quality);
    }
    gzip.value > 0.0 && gzip.value >= plain.value
}

/// The names that a header lists, in small letters, and the quality of each.
fn listed(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = (String, f32)> {
    let lists = headers.get_all(name).into_iter();
    lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(|entry| {
            let mut parts = entry.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts
                .find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")))
                .map_or(Some(1.0), |q| q.trim().parse::<f32>().ok())
                .filter(|q| (0.0..=1.0).contains(q))
                .unwrap_or(0.0); // what can't be read isn't wanted
            (name, quality)
        })
}

/// How much something is wanted; an entry that names it more exactly has precedence.
#[derive(Default)]
struct Quality {
    value: f32,
    exactness: u8,
}

impl Quality {
    fn consider(&mut self, entry: &str, [exact, family]: [&str; 2], value: f32) {
        let exactness = match entry {
            _ if entry == exact => 3,
            _ if entry == family => 2,
            "*/*" => 1,
            _ => return,
        };
        if exactness >= self.exactness {
            *self = Self { value, exactness };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_for_who_prefers_it() {
        for (accept, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/json, */*;q=0.1", true),
            ("text/plain;q=0.5, application/json;q=0.6", true),
            ("application/*, text/plain;q=0.9", true),
            ("text/html, application/json", true),
            ("*/*", false),
            ("", false),
            ("text/html", false),
            ("application/json, text/plain", false),
            ("application/json;q=0", false),
            ("application/json;q=0, */*", false),
            ("application/json;q=much", false),
            ("application/json;q=0.5, text/*", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            assert_eq!(prefers_json(&headers), expected, "{accept}");
        }
        assert!(!prefers_json(&HeaderMap::new()), "without the header");
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
