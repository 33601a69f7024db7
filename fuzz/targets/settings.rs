//! The values of settings and of URLs: what is read is within its bounds, and is read again as it is printed; what
//! is sent to a URL, others read as it was meant.

#![no_main]

use std::{fmt::Debug, net::IpAddr, sync::LazyLock, time::Duration};

use axum::http::{HeaderValue, Request, header::HOST, uri::Authority};
use chassis::{
    Chassis,
    config::{
        Build, defaults, duration, host_and_port, http_url, ip_address, listen_address,
        positive_duration, whole_number, written,
    },
    fuzz::{is_host_said, log_targets},
};
use hyper::Uri;
use libfuzzer_sys::fuzz_target;
use oneapi::fuzz::{headroom, minutes};
use twoapi::{
    fuzz::{base_path, host_header, host_name, name_or_ip, rate, timeout},
    page::Ports,
};

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

fuzz_target!(|text: &str| {
    let by_others = humantime::parse_duration(text).ok();
    let read = said(duration(text));
    assert_eq!(read, by_others.filter(|time| *time <= YEAR));
    assert_eq!(
        said(positive_duration(text)),
        read.filter(|time| !time.is_zero())
    );
    let day = Duration::from_secs(24 * 60 * 60);
    assert_eq!(
        said(timeout(text)),
        read.filter(|time| *time >= Duration::from_millis(1) && *time <= day)
    );
    if let Some(time) = read {
        assert_eq!(duration(&written(time)), Ok(time));
    }

    if let Some(number) = said(whole_number(1..=u16::MAX)(text)) {
        assert!(number > 0 && text.trim_start_matches(['+', '0']) == number.to_string());
    }
    if let Some(rate) = said(rate(text)) {
        assert!((0.001..=1e6).contains(&rate));
        assert_eq!(self::rate(&rate.to_string()), Ok(rate));
    }
    if let Some(minutes) = said(minutes(text)) {
        let time = Duration::from_secs_f64(minutes * 60.0);
        assert!(minutes > 0.0 && time <= YEAR);
        assert_eq!(self::minutes(&minutes.to_string()), Ok(minutes));
    }
    if let Some(percent) = said(headroom(text)) {
        assert!((0.0..=90.0).contains(&percent));
        assert_eq!(headroom(&format!("{percent}%")), Ok(percent));
    }
    if let Some(targets) = said(log_targets(text)) {
        // They also know the highest level of all, with those that later ones have replaced.
        let printed = targets.to_string();
        let again = log_targets(&printed).map(|again| again.to_string());
        assert_eq!(again, Ok(printed));
    }
    if let Some(ip) = said(ip_address(text)) {
        assert_eq!(ip_address(&ip.to_string()), Ok(ip));
    }
    if let Some(address) = said(listen_address(text)) {
        assert_eq!(listen_address(&address.to_string()), Ok(address));
    }
    if let Ok(ports) = text.parse::<Ports>() {
        assert!(ports.oneapi > 0 && ports.twoapi > 0);
        assert_eq!(
            format!("{},{}", ports.oneapi, ports.twoapi).parse(),
            Ok(ports)
        );
    }

    for name in [said(name_or_ip(text)), said(host_name(text))]
        .into_iter()
        .flatten()
    {
        let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
        assert!(
            name.parse::<IpAddr>().is_ok() || name.chars().all(is_plain),
            "{name}"
        );
    }
    if let Some(name) = said(host_name(text)) {
        assert_eq!(host_name(&name).as_ref(), Ok(&name));
        assert_eq!(name, name.to_ascii_lowercase());
    }
    if let Some(host) = said(host_header(text)) {
        assert!(is_taken(&host), "a service takes it");
        let url = Uri::from_static("http://localhost/");
        check_requests(&url, &host);
    }

    if let Some(url) = said(http_url(text)) {
        assert_eq!(http_url(&url.to_string()), Ok(url.clone()));
        let (host, _) = host_and_port(&url, 80);
        assert!(
            !host.is_empty() && !host.contains(['[', ']', '@', '/', ' ']),
            "{host}"
        );
        let authority = url.authority().map_or("", Authority::as_str);
        let authority = HeaderValue::from_str(authority).expect("it can be sent");
        assert!(is_taken(&authority), "a service takes it");
        check_requests(&url, &authority);
    }
    if let Some(url) = said(twoapi::fuzz::http_url(text)) {
        assert_eq!(twoapi::fuzz::http_url(url.as_str()), Ok(url));
        assert!(http_url(text).is_ok());
    }
    check_base_path(text);
});

/// What is refused, is refused in a sentence that can be printed.
fn said<T: Debug>(read: Result<T, String>) -> Option<T> {
    match read {
        Ok(value) => Some(value),
        Err(sentence) => {
            assert!(!sentence.contains(char::is_control), "{sentence:?}");
            None
        }
    }
}

fn is_taken(host: &HeaderValue) -> bool {
    let request = Request::builder().header(HOST, host).body(());
    is_host_said(&request.expect("it is one"))
}

/// The requests of a load are one request each, whatever is asked for.
fn check_requests(url: &Uri, host: &HeaderValue) {
    for (request, headers) in load::fuzz::requests(url, host.as_bytes()).iter().zip(1..) {
        let mut found = [httparse::EMPTY_HEADER; 3];
        let mut parsed = httparse::Request::new(&mut found);
        let length = parsed.parse(request).expect("others read it").unwrap();
        assert_eq!(length, request.len(), "it is one");
        assert_eq!(parsed.method, Some("GET"));
        assert_eq!(parsed.headers.len(), headers);
        assert_eq!(parsed.headers[0].value, host.as_bytes());
        let sent: Uri = parsed
            .path
            .and_then(|path| path.parse().ok())
            .expect("it is a path");
        assert_eq!(sent.query(), url.query());
        assert_eq!(
            sent.path(),
            if url.path().is_empty() {
                "/"
            } else {
                url.path()
            }
        );
    }
}

/// A path below which the page is served takes none that is there.
fn check_base_path(text: &str) {
    static TEMPLATES: LazyLock<Vec<&str>> = LazyLock::new(|| {
        let chassis = Chassis::new(Build::new("twoapi", "1.0", None, None), defaults());
        let app = chassis.app(twoapi::routes(&chassis, &defaults()));
        app.templates().collect()
    });
    // An empty one stands for none.
    if let Some(base) = said(base_path(text)).filter(|base| !base.is_empty()) {
        let mut router = matchit::Router::new();
        let of_page = TEMPLATES
            .iter()
            .filter(|path| **path == "/" || path.starts_with("/page/"));
        let below = of_page.map(|path| format!("{base}{path}"));
        let all = TEMPLATES
            .iter()
            .map(|path| (*path).to_owned())
            .chain(below)
            .chain([base.clone()]);
        for path in all {
            router.insert(path, ()).expect("it isn't there yet");
        }
    }
}
