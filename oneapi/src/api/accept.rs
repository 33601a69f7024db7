//! Which of the two media types that a burn's report comes in a client prefers, by its `Accept`
//! headers: <https://www.rfc-editor.org/rfc/rfc9110#name-accept>.

use axum::http::{HeaderMap, header};

/// Plain text, unless JSON is preferred: by its weight, or, where the weights are the same, by
/// being named more precisely. `application/json, */*` asks for JSON, `*/*` doesn't.
pub(super) fn prefers_json(headers: &HeaderMap) -> bool {
    let [json, text] = [("application", "json"), ("text", "plain")].map(|media_type| {
        let ranges = headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|range| Preference::of(media_type, range));
        // The most precise range that matches a type says its weight.
        ranges.max_by_key(|preference| preference.precision)
    });
    let rank = |preference: Option<Preference>| {
        preference.map_or((0, 0), |preference| {
            (preference.weight, preference.precision)
        })
    };
    let (json, text) = (rank(json), rank(text));
    json.0 > 0 && json > text
}

/// What a media range such as `text/*;q=0.5` says of a type.
#[derive(Clone, Copy)]
struct Preference {
    /// In thousandths; 0 is "not acceptable".
    weight: u16,
    /// 2 for `type/subtype`, 1 for `type/*`, 0 for `*/*`.
    precision: u8,
}

impl Preference {
    /// None when the range doesn't match that type, or can't be understood.
    fn of((main, sub): (&str, &str), range: &str) -> Option<Self> {
        let mut parts = range.split(';').map(str::trim);
        let (range_main, range_sub) = parts.next()?.split_once('/')?;
        let same = |left: &str, right: &str| left.eq_ignore_ascii_case(right);
        let precision = match (range_main, range_sub) {
            ("*", "*") => 0,
            (range_main, "*") if same(range_main, main) => 1,
            (range_main, range_sub) if same(range_main, main) && same(range_sub, sub) => 2,
            _ => return None,
        };
        let weight = parts
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| same(name.trim(), "q"))
            .map_or(Some(1000), |(_, weight)| thousandths(weight.trim()))?;
        Some(Self { weight, precision })
    }
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
    use axum::http::HeaderValue;

    use super::*;

    fn json(accept: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(header::ACCEPT, HeaderValue::from_static(value));
        }
        prefers_json(&headers)
    }

    #[test]
    fn json_is_for_those_who_prefer_it() {
        for accept in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/*",
            "application/json, */*", // kubectl
            "application/json;q=0.5",
            "application/json;q=0.5, text/plain;q=0.4",
            "application/json;q=0.5, */*;q=0.1",
            "text/html, application/json;q=0.9, text/plain;q=0",
            "application/json;q=1.000, text/plain;Q=0.999",
        ] {
            assert!(json(&[accept]), "{accept}");
        }
        assert!(json(&["text/plain;q=0.5", "application/json"]), "two lines");
    }

    #[test]
    fn text_is_for_everybody_else() {
        assert!(!json(&[]), "no preference at all");
        for accept in [
            "*/*",
            "",
            "text/plain",
            "text/plain, application/json",
            "text/plain, application/json;q=0.5",
            "application/json;q=0",
            "application/json;q=0.0, */*",
            "application/json;q=0.5, */*",
            "application/json;q=0, application/*",
            "text/*, application/*",
            "application/jsonx",
            "application/problem+json",
            "text/html;x=application/json",
            // Not weights: 0 to 1, at most three decimals.
            "application/json;q=2",
            "application/json;q=-1",
            "application/json;q=0.5000",
            "application/json;q=x",
            "application/json;q=",
        ] {
            assert!(!json(&[accept]), "{accept}");
        }
    }
}
