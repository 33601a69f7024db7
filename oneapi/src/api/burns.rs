//! `GET /burns` lists the burns that run, `DELETE /burns` and `DELETE /burns/ID` end them: their
//! clients then get their answer, and how far they came.

use axum::{
    Json,
    extract::{RawQuery, State},
};
use chassis::http::{Refusal, Segment};
use serde::Serialize;

use super::query;
use crate::{Oneapi, burn::Burn};

/// A burn in the list.
#[derive(Debug, Serialize)]
pub(crate) struct ListedBurn {
    id: u64,
    /// As the client named itself, if it did.
    caller: Option<String>,
    asked_millicores: u32,
    granted_millicores: u32,
    /// CPU seconds, to its end.
    asked_seconds: f64,
    /// CPU seconds, so far.
    achieved_seconds: f64,
    left_seconds: f64,
}

impl From<&Burn> for ListedBurn {
    fn from(burn: &Burn) -> Self {
        let caller = burn.request.caller.as_ref();
        Self {
            id: burn.id,
            caller: caller.map(ToString::to_string),
            asked_millicores: burn.request.millicores,
            granted_millicores: burn.granted(),
            asked_seconds: burn.request.cpu_time().as_secs_f64(),
            achieved_seconds: burn.achieved().as_secs_f64(),
            left_seconds: burn.remaining().as_secs_f64(),
        }
    }
}

pub(crate) async fn list(
    State(oneapi): State<Oneapi>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<ListedBurn>>, Refusal> {
    query::nothing(&query.unwrap_or_default())?;
    let burns = oneapi.burns.list();
    Ok(Json(burns.iter().map(|burn| (&**burn).into()).collect()))
}

/// `DELETE /burns`, or of one caller alone: `DELETE /burns?caller=NAME`.
pub(crate) async fn end_all(
    State(oneapi): State<Oneapi>,
    RawQuery(query): RawQuery,
) -> Result<String, Refusal> {
    let caller = query::caller_alone(&query.unwrap_or_default())?;
    let ended = oneapi.burns.cancel_all(caller.as_ref());
    Ok(format!("{ended} ended"))
}

pub(crate) async fn end_one(
    State(oneapi): State<Oneapi>,
    Segment(id): Segment,
    RawQuery(query): RawQuery,
) -> Result<&'static str, Refusal> {
    query::nothing(&query.unwrap_or_default())?;
    // What is no number, or not written as one is, names no burn either.
    let number = id.parse().ok().filter(|n: &u64| n.to_string() == id);
    if number.is_some_and(|id| oneapi.burns.cancel(id)) {
        Ok("ended")
    } else {
        let id = query::shown(&id);
        Err(Refusal::not_found(format!(
            "there is no burn '{id}' running"
        )))
    }
}
