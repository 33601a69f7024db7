//! `POST /burns` starts a burn that no client waits for, and `GET /burns/ID` says how far a burn is.
//! `GET /burns` lists the burns that run. `DELETE /burns` and `DELETE /burns/ID` end burns: if a client
//! waits for one, its answer says how far the burn came.

use axum::{
    Json,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use chassis::{
    http::{Refusal, RequestBody, Segment, no_parameters, refuse_browser},
    system::seconds,
    text::shown,
};
use serde::Serialize;

use super::{
    highcpu::{self, CannotBurn},
    query,
    state::Oneapi,
    unattended::{MAX_ENDED, ShownBurn},
};
use crate::burn::RunningBurn;

/// A burn in the list.
#[derive(Debug, Serialize)]
pub(crate) struct ListedBurn {
    id: u64,
    /// The name that the client has given itself, if any.
    caller: Option<String>,
    asked_millicores: u32,
    granted_millicores: u32,
    /// CPU seconds, up to its end.
    asked_seconds: f64,
    /// CPU seconds, so far.
    achieved_seconds: f64,
    left_seconds: f64,
}

impl From<&RunningBurn> for ListedBurn {
    fn from(burn: &RunningBurn) -> Self {
        let caller = burn.request.caller.as_ref();
        Self {
            id: burn.id,
            caller: caller.map(ToString::to_string),
            asked_millicores: burn.request.millicores,
            granted_millicores: burn.granted(),
            asked_seconds: seconds(burn.request.cpu_time()),
            achieved_seconds: seconds(burn.achieved()),
            left_seconds: seconds(burn.remaining()),
        }
    }
}

pub(crate) async fn list(
    State(oneapi): State<Oneapi>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<ListedBurn>>, Refusal> {
    no_parameters(&query.unwrap_or_default())?;
    let burns = oneapi.burns.list();
    Ok(Json(burns.iter().map(|burn| (&**burn).into()).collect()))
}

/// `POST /burns?minutes=N…`, with the parameters of `/test/highcpu`. A gateway that ends each request
/// after a minute doesn't end such a burn.
pub(crate) async fn start(
    State(oneapi): State<Oneapi>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: RequestBody,
) -> Result<Response, CannotBurn> {
    check_client(&headers)?;
    let request = highcpu::accepted(&oneapi, query)?;
    // As `curl -d minutes=1` sends it: a burn of no time would be no answer to that.
    body.none("parameters stand in the query, as in /burns?minutes=1, and not in a body")
        .await?;
    let handle = oneapi.burns.start(request)?;
    let location = [(header::LOCATION, format!("/burns/{}", handle.burn.id))];
    let started = Json(ShownBurn::running(&oneapi.burns, &handle.burn));
    oneapi.unattended.start(&oneapi.life, &oneapi.burns, handle);
    Ok((StatusCode::CREATED, location, started).into_response())
}

/// `GET /burns/ID`: a burn that runs, or one that `POST /burns` started and that has ended lately.
pub(crate) async fn show(
    State(oneapi): State<Oneapi>,
    Segment(id): Segment,
    RawQuery(query): RawQuery,
) -> Result<Json<ShownBurn>, Refusal> {
    no_parameters(&query.unwrap_or_default())?;
    let burn = number(&id).and_then(|id| oneapi.unattended.show(&oneapi.burns, id));
    burn.map(Json).ok_or_else(|| {
        let id = shown(&id);
        Refusal::not_found(format!(
            "no burn '{id}' is running, and none of the last {MAX_ENDED} that POST /burns started has \
             that number"
        ))
    })
}

/// `DELETE /burns` ends all burns, `DELETE /burns?caller=NAME` those of one caller.
pub(crate) async fn end_all(
    State(oneapi): State<Oneapi>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: RequestBody,
) -> Result<String, Refusal> {
    check_client(&headers)?;
    let caller = query::only_caller(&query.unwrap_or_default())?;
    // It would end everybody's.
    body.none("parameters stand in the query, as in /burns?caller=NAME, and not in a body")
        .await?;
    let ended = oneapi.burns.cancel_all(caller.as_ref());
    Ok(format!("{ended} ended"))
}

pub(crate) async fn end_one(
    State(oneapi): State<Oneapi>,
    Segment(id): Segment,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<&'static str, Refusal> {
    check_client(&headers)?;
    no_parameters(&query.unwrap_or_default())?;
    if number(&id).is_some_and(|id| oneapi.burns.cancel(id)) {
        Ok("ended")
    } else {
        let id = shown(&id);
        Err(Refusal::not_found(format!("no burn '{id}' is running")))
    }
}

/// Refuses a request that another site's page has a browser make: its burn would go on after the page
/// is closed.
fn check_client(headers: &HeaderMap) -> Result<(), Refusal> {
    refuse_browser(headers, "starting and ending burns is")
}

/// The number of a burn. `None` if the text is not a number as it is usually written, without `+` or
/// leading zeros.
fn number(id: &str) -> Option<u64> {
    id.parse()
        .ok()
        .filter(|number: &u64| number.to_string() == id)
}
