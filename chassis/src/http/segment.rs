//! The part of a path that a route's template leaves open, such as `/burns/{id}`.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};

use super::refusal::Refusal;

/// axum's `Path`, which refuses what can't be decoded in words of its own.
#[derive(Debug)]
pub struct Segment(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(segment)) => Ok(Self(segment)),
            Err(_) => Err(Refusal::bad_input(
                "the path is not UTF-8 when its percent-encoding is decoded",
            )),
        }
    }
}
