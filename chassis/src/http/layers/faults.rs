//! Does to a request what the fault switches say, and says so in the header `fault` of its answer.
//! The mirror, the metrics, `/info` and the switches themselves are never touched. gRPC's probes are
//! met where their service is known.

use std::pin::Pin;

use axum::{
    body::Bytes,
    http::{HeaderName, HeaderValue, Response, StatusCode},
};

use crate::{
    faults::{Action, Faults, Name},
    http::{content::Content, mirror::Probe, refusal::Refusal, routes::Kind},
    server::Peer,
};

/// The header of an answer that a switch made, changed or delayed.
pub(in crate::http) const FAULT: HeaderName = HeaderName::from_static("fault");

/// For the mirror and the metrics: nginx's code for a connection that was closed without an answer.
pub(in crate::http) const NO_ANSWER: u16 = 444;

/// What switches have done to a request.
#[derive(Default)]
struct Met {
    by: Vec<Name>,
    /// In place of the handler's.
    answer: Option<Response<Content>>,
}

pub(in crate::http) async fn meet<F>(
    faults: &Faults,
    kind: Kind,
    peer: &Peer,
    handled: Pin<&mut F>,
) -> Result<Response<Content>, Refusal>
where
    F: Future<Output = Result<Response<Content>, Refusal>>,
{
    if !faults.concern_requests() {
        return handled.await;
    }
    // Boxed, so that a request that meets none doesn't take the memory for it.
    let met = match kind {
        Kind::Ordinary => Box::pin(ordinary(faults, peer)).await,
        Kind::Probe(probe) => Box::pin(http_probe(faults, probe, peer)).await,
        Kind::Operations | Kind::Unmatched => Met::default(),
    };
    let mut response = match met.answer {
        Some(answer) => answer,
        None => handled.await.unwrap_or_else(Refusal::into_content),
    };
    if !met.by.is_empty() {
        let names: Vec<_> = met.by.iter().map(|name| name.as_str()).collect();
        let names = HeaderValue::from_str(&names.join(", ")).expect("names are letters");
        response.headers_mut().insert(FAULT, names);
    }
    Ok(response)
}

async fn ordinary(faults: &Faults, peer: &Peer) -> Met {
    let mut met = Met::default();
    if let Some(hit) = faults.hit(Name::Latency)
        && let Action::Latency { delay, jitter } = hit.action
    {
        hit.hold(hit.around(delay, jitter)).await;
        met.by.push(Name::Latency);
    }
    if faults.hit(Name::Reset).is_some() {
        peer.reset();
        met.by.push(Name::Reset);
        met.answer = Some(no_answer());
        return met;
    }
    if let Some(hit) = faults.hit(Name::Errors)
        && let Action::Errors { status, .. } = hit.action
    {
        let status_line = format!("{status}, as the fault switch errors says");
        met.by.push(Name::Errors);
        met.answer = Some(Refusal::new(status, status_line).into_content());
    }
    met
}

async fn http_probe(faults: &Faults, probe: Probe, peer: &Peer) -> Met {
    let name = match probe {
        Probe::Liveness => Name::Liveness,
        Probe::Readiness => Name::Readiness,
        Probe::Startup => Name::Startup,
        Probe::Grpc => return Met::default(),
    };
    let (by, answer) = match self::probe(faults, name, peer).await {
        ProbeMet::Nothing => return Met::default(),
        ProbeMet::Delayed => (vec![name], None),
        ProbeMet::Reset => (vec![name], Some(no_answer())),
        ProbeMet::Failed => {
            let sentence = format!("failing, as the fault switch {} says", name.as_str());
            (
                vec![name],
                Some(Refusal::unavailable(sentence).into_content()),
            )
        }
    };
    Met { by, answer }
}

/// What a probe's switch has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum ProbeMet {
    Nothing,
    /// It goes on as usual from here.
    Delayed,
    /// It has to fail.
    Failed,
    /// Its connection is gone.
    Reset,
}

/// Does to a probe, over HTTP or gRPC, what its switch says.
pub(in crate::http) async fn probe(faults: &Faults, name: Name, peer: &Peer) -> ProbeMet {
    let Some(hit) = faults.hit(name) else {
        return ProbeMet::Nothing;
    };
    match hit.action {
        Action::Hang(hang) => {
            hit.hold(hang).await;
            ProbeMet::Delayed
        }
        Action::ResetProbe => {
            peer.reset();
            ProbeMet::Reset
        }
        _ => ProbeMet::Failed,
    }
}

/// What is handed to a connection that is gone, so that it can be counted.
fn no_answer() -> Response<Content> {
    let mut response = Response::new(Bytes::new().into());
    *response.status_mut() = StatusCode::from_u16(NO_ANSWER).expect("it is a status");
    response
}
