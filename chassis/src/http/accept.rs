//! Which of two representations a client prefers, by its `Accept` header: text unless JSON is asked
//! for. <https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1>

use axum::http::{HeaderMap, header::ACCEPT};

/// Whether JSON is preferred to plain text. Text is for people, who send no such header or one
/// that takes anything; a program says what it wants.
pub fn prefers_json(headers: &HeaderMap) -> bool {
    let (mut json, mut text) = (Quality::default(), Quality::default());
    let lists = headers.get_all(ACCEPT).iter();
    for range in lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
    {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts
            .find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")))
            .map_or(Some(1.0), |q| q.trim().parse::<f32>().ok())
            .filter(|q| (0.0..=1.0).contains(q))
            .unwrap_or(0.0); // what can't be read isn't wanted
        json.consider(&media_type, ["application/json", "application/*"], quality);
        text.consider(&media_type, ["text/plain", "text/*"], quality);
    }
    json.value > text.value
}

/// How much a type is wanted; a range that names it more exactly has precedence.
#[derive(Default)]
struct Quality {
    value: f32,
    exactness: u8,
}

impl Quality {
    fn consider(&mut self, range: &str, [exact, family]: [&str; 2], value: f32) {
        let exactness = match range {
            _ if range == exact => 3,
            _ if range == family => 2,
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
}
