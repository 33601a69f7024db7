//! The bounds of twoapi's own numbers on the command line and in the environment. Each is checked
//! where it is read, and refused with a sentence that says what is allowed; nothing behind it can
//! overflow a clock or an allocation. Lengths of time that may be a year are read by the chassis.

use std::{ops::RangeInclusive, time::Duration};

use axum::http::{HeaderValue, uri::Authority};
use chassis::config::{duration, is_host_and_port, whole_number};

/// How long a single request may take: from a timer's step to a day, far more than the longest burn by default.
const TIMEOUTS: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(24 * 60 * 60);

/// Requests per second. Below the least, two requests are further apart than a quarter of an hour;
/// the most is far beyond what one process can send.
const RATES: RangeInclusive<f64> = 0.001..=1_000_000.0;

/// Each connection is a task and a file descriptor.
const CONNECTIONS: RangeInclusive<u16> = 1..=4096;

/// Ten thousand cores: more than the pods of any one Service have.
pub(crate) const MILLICORES: RangeInclusive<u32> = 1..=10_000_000;

/// How long to wait for an answer.
pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    let timeout = Some(duration(text)?).filter(|timeout| TIMEOUTS.contains(timeout));
    timeout.ok_or_else(|| "it must be from 1ms to 24h".to_owned())
}

/// Requests per second.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| RATES.contains(rate));
    rate.ok_or_else(|| {
        let (least, most) = (RATES.start(), RATES.end());
        format!("it must be a number of requests per second from {least} to {most}")
    })
}

/// How many connections.
pub(crate) fn connections(text: &str) -> Result<u16, String> {
    whole_number(CONNECTIONS)(text)
}

/// The value of a header `Host`: a name or an address, and perhaps a port.
pub(crate) fn host_header(text: &str) -> Result<HeaderValue, String> {
    let authority = text.parse::<Authority>().ok();
    authority
        .filter(is_host_and_port)
        .and_then(|it| HeaderValue::from_str(it.as_str()).ok())
        .ok_or_else(|| "it is a name, such as shop.example.com, perhaps with a :port".to_owned())
}

/// Thousandths of a core.
pub(crate) fn millicores(text: &str) -> Result<u32, String> {
    whole_number(MILLICORES)(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_finite_and_bounded() {
        assert_eq!(rate("0.5"), Ok(0.5));
        assert_eq!(rate("1e6"), Ok(1_000_000.0));
        let allowed = "it must be a number of requests per second from 0.001 to 1000000";
        for text in ["0", "-1", "1e-300", "1e300", "inf", "NaN", "", "x"] {
            assert_eq!(rate(text), Err(allowed.to_owned()), "'{text}'");
        }
    }

    #[test]
    fn timeouts_are_bounded() {
        assert_eq!(timeout("24h"), Ok(Duration::from_secs(86_400)));
        assert_eq!(timeout("1ms"), Ok(Duration::from_millis(1)));
        for text in ["0s", "999us", "24h 1ns"] {
            assert_eq!(
                timeout(text),
                Err("it must be from 1ms to 24h".to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address_and_perhaps_a_port() {
        for text in ["shop.example.com", "shop:8080", "10.0.0.1", "[::1]:80"] {
            assert_eq!(host_header(text).unwrap(), text);
        }
        for text in [
            "",
            ":80",
            "a:",
            "a:x",
            "a:99999",
            "u@a",
            "a[]b",
            "[a]:80",
            "a,b",
            "a/b",
            "a b",
            "http://a",
            "a\r\nx: y",
        ] {
            assert!(host_header(text).is_err(), "'{text}'");
        }
    }

    #[test]
    fn whole_numbers_are_bounded() {
        assert_eq!(millicores("10000000"), Ok(10_000_000));
        for text in ["0", "-1", "0.5", "10000001", "4294967296"] {
            let allowed = "it is a whole number from 1 to 10000000";
            assert_eq!(millicores(text), Err(allowed.to_owned()), "{text}");
        }
        assert!(connections("4097").is_err() && connections("4096").is_ok());
    }
}
