//! How a request is answered: the routes, one stack of layers round all of them, and what a handler needs
//! to read a request and to answer it. The server hands each connection's requests to an [`AppService`].
//! Which routes there are is not known here: a service has its own, and `endpoints` the shared ones.

mod answer;
mod app;
mod browser;
mod content;
mod host;
mod kind;
mod layers;
mod mirror;
mod negotiation;
mod query;
mod refusal;
mod request_body;
mod routes;
mod segment;
mod service;
mod streamed;

pub use self::{
    answer::Answer,
    app::App,
    browser::refuse_browser,
    negotiation::{VARY_ACCEPT, prefers_gzip, prefers_json},
    query::{no_parameters, parameters},
    refusal::{Refusal, TEXT},
    request_body::RequestBody,
    routes::Routes,
    segment::Segment,
    service::AppService,
    streamed::streamed,
};
pub(crate) use self::{
    kind::{Kind, Probe},
    layers::{
        injection::{FAULT, NO_ANSWER, ProbeFault, inject_into_probe},
        probe_record::{AskedService, GrpcOutcome},
    },
    mirror::{Entry, Mirror},
    negotiation::{outweighs_text, prefers_openmetrics},
    request_body::{BODY_TIMEOUT, Unread, read_body},
    routes::Field,
};

/// What cargo fuzz tests of it.
#[cfg(fuzzing)]
#[allow(missing_docs)]
pub(crate) mod fuzz {
    use axum::http::{HeaderMap, Request};

    use super::{host, negotiation};

    pub fn is_host_said<B>(request: &Request<B>) -> bool {
        host::is_said(request)
    }

    pub fn outweighs_text(headers: &HeaderMap) -> bool {
        negotiation::outweighs_text(headers)
    }

    pub fn prefers_openmetrics(headers: &HeaderMap) -> bool {
        negotiation::prefers_openmetrics(headers)
    }
}
