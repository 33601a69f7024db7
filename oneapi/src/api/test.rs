//! `GET /test`: the pod's IP, in the tutorial's own words.

use std::net::IpAddr;

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::Response,
};
use chassis::http::TEXT;

use crate::Oneapi;

pub(crate) async fn test(State(oneapi): State<Oneapi>) -> Response {
    let mut response = Response::new(Body::from(oneapi.sentence.get()));
    response.headers_mut().insert(header::CONTENT_TYPE, TEXT);
    response
}

/// What is answered while the IP stays the same: people's scripts read it, so it never changes.
pub(crate) fn sentence(ip: IpAddr) -> Bytes {
    Bytes::from(format!("ip is {ip}"))
}
