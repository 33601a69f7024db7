//! What a service answers: its own routes, the shared ones beside them, and one stack of layers
//! round all of them. The server hands each connection's requests to an [`AppService`]; how they got
//! there, and how the answers get back, is not known here.

mod accept;
mod answer;
mod app;
mod browser;
mod connections;
mod content;
mod faults;
mod grpc;
mod health;
mod host;
mod info;
mod layers;
mod metrics;
mod mirror;
mod probes;
mod refusal;
mod request_body;
mod routes;
mod segment;
mod service;

pub use self::{
    accept::{VARY_ACCEPT, prefers_gzip, prefers_json},
    answer::Answer,
    app::App,
    browser::refuse_browser,
    refusal::{Refusal, TEXT},
    request_body::RequestBody,
    routes::Routes,
    segment::Segment,
    service::AppService,
};
