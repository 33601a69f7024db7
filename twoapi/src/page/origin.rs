//! Whether a request was made by this page itself, and not by another site's page in the same
//! browser.

use std::net::IpAddr;

use axum::http::{
    HeaderMap, Uri,
    header::{HOST, ORIGIN},
    uri::Authority,
};

use chassis::text::shown;

/// Names that nobody outside of the machine or the cluster can have.
const OWN_SUFFIXES: [&str; 3] = [".localhost", ".svc", ".svc.cluster.local"];

/// Where a browser says which site a request comes from.
const SITE: &str = "sec-fetch-site";

/// Checks that the page itself asks for something.
///
/// Browsers say where a request comes from in `Sec-Fetch-Site`, but only over HTTPS and to localhost.
/// In clear text to another host, `Origin` has to be the host that was asked. Both agree for another
/// site too if its name leads here, which its owner can do at any time (DNS rebinding); so the host
/// must be one that isn't found by public DNS, or that `PAGE_HOSTS` lists.
///
/// # Errors
/// A sentence that says why not.
pub(super) fn check_same_origin(
    headers: &HeaderMap,
    uri: &Uri,
    listed: &[String],
) -> Result<(), String> {
    let others = "actions are for the page itself; programs ask the Pods";
    // A browser says each of them once. Of two, a proxy in front may have gone by the other one.
    for name in [ORIGIN.as_str(), SITE] {
        if headers.get_all(name).iter().count() > 1 {
            return Err(format!("the request has two headers {name}"));
        }
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    // In HTTP/2 the host stands in the URI.
    let authority = uri.authority().map(Authority::as_str);
    let host = authority.or(text(HOST.as_str())).unwrap_or_default();
    let origin = text(ORIGIN.as_str()).and_then(|origin| origin.split_once("://"));
    match (text(SITE), origin) {
        (Some("same-origin"), _) => Ok(()),
        (None, Some((_, origin))) if origin == host => {
            if is_own(host, listed) {
                Ok(())
            } else {
                Err("the page takes no actions under this host name, \
                     unless PAGE_HOSTS lists it or they come over HTTPS"
                    .to_owned())
            }
        }
        (None, Some((_, origin))) => Err(format!(
            "the page that asks is from {}, and the request's Host is {}: \
             a proxy in front of the page has to keep the Host that the browser has sent",
            shown(origin),
            shown(host),
        )),
        _ => Err(others.to_owned()),
    }
}

/// Whether nobody else can have this host: it is an IP, a name without a dot, a name of the machine or the
/// cluster, or a listed name. A listed name that begins with a dot stands for all names below it.
fn is_own(host: &str, listed: &[String]) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host().to_ascii_lowercase();
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() {
        return true;
    }
    let name = name.strip_suffix('.').unwrap_or(&name);
    let below = |suffix: &str| suffix.starts_with('.') && name.ends_with(suffix);
    !name.is_empty()
        && (!name.contains('.')
            || OWN_SUFFIXES.into_iter().any(below)
            || listed.iter().any(|own| own == name || below(own)))
}

/// Whether another site made a `GET`. Programs don't say so, and may read. A browser sends an `Origin` only
/// if it is another one.
pub(super) fn is_other_site(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all(SITE).iter().peekable();
    match sites.peek() {
        Some(_) => sites.any(|site| site != "same-origin" && site != "none"),
        None => headers.contains_key(ORIGIN),
    }
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
    fn another_site_says_so_in_whichever_header_the_browser_sends() {
        for (pairs, expected) in [
            (&[][..], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("origin", "http://evil.example")], true),
            (&[("origin", "null")], true),
            (
                &[
                    ("sec-fetch-site", "same-origin"),
                    ("sec-fetch-site", "cross-site"),
                ],
                true,
            ),
        ] {
            assert_eq!(is_other_site(&headers(pairs)), expected, "{pairs:?}");
        }
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
            (
                &[
                    ("origin", "http://10.0.0.1:5001"),
                    ("origin", "http://evil"),
                    ("host", "10.0.0.1:5001"),
                ],
                false,
            ),
            (
                &[
                    ("sec-fetch-site", "same-origin"),
                    ("sec-fetch-site", "cross-site"),
                ],
                false,
            ),
        ] {
            let checked = check_same_origin(&headers(pairs), &Uri::default(), &[]);
            assert_eq!(checked.is_ok(), expected, "{pairs:?}");
        }
    }

    #[test]
    fn a_host_that_a_proxy_has_changed_is_named_with_what_the_proxy_has_to_keep() {
        let pairs = [
            ("origin", "http://lab.example.com"),
            ("host", "twoapi:5001"),
        ];
        let why = check_same_origin(&headers(&pairs), &Uri::default(), &[]).unwrap_err();
        assert!(why.contains("lab.example.com"), "{why}");
        assert!(why.contains("twoapi:5001"), "{why}");
        assert!(why.contains("keep the Host"), "{why}");
        // A browser that says itself that another site asks needs no proxy to be refused.
        let pairs = [pairs[0], pairs[1], ("sec-fetch-site", "cross-site")];
        let why = check_same_origin(&headers(&pairs), &Uri::default(), &[]).unwrap_err();
        assert!(why.starts_with("actions are for the page itself"), "{why}");
    }

    #[test]
    fn over_http2_the_host_stands_in_the_uri() {
        let uri = "http://10.0.0.1:5001/page/actions".parse().unwrap();
        let pairs = [("origin", "http://10.0.0.1:5001")];
        let checked = check_same_origin(&headers(&pairs), &uri, &[]);
        assert_eq!(checked, Ok(()));
    }

    #[test]
    fn a_name_that_somebody_else_may_have_is_not_the_pages_own() {
        let listed = ["lab.example.com", ".internal"].map(str::to_owned);
        for (host, expected) in [
            ("10.0.0.1:5001", true),
            ("[fd00::1]:5001", true),
            ("localhost:8080", true),
            ("LOCALHOST", true),
            ("localhost.", true),
            ("twoapi", true),
            ("lab.localhost:5001", true),
            ("chesterservice.chesterns.svc:5001", true),
            ("chesterservice.chesterns.svc.cluster.local:5001", true),
            ("lab.example.com", true),
            ("Lab.Example.com.:5001", true),
            ("host.docker.internal:5001", true),
            ("evil.example:5001", false),
            ("other.example.com", false),
            ("xlab.example.com", false),
            ("a.lab.example.com", false),
            ("internal.example.com", false),
            ("a.svc.evil.example", false),
            ("a.svc.cluster.local.evil.example", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("chesterservice.chesterns", false),
            ("", false),
            (".", false),
            (":5001", false),
            ("evil.example@x y", false),
        ] {
            assert_eq!(is_own(host, &listed), expected, "{host}");
            let origin = format!("http://{host}");
            let pairs = [("host", host), ("origin", origin.as_str())];
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(name, value.parse().unwrap());
            }
            let checked = check_same_origin(&headers, &Uri::default(), &listed);
            assert_eq!(checked.is_ok(), expected, "{host}");
            if let Err(sentence) = checked {
                assert!(sentence.contains("PAGE_HOSTS"), "{sentence}");
            }
        }
    }
}
