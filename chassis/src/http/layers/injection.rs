//! Does to a request what the fault switches say, and says so in the header `fault` of its answer.
//! Requests for the mirror, the metrics, `/info` and the switches themselves are never touched. To a probe
//! over gRPC the handler does it, once it has read which service is asked for.

use std::pin::Pin;

use axum::http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::{
    faults::{Action, Faults, Name},
    http::{
        content::Content,
        kind::{Kind, Probe},
        refusal::Refusal,
    },
    server::Peer,
};

/// The header of an answer that a switch made, changed or delayed.
pub(crate) const FAULT: HeaderName = HeaderName::from_static("fault");

/// For the mirror and the metrics: nginx's code for a connection that was closed without an answer.
pub(crate) const NO_ANSWER: u16 = 444;

/// What switches have done to a request.
#[derive(Default)]
struct Injected {
    by: Vec<Name>,
    /// In place of the handler's.
    answer: Option<Response<Content>>,
}

/// Has the request handled after what the switches do to it, or not at all.
pub(in crate::http) async fn inject<F>(
    faults: &Faults,
    kind: Kind,
    peer: &Peer,
    handled: Pin<&mut F>,
) -> Result<Response<Content>, Refusal>
where
    F: Future<Output = Result<Response<Content>, Refusal>>,
{
    if !faults.act_on_requests() {
        return handled.await;
    }
    // Boxed, so that a request that no switch acts on doesn't take the memory for it.
    let injected = match kind {
        Kind::Ordinary => Box::pin(into_ordinary(faults, peer)).await,
        Kind::Probe(probe) => Box::pin(into_http_probe(faults, probe, peer)).await,
        Kind::Operations | Kind::Unmatched => Injected::default(),
    };
    let mut response = match injected.answer {
        Some(answer) => answer,
        None => handled.await.unwrap_or_else(Refusal::into_content),
    };
    if !injected.by.is_empty() {
        let names: Vec<_> = injected.by.iter().map(|name| name.as_str()).collect();
        let names = HeaderValue::from_str(&names.join(", ")).expect("names are letters");
        response.headers_mut().insert(FAULT, names);
    }
    Ok(response)
}

async fn into_ordinary(faults: &Faults, peer: &Peer) -> Injected {
    let mut injected = Injected::default();
    if let Some(hit) = faults.hit(Name::Latency)
        && let Action::Latency { delay, jitter } = hit.action
    {
        hit.hold(hit.around(delay, jitter)).await;
        injected.by.push(Name::Latency);
    }
    if faults.hit(Name::Reset).is_some() {
        peer.reset();
        injected.by.push(Name::Reset);
        injected.answer = Some(no_answer());
        return injected;
    }
    if let Some(hit) = faults.hit(Name::Errors)
        && let Action::Errors { status, .. } = hit.action
    {
        let status_line = format!("{status}, as the fault switch errors says");
        injected.by.push(Name::Errors);
        injected.answer = Some(Refusal::new(status, status_line).into_content());
    }
    injected
}

async fn into_http_probe(faults: &Faults, probe: Probe, peer: &Peer) -> Injected {
    let name = match probe {
        Probe::Liveness => Name::Liveness,
        Probe::Readiness => Name::Readiness,
        Probe::Startup => Name::Startup,
        Probe::Grpc => return Injected::default(),
    };
    let answer = match inject_into_probe(faults, name, peer).await {
        ProbeFault::None => return Injected::default(),
        ProbeFault::Delayed => None,
        ProbeFault::Reset => Some(no_answer()),
        ProbeFault::Failing => {
            let sentence = format!("failing, as the fault switch {} says", name.as_str());
            Some(Refusal::unavailable(sentence).into_content())
        }
    };
    let by = vec![name];
    Injected { by, answer }
}

/// What a probe's switch has done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProbeFault {
    None,
    /// It goes on as usual from here.
    Delayed,
    /// It has to fail.
    Failing,
    /// Its connection is gone.
    Reset,
}

/// Does to a probe, over HTTP or gRPC, what its switch says.
pub(crate) async fn inject_into_probe(faults: &Faults, name: Name, peer: &Peer) -> ProbeFault {
    let Some(hit) = faults.hit(name) else {
        return ProbeFault::None;
    };
    match hit.action {
        Action::Hang(hang) => {
            hit.hold(hang).await;
            ProbeFault::Delayed
        }
        Action::ResetProbe => {
            peer.reset();
            ProbeFault::Reset
        }
        _ => ProbeFault::Failing,
    }
}

/// What is handed to a connection that is gone, so that it can be counted.
fn no_answer() -> Response<Content> {
    let mut response = Response::new(Content::empty());
    *response.status_mut() = StatusCode::from_u16(NO_ANSWER).expect("it is a status");
    response
}
