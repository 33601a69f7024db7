//! The handlers of `grpc.health.v1.Health`.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use hyper::body::Frame;

use super::{
    message::{ServingStatus, read_service},
    protocol::{Code, Failure, GRPC, check_protocol, trailers},
    service::{Health, Service},
    watch::Watching,
};
use crate::{
    http::{AskedService, FAULT, GrpcOutcome, NO_ANSWER, ProbeFault, inject_into_probe, streamed},
    server::Peer,
};

/// One question, one answer.
pub(in crate::endpoints) async fn check(
    State(health): State<Health>,
    request: Request,
) -> Response {
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
    let fault = inject_into_probe(&health.faults, service.switch(), &peer).await;
    let serving = match fault {
        ProbeFault::Reset => return no_answer(),
        ProbeFault::Failing => ServingStatus::NotServing,
        ProbeFault::Delayed | ProbeFault::None => health.is_serving(service),
    };
    let parts = [
        Frame::data(serving.message()),
        Frame::trailers(trailers(Code::Ok)),
    ];
    let body = streamed(parts.into_iter(), |mut parts| async {
        Some((parts.next()?, parts))
    });
    answer(body, serving, fault, service)
}

/// The answer to the same question, and again whenever it changes, until the client leaves or the
/// service stops.
pub(in crate::endpoints) async fn watch(
    State(health): State<Health>,
    request: Request,
) -> Response {
    let peer = peer_of(&request);
    let service = match read(request).await {
        Ok(service) => service,
        Err(refused) => return refused,
    };
    let fault = match service {
        // A stream is no request that a count could be of: it follows the switch for as long as it is set.
        Some(service) if !health.faults.is_failing(service.switch()) => {
            inject_into_probe(&health.faults, service.switch(), &peer).await
        }
        _ => ProbeFault::None,
    };
    if fault == ProbeFault::Reset {
        return no_answer();
    }
    let watching = Watching::new(health, service);
    let first = watching.status();
    let service = service.unwrap_or(Service::Readiness);
    answer(streamed(watching, Watching::next), first, fault, service)
}

/// `None` if there is no such service.
async fn read(request: Request) -> Result<Option<Service>, Response> {
    let asked = request.extensions().get::<AskedService>().cloned();
    check_protocol(&request).map_err(IntoResponse::into_response)?;
    let name = read_service(request.into_body()).await;
    let service = Service::named(&name.map_err(IntoResponse::into_response)?);
    if let (Some(asked), Some(service)) = (asked, service) {
        asked.set(service.switch().as_str());
    }
    Ok(service)
}

fn peer_of(request: &Request) -> Peer {
    request.extensions().get().cloned().unwrap_or(Peer::none())
}

fn answer(body: Body, serving: ServingStatus, fault: ProbeFault, service: Service) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, GRPC);
    if fault != ProbeFault::None {
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
