//! Whether a request was made by this page itself, and not by another site's page in the same
//! browser.

use axum::http::{HeaderMap, header::HOST, header::ORIGIN};

/// Browsers say where a request comes from in `Sec-Fetch-Site`, but only over HTTPS and to
/// localhost; in clear text to another host, `Origin` has to be the host that was asked.
pub(super) fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text(ORIGIN.as_str())) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == text(HOST.as_str())
        }
        (None, None) => false,
    }
}

/// Whether another site made it. Programs say nothing of the kind, and may read.
pub(super) fn is_other_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    site.is_some_and(|site| site != "same-origin" && site != "none")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn only_the_page_itself_is_of_the_same_origin() {
        for (pairs, expected) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "same-site")], false),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "http://a"),
                    ("host", "a"),
                ],
                false,
            ),
            (
                &[
                    ("origin", "http://10.0.0.1:5001"),
                    ("host", "10.0.0.1:5001"),
                ],
                true,
            ),
            (
                &[("origin", "http://evil"), ("host", "10.0.0.1:5001")],
                false,
            ),
            (&[("origin", "null"), ("host", "10.0.0.1:5001")], false),
            (&[("host", "10.0.0.1:5001")], false),
        ] {
            assert_eq!(is_same_origin(&headers(pairs)), expected, "{pairs:?}");
        }
    }
}
