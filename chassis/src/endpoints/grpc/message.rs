//! The two messages of the health service, `HealthCheckRequest` and `HealthCheckResponse`.

use axum::body::{Body, Bytes};

use super::{
    protocol::{Code, Failure},
    wire::{MAX_MESSAGE, PREFIX, TOO_LONG, fields, take_message},
};
use crate::http::{Unread, read_body};

/// `HealthCheckResponse.ServingStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServingStatus {
    Serving = 1,
    NotServing = 2,
    ServiceUnknown = 3,
}

impl ServingStatus {
    /// A `HealthCheckResponse` with its prefix: field 1 is the status, a number.
    pub(super) fn message(self) -> Bytes {
        let message: [u8; PREFIX + 2] = [0, 0, 0, 0, 2, 1 << 3, self as u8];
        Bytes::copy_from_slice(&message)
    }
}

/// Reads a request's only message, a `HealthCheckRequest`, to its end.
pub(super) async fn read_service(body: Body) -> Result<String, Failure> {
    let mut bytes = match read_body(body, PREFIX + MAX_MESSAGE).await {
        Ok(bytes) => Vec::from(bytes),
        Err(Unread::TooLong) => return Err(TOO_LONG),
        Err(Unread::TooSlow) => {
            let sentence = "the message did not come in time";
            return Err(Failure::new(Code::DeadlineExceeded, sentence));
        }
        Err(Unread::BrokenOff) => {
            return Err(Failure::new(Code::Internal, "the request broke off"));
        }
    };
    if bytes.len() < PREFIX {
        return Err(Failure::new(Code::Internal, "a message is missing"));
    }
    match take_message(&mut bytes)? {
        Some(message) if bytes.is_empty() => service(&message).ok_or(Failure::new(
            Code::Internal,
            "the message is not a HealthCheckRequest",
        )),
        _ => Err(Failure::new(
            Code::Internal,
            "a request is one whole message",
        )),
    }
}

/// Field 1 of a `HealthCheckRequest`: the service's name. Other fields are passed over, as those of a
/// later version have to be.
pub(super) fn service(message: &[u8]) -> Option<String> {
    let mut name = "";
    for (field, wire_type, content) in fields(message)? {
        if field == 1 {
            if wire_type != 2 {
                return None;
            }
            name = std::str::from_utf8(content).ok()?;
        }
    }
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_read_whatever_stands_round_it() {
        for (message, expected) in [
            (&b""[..], Some("")),
            (b"\x0a\x08liveness", Some("liveness")),
            (b"\x0a\x00", Some("")),
            (b"\x0a\x01a\x0a\x01b", Some("b")), // the last counts
            (b"\x10\x96\x01\x0a\x01a", Some("a")), // a number before it
            (b"\x19\0\0\0\0\0\0\0\0\x25\0\0\0\0", Some("")), // fixed lengths
            (b"\x0a\x09liveness", None),        // too short
            (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", None),
            (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", None),
            (b"\x0a\x02\xff\xfe", None), // not UTF-8
            (b"\x08\x01", None),         // a number in place of the name
            (b"\x02\x01a", None),        // there is no field 0
            (b"\x0b", None),             // groups are of long ago
            (b"\x80", None),
            (b"\xf8\xff\xff\xff\x1f\x00", None), // a field has 29 bits
            (b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", None), // a number has 64
            (b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", Some("")),
        ] {
            assert_eq!(service(message).as_deref(), expected, "{message:?}");
        }
    }
}
