//! Readers of single values, each with the sentence that says what is allowed. Numbers have bounds
//! here, where they are read, so that no arithmetic on them can overflow later.

use std::{
    convert::Infallible,
    ffi::OsStr,
    fmt::Display,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
    str::FromStr,
    time::Duration,
};

use clap::{Arg, Command, Error, builder::TypedValueParser};
use hyper::Uri;

use super::host::is_host_and_port;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A year: longer than anything here takes, and short enough to be added to any clock.
const LONGEST: Duration = DAY.saturating_mul(365);

/// How a setting is read: `value_parser = Reader(function)`. clap takes the function itself too, but has
/// a kilobyte of code for each one; here that is there once.
#[derive(Clone, Copy, Debug)]
pub struct Reader<F>(pub F);

impl<T, F> TypedValueParser for Reader<F>
where
    F: Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    type Value = T;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        let Some(text) = value.to_str() else {
            return Err(refused(command, arg, value, String::new()));
        };
        (self.0)(text).map_err(|why| refused(command, arg, value, why))
    }
}

/// clap's own error for a value that a function refuses, or that is no UTF-8.
#[cold]
fn refused(command: &Command, arg: Option<&Arg>, value: &OsStr, why: String) -> Error {
    let refuses = move |_: &str| Err::<Infallible, _>(why.clone());
    match refuses.parse_ref(command, arg, value) {
        Err(error) => error,
        Ok(never) => match never {},
    }
}

/// A length of time from 0 to a year, written as `1m30s` or `500ms`; a bare `0` too.
///
/// # Errors
/// A sentence that says what is allowed.
pub fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        Ok(_) => Err("it must be at most a year, 365days".to_owned()),
        Err(_) => Err("a length of time is written as 1m30s or 500ms".to_owned()),
    }
}

/// As [`duration`], but not 0.
///
/// # Errors
/// A sentence that says what is allowed.
pub fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it must be longer than 0s".to_owned()),
        duration => Ok(duration),
    }
}

/// As [`duration`] reads it. The largest unit is a day: humantime's own month has 30.44 of them.
pub fn written(time: Duration) -> String {
    let days = time.as_secs() / DAY.as_secs();
    let rest = Duration::new(time.as_secs() % DAY.as_secs(), time.subsec_nanos());
    match (days, rest) {
        (0, rest) => humantime::format_duration(rest).to_string(),
        (days, Duration::ZERO) => format!("{days}d"),
        (days, rest) => format!("{days}d {}", humantime::format_duration(rest)),
    }
}

/// Reads a whole number within these bounds; its errors say what they are.
pub fn whole_number<N>(
    allowed: RangeInclusive<N>,
) -> impl Fn(&str) -> Result<N, String> + Clone + Send + Sync + 'static
where
    N: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| match text.parse() {
        Ok(number) if allowed.contains(&number) => Ok(number),
        _ => {
            let (least, most) = (allowed.start(), allowed.end());
            Err(format!("it is a whole number from {least} to {most}"))
        }
    }
}

/// An address and port to listen at. Names are for clients.
///
/// # Errors
/// A sentence that says what is allowed.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let allowed = "an address to listen at is written as [::]:5000 or 127.0.0.1:5000";
    text.parse().map_err(|_| allowed.to_owned())
}

/// An IPv4 or IPv6 address, without a zone.
///
/// # Errors
/// A sentence that says what is allowed.
pub fn ip_address(text: &str) -> Result<IpAddr, String> {
    let allowed = "an IP address is written as 10.244.36.66 or fd00::7";
    text.parse().map_err(|_| allowed.to_owned())
}

/// Both addresses of `localhost`: an image from scratch may have no /etc/hosts, and some resolvers know
/// only one of them.
pub fn localhost(port: u16) -> [SocketAddr; 2] {
    [
        SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port),
        SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port),
    ]
}

/// A URL in clear text, as everything inside a pod is. It has no user and password: nothing here asks
/// for them, and a URL that can't be reached is shown to clients and in the log.
///
/// # Errors
/// A sentence that says what is allowed.
pub fn http_url(text: &str) -> Result<Uri, String> {
    let is_one = |url: &Uri| {
        url.scheme_str() == Some("http") && url.authority().is_some_and(is_host_and_port)
    };
    let url = text.parse::<Uri>().ok().filter(is_one);
    // Of `http://host?query` the path is `/`, which is shown but isn't in what is sent.
    url.and_then(|url| url.to_string().parse().ok())
        .ok_or_else(|| "a URL is written as http://host:port/path".to_owned())
}

/// Where a URL that [`http_url`] has read leads: its host, without the brackets of an IPv6 address, which no
/// look-up knows, and its port.
pub fn host_and_port(url: &Uri, default_port: u16) -> (&str, u16) {
    let authority = url.authority().expect("http_url saw to it");
    let host = authority.host().trim_matches(['[', ']']);
    (host, authority.port_u16().unwrap_or(default_port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_with_their_unit_and_are_at_most_a_year() {
        for (text, expected) in [
            ("1m30s", Duration::from_secs(90)),
            ("500ms", Duration::from_millis(500)),
            ("0", Duration::ZERO),
            ("365days", LONGEST),
        ] {
            assert_eq!(duration(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "5",
            "-1s",
            "soon",
            "1e3s",
            "366days",
            "18446744073709551615s",
            "99999999999999999999s",
        ] {
            assert!(duration(text).is_err(), "'{text}' is rejected");
        }
        assert_eq!(
            positive_duration("0s"),
            Err("it must be longer than 0s".to_owned())
        );
    }

    #[test]
    fn durations_are_shown_as_they_are_written() {
        for text in [
            "0s",
            "1m 30s",
            "500ms",
            "23h 59m",
            "1d",
            "40d 1h 2ms",
            "365d",
        ] {
            assert_eq!(written(duration(text).unwrap()), text);
        }
    }

    #[test]
    fn a_urls_host_has_no_brackets_and_its_port_has_a_default() {
        for (url, expected) in [
            ("http://localhost:5000/livez", ("localhost", 5000)),
            ("http://[fd00::7]", ("fd00::7", 80)),
            ("http://[::1]:5001/", ("::1", 5001)),
        ] {
            assert_eq!(
                host_and_port(&http_url(url).unwrap(), 80),
                expected,
                "{url}"
            );
        }
    }

    #[test]
    fn a_url_has_a_path_even_if_a_query_follows_its_host() {
        for (url, expected) in [
            ("http://x", "/"),
            ("http://x?a=b", "/?a=b"),
            ("http://x:80?", "/?"),
            ("http://[::1]/y?a=b", "/y?a=b"),
        ] {
            let parsed = http_url(url).unwrap();
            assert_eq!(parsed.path_and_query().unwrap(), expected, "{url}");
        }
    }

    #[test]
    fn a_url_names_a_host_and_perhaps_a_port() {
        for text in [
            "http://localhost:5000/livez",
            "http://[::1]:5000",
            "http://x/?a=b:c",
            "http://80:80/",
        ] {
            assert!(http_url(text).is_ok(), "{text}");
        }
        for text in [
            "localhost:5000",
            "https://x/",
            "http://x:99999/",
            "http://x:/",
            "http://:80/",
            "http://user:secret@x/",
            "http://user@x:80/",
            "http://x[]y/",
            "http://[x]:80/",
            "http://[::1]x:80/",
            "http://x:5[::1]:80/",
            "http://x:+80/",
            "http://x,y/",
            "/x",
            // The longest that the crate http takes, without the slash.
            &format!("http://x?{:065525}", 0),
        ] {
            assert!(http_url(text).is_err(), "{text}");
        }
    }
}
