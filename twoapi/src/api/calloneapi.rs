//! `GET /test/calloneapi`: what oneapi answers, in the tutorial's own words; or a 502 or 504 that
//! says which upstream failed and how.

use axum::{
    Extension,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use chassis::{
    http::{Refusal, TEXT},
    telemetry::Trace,
};

use crate::client::upstream::Upstream;

pub(crate) async fn calloneapi(
    State(upstream): State<Upstream>,
    trace: Option<Extension<Trace>>,
) -> Result<Response, Refusal> {
    match upstream.call(trace.as_deref()).await {
        Ok(answer) => {
            let sentence = format!("one api response is {answer}");
            Ok(([(header::CONTENT_TYPE, TEXT)], sentence).into_response())
        }
        Err(error) => {
            let error = upstream.failed(error);
            Err(Refusal::new(error.status(), error.to_string()))
        }
    }
}
