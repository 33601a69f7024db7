//! `grpc.health.v1.Health` over h2c on the same port, for gRPC probes: Check and Watch. The services
//! are called `liveness`, `readiness` and `startup`; the one without a name is `readiness`. They
//! follow the same life and the same fault switches as the probes over HTTP.
//!
//! The protocol: <https://github.com/grpc/grpc/blob/master/doc/health-checking.md>. Two messages of one
//! field each are written by hand, since a gRPC stack would make each image a tenth of a megabyte larger.
//! `reflection` tells clients of them.

mod reflection;
mod stream;
mod watch;
mod wire;

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};

pub(super) use self::reflection::reflect;
use self::{
    watch::Watching,
    wire::{Code, Failure, ServingStatus, Unary},
};
use super::{
    layers::{
        faults::{FAULT, NO_ANSWER, ProbeMet, probe},
        mirror::{Asked, GrpcOutcome},
    },
    refusal::Refusal,
};
use crate::{
    faults::{Faults, Name},
    lifecycle::Life,
    server::Peer,
};

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// What the handlers share.
#[derive(Clone, Debug)]
pub(super) struct Health {
    pub(super) life: Life,
    pub(super) faults: Faults,
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    Liveness,
    Readiness,
    Startup,
}

impl Service {
    fn named(name: &str) -> Option<Self> {
        match name {
            "liveness" => Some(Self::Liveness),
            "" | "readiness" => Some(Self::Readiness),
            "startup" => Some(Self::Startup),
            _ => None,
        }
    }

    fn switch(self) -> Name {
        match self {
            Self::Liveness => Name::Liveness,
            Self::Readiness => Name::Readiness,
            Self::Startup => Name::Startup,
        }
    }
}

impl Health {
    /// What its probe over HTTP would say, fault switches aside.
    fn is_serving(&self, service: Service) -> ServingStatus {
        let is_serving = match service {
            Service::Liveness => true,
            Service::Readiness => self.life.readiness().is_ok(),
            Service::Startup => self.life.startup().is_ok(),
        };
        if is_serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        }
    }
}

/// One question, one answer.
pub(super) async fn check(State(health): State<Health>, request: Request) -> Response {
    let peer = peer_of(&request);
    let service = match read(request).await {
        Ok(Some(service)) => service,
        Ok(None) => {
            let sentence =
                "there are the services liveness, readiness and startup, and one without a name";
            return Failure::new(Code::NotFound, sentence).into_response();
        }
        Err(refused) => return refused,
    };
    let met = probe(&health.faults, service.switch(), &peer).await;
    let serving = match met {
        ProbeMet::Reset => return no_answer(),
        ProbeMet::Failed => ServingStatus::NotServing,
        ProbeMet::Delayed | ProbeMet::Nothing => health.is_serving(service),
    };
    answer(Body::new(Unary::new(serving)), serving, met, service)
}

/// The answer to the same question, and again whenever it changes, until the client leaves or the
/// service stops.
pub(super) async fn watch(State(health): State<Health>, request: Request) -> Response {
    let peer = peer_of(&request);
    let service = match read(request).await {
        Ok(service) => service,
        Err(refused) => return refused,
    };
    let met = match service {
        // A stream is no request that a count could be of: it follows the switch for as long as it is set.
        Some(service) if !health.faults.is_failing(service.switch()) => {
            probe(&health.faults, service.switch(), &peer).await
        }
        _ => ProbeMet::Nothing,
    };
    if met == ProbeMet::Reset {
        return no_answer();
    }
    let watching = Watching::new(health, service);
    let first = watching.status();
    let service = service.unwrap_or(Service::Readiness);
    answer(Body::new(watching.into_body()), first, met, service)
}

/// None for a service that there isn't.
async fn read(request: Request) -> Result<Option<Service>, Response> {
    let asked = request.extensions().get::<Asked>().cloned();
    check_protocol(&request).map_err(IntoResponse::into_response)?;
    let name = wire::read_service(request.into_body()).await;
    let service = Service::named(&name.map_err(IntoResponse::into_response)?);
    if let (Some(asked), Some(service)) = (asked, service) {
        asked.is_for(service.switch().as_str());
    }
    Ok(service)
}

fn check_protocol(request: &Request) -> Result<(), Refusal> {
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

fn peer_of(request: &Request) -> Peer {
    request.extensions().get().cloned().unwrap_or(Peer::none())
}

fn answer(body: Body, serving: ServingStatus, met: ProbeMet, service: Service) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, GRPC);
    if met != ProbeMet::Nothing {
        headers.insert(FAULT, HeaderValue::from_static(service.switch().as_str()));
    }
    let outcome = match serving {
        ServingStatus::Serving => StatusCode::OK,
        ServingStatus::NotServing => StatusCode::SERVICE_UNAVAILABLE,
        ServingStatus::ServiceUnknown => StatusCode::NOT_FOUND,
    };
    response
        .extensions_mut()
        .insert(GrpcOutcome(outcome.as_u16()));
    response
}

/// What is handed to a connection that is gone.
fn no_answer() -> Response {
    let status = StatusCode::from_u16(NO_ANSWER).expect("it is a status");
    status.into_response()
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
fn trailers(code: Code) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(GRPC_STATUS, code.header());
    trailers
}

fn data(serving: ServingStatus) -> Bytes {
    Bytes::copy_from_slice(&serving.message())
}
