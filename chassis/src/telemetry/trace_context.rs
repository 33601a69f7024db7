//! W3C Trace Context: the header `traceparent`, by which a caller says which trace its request belongs to.
//! <https://www.w3.org/TR/trace-context-2/>

use std::fmt;

use hyper::{HeaderMap, header::HeaderName};

pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The flags that level 2 knows: sampled, and that the trace id is random. Others must not be passed on.
const KNOWN_FLAGS: u8 = 0b11;

/// A place in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// Of the whole trace; not 0.
    pub trace_id: u128,
    /// Of a part of it, such as a request; not 0. In the header of a request it is its caller's.
    pub span_id: u64,
    /// Those that are known.
    pub flags: u8,
}

impl TraceContext {
    /// The value of a `traceparent`. `None` if it isn't valid, and so has to be ignored. Of a version that
    /// isn't known yet the beginning is read, as the specification has it.
    pub fn parse(traceparent: &[u8]) -> Option<Self> {
        let (fields, rest) = traceparent.split_first_chunk::<55>()?;
        let version = hex(&fields[..2])?;
        let separated = [2, 35, 52].into_iter().all(|place| fields[place] == b'-');
        let ends = rest.is_empty() || (version > 0 && rest[0] == b'-');
        if version == 0xff || !separated || !ends {
            return None;
        }
        let context = Self {
            trace_id: hex(&fields[3..35])?,
            span_id: hex(&fields[36..52])? as u64,
            flags: hex(&fields[53..])? as u8 & KNOWN_FLAGS,
        };
        (context.trace_id != 0 && context.span_id != 0).then_some(context)
    }

    /// What the headers say. Several of them count as none: which one is meant can't be known.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let value = values.next()?;
        match values.next() {
            Some(_) => None,
            None => Self::parse(value.as_bytes()),
        }
    }
}

/// A `traceparent` of version 00.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            trace_id,
            span_id,
            flags,
        } = self;
        write!(f, "00-{trace_id:032x}-{span_id:016x}-{flags:02x}")
    }
}

/// At most 32 digits; capital letters aren't allowed.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    fn parse(text: &str) -> Option<String> {
        TraceContext::parse(text.as_bytes()).map(|context| context.to_string())
    }

    #[test]
    fn a_valid_traceparent_is_read_and_written_as_it_was() {
        for flags in ["00", "01", "02", "03"] {
            let text = format!("00-{TRACE}-b7ad6b7169203331-{flags}");
            assert_eq!(parse(&text), Some(text));
        }
    }

    #[test]
    fn of_a_later_version_and_of_other_flags_what_is_known_is_passed_on() {
        let known = Some(format!("00-{TRACE}-b7ad6b7169203331-01"));
        for (version, end) in [
            ("00", "fd"),
            ("01", "01"),
            ("cc", "09-what-the-future-will-be"),
            ("cc", "01-"),
        ] {
            assert_eq!(
                parse(&format!("{version}-{TRACE}-b7ad6b7169203331-{end}")),
                known,
                "{version} {end}"
            );
        }
    }

    #[test]
    fn an_invalid_traceparent_is_none() {
        let zeros = "0".repeat(32);
        for text in [
            String::new(),
            format!("ff-{TRACE}-b7ad6b7169203331-01"),
            format!("00-{zeros}-b7ad6b7169203331-01"),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{}-b7ad6b7169203331-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-b7ad6b7169203331-1"),
            format!("00-{TRACE}-b7ad6b7169203331-0x"),
            format!("00-{TRACE}-b7ad6b7169203331-01-"),
            format!("00-{TRACE}-b7ad6b7169203331-01-more"),
            format!("01-{TRACE}-b7ad6b7169203331-01.more"),
            format!("00_{TRACE}-b7ad6b7169203331-01"),
            format!("00-{TRACE}-b7ad6b716920333-101"),
            format!("00-{TRACE}-b7ad6b716920333é-01"),
            format!(" 00-{TRACE}-b7ad6b7169203331-01"),
        ] {
            assert_eq!(parse(&text), None, "{text}");
        }
    }
}
