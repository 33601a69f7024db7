//! Shows each probe in the mirror: when it came, over which protocol, what it was answered, how long that took.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use axum::http::{HeaderValue, Request, Response, header::USER_AGENT};

use crate::{
    http::{
        kind::{Kind, Probe},
        mirror::{Agent, Arrival, Entry, Mirror, Protocol},
    },
    server::Peer,
    telemetry::CLIENT_LEFT,
};

/// A probe that has come. It is shown when this is dropped, whatever has become of it.
#[derive(Debug)]
pub(in crate::http) struct ProbeRecord {
    mirror: Arc<Mirror>,
    probe: Probe,
    arrival: Arrival,
    /// gRPC once the handler has seen that it is.
    protocol: Protocol,
    from: IpAddr,
    agent: Option<HeaderValue>,
    /// `None` over HTTP, where the path says it.
    service: Option<AskedService>,
    /// `None` until there is an answer.
    status: Option<u16>,
}

/// The status of an answer in gRPC, where that of HTTP is always 200.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GrpcOutcome(pub(crate) u16);

/// The gRPC service that is asked for, once the handler has read it. It isn't left to the answer, so that
/// a probe whose client gives up before that is shown with it, too.
#[derive(Clone, Debug, Default)]
pub(crate) struct AskedService(Arc<OnceLock<&'static str>>);

impl AskedService {
    pub(crate) fn set(&self, service: &'static str) {
        let _ = self.0.set(service); // it is read once
    }
}

/// `None` if the request isn't a probe.
pub(in crate::http) fn begin<B>(
    mirror: &Arc<Mirror>,
    kind: Kind,
    request: &Request<B>,
    peer: &Peer,
) -> Option<ProbeRecord> {
    let Kind::Probe(probe) = kind else {
        return None;
    };
    Some(ProbeRecord {
        mirror: Arc::clone(mirror),
        probe,
        arrival: mirror.arrives(probe),
        protocol: Protocol::Http(request.version()),
        from: peer.ip(),
        agent: request.headers().get(USER_AGENT).cloned(),
        service: None,
        status: None,
    })
}

/// Lets the handler of a request of gRPC say which service that is for.
pub(in crate::http) fn ask_for_service<B>(
    record: &mut Option<ProbeRecord>,
    request: &mut Request<B>,
) {
    if let Some(record) = record {
        let service = record.service.insert(AskedService::default());
        request.extensions_mut().insert(service.clone());
    }
}

pub(in crate::http) fn end<B>(record: Option<ProbeRecord>, response: &Response<B>) {
    if let Some(mut record) = record {
        let mut status = response.status().as_u16();
        if let Some(outcome) = response.extensions().get::<GrpcOutcome>() {
            status = outcome.0;
            record.protocol = Protocol::Grpc;
        }
        record.status = Some(status);
    }
}

impl Drop for ProbeRecord {
    fn drop(&mut self) {
        let agent = self.agent.as_ref().map_or(&[][..], HeaderValue::as_bytes);
        let service = self.service.as_ref();
        let service = service.and_then(|service| service.0.get().copied());
        let protocol = match service {
            Some(_) => Protocol::Grpc, // though there may be no answer that says so
            None => self.protocol,
        };
        let entry = Entry {
            arrival: self.arrival,
            took: self.arrival.elapsed(),
            status: self.status.unwrap_or(CLIENT_LEFT),
            protocol,
            service,
            from: self.from,
            agent: Agent::new(agent),
        };
        self.mirror.answered(self.probe, entry);
    }
}
