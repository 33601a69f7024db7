//! How gRPC frames a message, and how protobuf writes the two of the health service.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>,
//! <https://protobuf.dev/programming-guides/encoding/>

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, StatusCode},
};
use hyper::body::Frame;

use super::{data, trailers};
use crate::http::request_body::{self, Unread};

/// In front of a message: whether it is compressed, and four bytes of length.
const PREFIX: usize = 5;

/// Far more than the name of any service here.
const MAX_MESSAGE: usize = 1024;

/// `HealthCheckResponse.ServingStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServingStatus {
    Serving = 1,
    NotServing = 2,
    ServiceUnknown = 3,
}

impl ServingStatus {
    /// A `HealthCheckResponse` with its prefix: field 1 is the status, a number.
    pub(super) fn message(self) -> [u8; PREFIX + 2] {
        [0, 0, 0, 0, 2, 1 << 3, self as u8]
    }
}

/// The codes that are answered. <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Ok = 0,
    DeadlineExceeded = 4,
    NotFound = 5,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
}

impl Code {
    pub(super) fn header(self) -> HeaderValue {
        HeaderValue::from(self as u16)
    }

    /// The status of HTTP that stands for it in the mirror.
    /// <https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto>
    pub(super) fn http(self) -> StatusCode {
        match self {
            Self::Ok => StatusCode::OK,
            Self::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Self::Unimplemented => StatusCode::NOT_IMPLEMENTED,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// A call that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) code: Code,
    /// ASCII without a percent sign, which is how it has to be sent.
    pub(super) sentence: &'static str,
}

impl Failure {
    pub(super) fn new(code: Code, sentence: &'static str) -> Self {
        Self { code, sentence }
    }
}

const TOO_LONG: Failure = Failure {
    code: Code::ResourceExhausted,
    sentence: "a message can't be longer than 1024 bytes",
};

/// Reads a request's only message, a `HealthCheckRequest`, to its end.
pub(super) async fn read_service(body: Body) -> Result<String, Failure> {
    let mut bytes = match request_body::read(body, PREFIX + MAX_MESSAGE).await {
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

/// Takes the first message off what has come of a stream; none as long as it isn't whole.
pub(super) fn take_message(bytes: &mut Vec<u8>) -> Result<Option<Vec<u8>>, Failure> {
    let Some(([compressed, length @ ..], rest)) = bytes.split_first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    if *compressed != 0 {
        let sentence = "compressed messages are not understood";
        return Err(Failure::new(Code::Unimplemented, sentence));
    }
    let length = u32::from_be_bytes(*length) as usize;
    if length > MAX_MESSAGE {
        return Err(TOO_LONG);
    }
    let Some(message) = rest.get(..length).map(<[u8]>::to_vec) else {
        return Ok(None);
    };
    bytes.drain(..PREFIX + length);
    Ok(Some(message))
}

/// Field 1 of a `HealthCheckRequest`: the service's name. Other fields are passed over, as those of a
/// later version have to be.
fn service(message: &[u8]) -> Option<String> {
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

/// The fields of a message with their wire types; the contents are empty for numbers.
pub(super) fn fields(mut message: &[u8]) -> Option<Vec<(u64, u64, &[u8])>> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let (field, wire_type) = (tag >> 3, tag & 7);
        if field == 0 {
            return None;
        }
        let content = match wire_type {
            0 => {
                varint(&mut message)?;
                &[]
            }
            1 => take(&mut message, 8)?,
            2 => {
                let length = varint(&mut message)?;
                take(&mut message, usize::try_from(length).ok()?)?
            }
            5 => take(&mut message, 4)?,
            _ => return None,
        };
        fields.push((field, wire_type, content));
    }
    Some(fields)
}

fn take<'a>(message: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = message.split_at_checked(length)?;
    *message = rest;
    Some(taken)
}

/// Seven bits a byte, the lowest first; the eighth says whether there is more.
fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(message, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// One message, and the trailers that say that all is well.
pub(super) struct Unary {
    message: Option<ServingStatus>,
    ended: bool,
}

impl Unary {
    pub(super) fn new(message: ServingStatus) -> Self {
        Self {
            message: Some(message),
            ended: false,
        }
    }
}

impl hyper::body::Body for Unary {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = match self.message.take() {
            Some(serving) => Some(Frame::data(data(serving))),
            None if self.ended => None,
            None => {
                self.ended = true;
                Some(Frame::trailers(trailers(Code::Ok)))
            }
        };
        Poll::Ready(frame.map(Ok))
    }
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
        ] {
            assert_eq!(service(message).as_deref(), expected, "{message:?}");
        }
    }
}
