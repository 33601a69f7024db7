//! `grpc.reflection.v1.ServerReflection`: tells a client such as grpcurl which service there is and what
//! its messages are, so that it needs no `.proto` file. `v1alpha`, which older clients ask for, has the
//! same messages. <https://github.com/grpc/grpc/blob/master/doc/server-reflection.md>
//!
//! Left out: what the health service doesn't have, such as extensions; and the reflection service itself.

use std::{future::poll_fn, pin::Pin};

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use hyper::body::{Body as _, Frame};
use tokio::time::{Instant, timeout_at};

use super::{
    protocol::{Code, Failure, GRPC, check_protocol, trailers},
    wire::{self, field, framed, number, text},
};
use crate::{
    http::{BODY_TIMEOUT, streamed},
    lifecycle::Life,
};

const SERVICE: &str = "grpc.health.v1.Health";
const FILE: &str = "grpc/health/v1/health.proto";

/// What the file declares.
const SYMBOLS: [&str; 6] = [
    SERVICE,
    "grpc.health.v1.Health.Check",
    "grpc.health.v1.Health.Watch",
    "grpc.health.v1.HealthCheckRequest",
    "grpc.health.v1.HealthCheckResponse",
    "grpc.health.v1.HealthCheckResponse.ServingStatus",
];

/// Each question of a stream has its answer before the next one comes.
pub(in crate::endpoints) async fn reflect(State(life): State<Life>, request: Request) -> Response {
    if let Err(refusal) = check_protocol(&request) {
        return refusal.into_response();
    }
    let answers = Answers {
        questions: request.into_body(),
        unread: Vec::new(),
        life,
        ended: false,
    };
    ([(CONTENT_TYPE, GRPC)], streamed(answers, Answers::next)).into_response()
}

struct Answers {
    questions: Body,
    /// What has come of the next question.
    unread: Vec<u8>,
    life: Life,
    ended: bool,
}

impl Answers {
    /// The answer to the next question, or the end of the stream.
    async fn next(mut self) -> Option<(Frame<Bytes>, Self)> {
        if self.ended {
            return None;
        }
        let frame = match self.question().await {
            Ok(Some(question)) => Frame::data(framed(&answer(&question))),
            Ok(None) => {
                self.ended = true;
                Frame::trailers(trailers(Code::Ok))
            }
            Err(failure) => {
                self.ended = true;
                Frame::trailers(trailers(failure.code))
            }
        };
        Some((frame, self))
    }

    /// The next question. `None` after the last.
    async fn question(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let deadline = Instant::now() + BODY_TIMEOUT;
        loop {
            if let Some(question) = wire::take_message(&mut self.unread)? {
                return Ok(Some(question));
            }
            let frame = poll_fn(|cx| Pin::new(&mut self.questions).poll_frame(cx));
            let more = tokio::select! {
                more = timeout_at(deadline, frame) => more,
                // No observer may hold up a stop.
                _ = self.life.stop_requested() => {
                    return Err(Failure::new(Code::Unavailable, "stopping"));
                }
            };
            match more {
                Ok(Some(Ok(frame))) => {
                    let data = frame.data_ref().map(AsRef::as_ref);
                    self.unread.extend_from_slice(data.unwrap_or_default());
                }
                Ok(Some(Err(_))) => {
                    return Err(Failure::new(Code::Internal, "the request broke off"));
                }
                Ok(None) if self.unread.is_empty() => return Ok(None),
                Ok(None) => {
                    return Err(Failure::new(Code::Internal, "the last message isn't whole"));
                }
                Err(_) => {
                    let sentence = "the next message did not come in time";
                    return Err(Failure::new(Code::DeadlineExceeded, sentence));
                }
            }
        }
    }
}

/// A `ServerReflectionResponse` to a `ServerReflectionRequest`, which it repeats.
pub(super) fn answer(question: &[u8]) -> Vec<u8> {
    // The last of those that exclude each other counts.
    let asked = wire::fields(question).and_then(|fields| {
        let mut fields = fields.into_iter().rev();
        fields.find(|(field, ..)| (3..=7).contains(field))
    });
    let is_one_of = |symbols: &[&str], name: &[u8]| symbols.iter().any(|s| s.as_bytes() == name);
    let answer = match asked {
        Some((3, 2, name)) if is_one_of(&[FILE], name) => field(4, &field(1, &file())),
        Some((4, 2, name)) if is_one_of(&SYMBOLS, name) => field(4, &field(1, &file())),
        Some((7, ..)) => field(6, &field(1, &text(1, SERVICE))),
        _ => {
            let not_found = [
                number(1, Code::NotFound as u8),
                text(2, "there is no such thing"),
            ];
            field(7, &not_found.concat())
        }
    };
    [field(2, question), answer].concat()
}

/// The `FileDescriptorProto` of the part of the health service that there is.
/// <https://github.com/protocolbuffers/protobuf/blob/main/src/google/protobuf/descriptor.proto>
fn file() -> Vec<u8> {
    const OPTIONAL: u8 = 1;
    const STRING: u8 = 9;
    const ENUM: u8 = 14;
    let member = |name: &str, kind: u8, type_name: &[u8]| {
        let [number, label, kind] = [number(3, 1), number(4, OPTIONAL), number(5, kind)];
        let parts = [
            text(1, name),
            number,
            label,
            kind,
            type_name.to_vec(),
            text(10, name),
        ];
        field(2, &parts.concat())
    };
    let request = [
        text(1, "HealthCheckRequest"),
        member("service", STRING, &[]),
    ];
    let statuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
    let statuses = statuses
        .iter()
        .zip(0..)
        .flat_map(|(name, status)| field(2, &[text(1, name), number(2, status)].concat()));
    let serving_status = [text(1, "ServingStatus"), statuses.collect()];
    let of_status = text(6, ".grpc.health.v1.HealthCheckResponse.ServingStatus");
    let response = [
        text(1, "HealthCheckResponse"),
        member("status", ENUM, &of_status),
        field(4, &serving_status.concat()),
    ];
    let method = |name: &str| {
        let [input, output] = [
            text(2, ".grpc.health.v1.HealthCheckRequest"),
            text(3, ".grpc.health.v1.HealthCheckResponse"),
        ];
        [text(1, name), input, output].concat()
    };
    let streams_its_answer = number(6, 1);
    let service = [
        text(1, "Health"),
        field(2, &method("Check")),
        field(2, &[method("Watch"), streams_its_answer].concat()),
    ];
    [
        text(1, FILE),
        text(2, "grpc.health.v1"),
        field(4, &request.concat()),
        field(4, &response.concat()),
        field(6, &service.concat()),
        text(12, "proto3"),
    ]
    .concat()
}
