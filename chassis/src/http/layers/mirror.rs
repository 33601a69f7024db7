//! Shows each probe in the mirror: when it came, what it was answered, how long that took.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use axum::http::{HeaderValue, Request, Response, header::USER_AGENT};

use crate::{
    http::{
        mirror::{Agent, Arrival, Entry, Mirror, Probe},
        routes::Kind,
    },
    server::Peer,
    telemetry::CLIENT_LEFT,
};

/// A probe that has come; what becomes of it is shown when this is dropped.
#[derive(Debug)]
pub(in crate::http) struct Reflection {
    mirror: Arc<Mirror>,
    probe: Probe,
    arrival: Arrival,
    from: IpAddr,
    agent: Option<HeaderValue>,
    /// None where services have no names.
    service: Option<Asked>,
    /// None until there is an answer.
    status: Option<u16>,
}

/// The status of an answer in gRPC, where that of HTTP is always 200.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct GrpcOutcome(pub(in crate::http) u16);

/// Which service of gRPC is asked for, once the handler has read it: a probe whose client gives up
/// before the answer is shown with it, too.
#[derive(Clone, Debug, Default)]
pub(in crate::http) struct Asked(Arc<OnceLock<&'static str>>);

impl Asked {
    pub(in crate::http) fn is_for(&self, service: &'static str) {
        let _ = self.0.set(service); // it is read once
    }
}

/// None for what isn't a probe.
pub(in crate::http) fn begin<B>(
    mirror: &Arc<Mirror>,
    kind: Kind,
    request: &Request<B>,
    peer: &Peer,
) -> Option<Reflection> {
    let Kind::Probe(probe) = kind else {
        return None;
    };
    Some(Reflection {
        mirror: Arc::clone(mirror),
        probe,
        arrival: mirror.arrives(probe),
        from: peer.ip(),
        agent: request.headers().get(USER_AGENT).cloned(),
        service: None,
        status: None,
    })
}

/// Lets the handler of a request of gRPC say which service that is for.
pub(in crate::http) fn ask_for_service<B>(
    reflection: &mut Option<Reflection>,
    request: &mut Request<B>,
) {
    if let Some(reflection) = reflection {
        let asked = reflection.service.insert(Asked::default());
        request.extensions_mut().insert(asked.clone());
    }
}

pub(in crate::http) fn end<B>(reflection: Option<Reflection>, response: &Response<B>) {
    if let Some(mut reflection) = reflection {
        let grpc = response.extensions().get::<GrpcOutcome>();
        let status = grpc.map_or(response.status().as_u16(), |outcome| outcome.0);
        reflection.status = Some(status);
    }
}

impl Drop for Reflection {
    fn drop(&mut self) {
        let agent = self.agent.as_ref().map_or(&[][..], HeaderValue::as_bytes);
        let service = self.service.as_ref();
        let entry = Entry {
            arrival: self.arrival,
            took: self.arrival.elapsed(),
            status: self.status.unwrap_or(CLIENT_LEFT),
            service: service.and_then(|asked| asked.0.get().copied()),
            from: self.from,
            agent: Agent::new(agent),
        };
        self.mirror.answered(self.probe, entry);
    }
}
