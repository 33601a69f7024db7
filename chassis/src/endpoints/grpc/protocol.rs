//! What gRPC wants of a request and of the end of an answer.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};

use crate::http::{GrpcOutcome, Refusal};

pub(super) const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

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
    fn header(self) -> HeaderValue {
        HeaderValue::from(self as u16)
    }

    /// The status of HTTP that stands for it in the mirror.
    /// <https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto>
    fn http(self) -> StatusCode {
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
    sentence: &'static str,
}

impl Failure {
    pub(super) const fn new(code: Code, sentence: &'static str) -> Self {
        Self { code, sentence }
    }
}

impl IntoResponse for Failure {
    /// Everything is in the headers: gRPC calls that "Trailers-Only".
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, GRPC);
        headers.insert(GRPC_STATUS, self.code.header());
        headers.insert("grpc-message", HeaderValue::from_static(self.sentence));
        if self.code == Code::Unimplemented {
            let identity = HeaderValue::from_static("identity");
            headers.insert("grpc-accept-encoding", identity);
        }
        let outcome = GrpcOutcome(self.code.http().as_u16());
        response.extensions_mut().insert(outcome);
        response
    }
}

/// Trailers that end a stream.
pub(super) fn trailers(code: Code) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(GRPC_STATUS, code.header());
    trailers
}

pub(super) fn check_protocol(request: &Request) -> Result<(), Refusal> {
    let (status, sentence) = if request.version() != Version::HTTP_2 {
        let sentence = "gRPC needs HTTP/2, in clear text and from the first byte";
        (StatusCode::HTTP_VERSION_NOT_SUPPORTED, sentence)
    } else if !is_grpc(request.headers()) {
        let sentence = "content-type can't be that: it is application/grpc";
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence)
    } else {
        return Ok(());
    };
    Err(Refusal::new(status, sentence))
}

/// `application/grpc`, perhaps with a message format, which has to be protobuf's.
fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let Some(rest) = content_type.and_then(|value| value.strip_prefix("application/grpc")) else {
        return false;
    };
    let format = rest.split(';').next().unwrap_or_default().trim();
    matches!(format, "" | "+proto")
}
