//! `GET /test/highcpu?minutes=N&millicores=M`: burns, then answers.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use axum::{
    Extension,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chassis::{
    http::{Refusal, TEXT, VARY_ACCEPT, prefers_json},
    server::Peer,
    system::seconds,
};
use tokio::time::sleep;

use super::{
    attend::{End, attend},
    query,
    state::Oneapi,
    summary::{ASKED, BurnSummary, six_decimals},
};
use crate::burn::{BurnRequest, StartError};

pub(crate) async fn highcpu(
    State(oneapi): State<Oneapi>,
    Extension(client): Extension<Peer>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, CannotBurn> {
    let request = accepted(&oneapi, query)?;
    let json = prefers_json(&headers);
    if request.duration.is_zero() {
        return Ok(BurnSummary::of_no_time(&request).response(End::Completed, json));
    }
    let handle = oneapi.burns.start(request)?;
    let mut attended = pin!(attend(&oneapi.life, &handle));
    let end = tokio::select! {
        end = &mut attended => end,
        () = client_closed(&client) => {
            handle.cancel();
            attended.await
        }
    };
    Ok(BurnSummary::new(&oneapi.burns, &handle.burn).response(end, json))
}

/// `HEAD`: checks the request and burns nothing. What a burn would achieve is not known.
pub(crate) async fn head(
    State(oneapi): State<Oneapi>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Refusal> {
    let request = accepted(&oneapi, query)?;
    let asked = six_decimals(seconds(request.cpu_time()));
    let headers = [(header::CONTENT_TYPE, TEXT), (ASKED, asked)];
    Ok((VARY_ACCEPT, headers, "ok"))
}

/// The burn that the query asks for. It is refused with 400 if the query is wrong, and with 503 if a stop
/// of the service would come before its end.
pub(super) fn accepted(oneapi: &Oneapi, query: Option<String>) -> Result<BurnRequest, Refusal> {
    let request = query::burn_request(&query.unwrap_or_default(), oneapi.limits)?;
    match oneapi.life.requested_stop() {
        Some(stop) if Instant::now() + request.duration > stop.deadline => Err(
            Refusal::unavailable("stopping, and so long a burn would not be over in time"),
        ),
        _ => Ok(request),
    }
}

/// Waits until the client has closed its sending side, and a little longer. It may still wait for the
/// answer, but behind a proxy one that has left looks the same.
async fn client_closed(client: &Peer) {
    /// Long enough to try a burn with `nc -N`, and short enough that the CPU time surprises nobody.
    const STILL_BURNS: Duration = Duration::from_secs(1);
    client.closed_sending().await;
    sleep(STILL_BURNS).await;
}

/// Why nothing was burnt.
#[derive(Debug)]
pub(crate) enum CannotBurn {
    /// Answered with the refusal's own status: 400 or 503.
    Refused(Refusal),
    /// Answered with 429 and `Retry-After`, or with 503 if the system has no threads left.
    NotStarted(StartError),
}

impl From<Refusal> for CannotBurn {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StartError> for CannotBurn {
    fn from(error: StartError) -> Self {
        Self::NotStarted(error)
    }
}

impl IntoResponse for CannotBurn {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refusal) => refusal.into_response(),
            Self::NotStarted(StartError::NoThreads) => {
                Refusal::unavailable("the system has no threads left").into_response()
            }
            Self::NotStarted(StartError::TooMany(soonest)) => {
                let seconds = soonest.as_secs() + 1;
                let refusal = Refusal::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    format!("too many burns: the first ends in {seconds} s"),
                );
                ([(header::RETRY_AFTER, HeaderValue::from(seconds))], refusal).into_response()
            }
        }
    }
}
