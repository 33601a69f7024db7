//! Shows each probe in the mirror: when it came, what it was answered, how long that took.

use std::{net::IpAddr, sync::Arc};

use axum::http::{HeaderValue, Request, Response, header::USER_AGENT};

use crate::{
    http::{
        mirror::{Agent, Arrival, Mirror, Probe},
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
    /// None until there is an answer.
    status: Option<u16>,
}

/// The status of an answer in gRPC, where that of HTTP is always 200.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct GrpcOutcome(pub(in crate::http) u16);

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
        status: None,
    })
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
        let status = self.status.unwrap_or(CLIENT_LEFT);
        self.mirror.answered(
            self.probe,
            self.arrival,
            status,
            self.from,
            Agent::new(agent),
        );
    }
}
