//! Which requests the page takes for its own. A line each: `Host`, `Origin`, `Sec-Fetch-Site`, the body of an action,
//! the address of a QR code; an empty one stands for none. Names and addresses are read as browsers read them.

#![no_main]

use axum::http::{
    HeaderMap, HeaderValue, Request, Uri, Version,
    header::{HOST, ORIGIN},
};
use chassis::{config::is_host_and_port, fuzz::is_host_said};
use fuzz::run;
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode_str;
use twoapi::fuzz::{check_same_origin, is_other_site, qr, switch_of};
use url::{Host, Url};

fuzz_target!(|text: &str| {
    if !text.is_ascii() {
        return; // a browser sends nothing else
    }
    let mut lines = text.lines();
    let [host, origin, site, action, address] =
        std::array::from_fn(|_| lines.next().unwrap_or_default());
    let mut headers = HeaderMap::new();
    for (name, text) in [
        (HOST, host),
        (ORIGIN, origin),
        ("sec-fetch-site".parse().expect("it is a name"), site),
    ] {
        let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) else {
            return;
        };
        if !text.is_empty() {
            headers.insert(name, value);
        }
    }
    check_action(action);
    if !is_asserted(host) {
        check_origin(&headers, host, origin, site);
        check_address(&headers, host, address);
    }

    let mut request = Request::new(());
    request.headers_mut().clone_from(&headers);
    let is_said = is_host_said(&request);
    let authority = host.parse::<axum::http::uri::Authority>();
    if authority.is_ok_and(|authority| is_host_and_port(&authority)) {
        assert!(is_said, "others take it for a host");
    }
    if is_said {
        assert!(
            !host.contains(['/', '?', '#', '@', '\\', ' ', '"', '<', '>']),
            "{host}"
        );
        request
            .headers_mut()
            .append(HOST, HeaderValue::from_static("localhost"));
        assert!(!is_host_said(&request), "twice");
    }
    *request.version_mut() = Version::HTTP_10;
    assert!(is_host_said(&request), "HTTP/1.0 needs none");
});

/// cargo fuzz turns the debug assertions of all crates on. The idna_adapter of twoapi, which refuses hosts that aren't
/// ASCII, asserts that they have no capital letters.
fn is_asserted(address: &str) -> bool {
    let host: Vec<u8> = percent_decode_str(address).collect();
    !host.is_ascii() && host.iter().any(u8::is_ascii_uppercase)
}

fn check_origin(headers: &HeaderMap, host: &str, origin: &str, site: &str) {
    let listed = ["lab.example.com".to_owned(), ".internal".to_owned()];
    let checked = check_same_origin(headers, &Uri::default(), &listed);
    match &checked {
        // The browser itself says so.
        Ok(()) if site == "same-origin" => {}
        Ok(()) => {
            assert!(site.is_empty() && origin.ends_with(&format!("://{host}")));
            // As the browser knows the site that it has asked. What it would write otherwise, it doesn't send.
            if let Ok(url) = Url::parse(&format!("http://{host}/"))
                && url.authority() == host
            {
                let name = url.host();
                assert!(name.is_some_and(|name| is_own(&name)), "{host}");
            }
        }
        Err(sentence) => assert!(!sentence.contains(char::is_control), "{sentence:?}"),
    }
    if is_other_site(headers) {
        assert!(site != "same-origin" && !(site.is_empty() && origin.is_empty()));
    }
}

/// Whether no public DNS has it.
fn is_own(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(_) | Host::Ipv6(_) => true,
        Host::Domain(name) => {
            let mut labels: Vec<&str> = name.strip_suffix('.').unwrap_or(name).split('.').collect();
            match (labels.pop(), labels.last().copied()) {
                (Some(last), None) => !last.is_empty(),
                (Some("localhost" | "svc" | "internal"), _) => true,
                (Some("local"), _) => labels.ends_with(&["svc", "cluster"]),
                (Some("com"), _) => labels == ["lab", "example"],
                _ => false,
            }
        }
    }
}

/// Whatever an action says, it sets one switch of the Pod and asks for nothing else.
fn check_action(action: &str) {
    let all: Url = "http://10.0.0.7:5000/faults".parse().expect("it is one");
    match switch_of(action.as_bytes(), all) {
        Ok(Some((fault, url))) => {
            assert_eq!(url.authority(), "10.0.0.7:5000");
            assert_eq!(url.fragment(), None);
            let mut segments = url.path_segments().expect("it has a path");
            assert_eq!(segments.next(), Some("faults"));
            let (name, parameters) = fault.split_once('?').unwrap_or((&fault, ""));
            // Which neither a path nor a query has, and no switch either.
            let no_breaks = |text: &str| text.replace(['\t', '\r', '\n'], "");
            if let Some(segment) = segments.next() {
                let segment = percent_decode_str(segment)
                    .decode_utf8()
                    .expect("it was UTF-8");
                assert_eq!(segment, no_breaks(name));
            } else {
                assert!([".", ".."].contains(&&*no_breaks(name)), "{name}");
            }
            assert_eq!(segments.next(), None, "{url}");
            let sent = percent_decode_str(url.query().unwrap_or_default()).collect::<Vec<_>>();
            let meant = no_breaks(parameters);
            assert_eq!(sent, percent_decode_str(&meant).collect::<Vec<_>>());
        }
        Ok(None) => {}
        Err(sentence) => assert!(!sentence.contains(char::is_control), "{sentence:?}"),
    }
}

/// A QR code leads to the page that is asked for it.
fn check_address(headers: &HeaderMap, host: &str, address: &str) {
    let Ok(uri) = format!("/page/qr.svg?{address}").parse::<Uri>() else {
        return;
    };
    let query = uri.query().unwrap_or_default().to_owned();
    if form_urlencoded::parse(query.as_bytes()).any(|(address, _)| is_asserted(&address)) {
        return;
    }
    if run(qr(uri, headers.clone())).expect("it ends").is_ok() {
        let address = form_urlencoded::parse(query.as_bytes())
            .next()
            .expect("there is one")
            .0;
        let url = Url::parse(&address).expect("a browser reads it");
        assert!(matches!(url.scheme(), "http" | "https"));
        let asked = Url::parse(&format!("{}://{host}", url.scheme())).expect("so is the host");
        assert_eq!((url.host(), url.port()), (asked.host(), asked.port()));
    }
}
