//! `/faults`: the switches as a JSON list, set by PUT and cleared by DELETE. How a switch is written
//! and what is left of one is for [`crate::faults`].

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
};

use crate::{
    faults::{Faults, Listed, Name},
    http::{Refusal, RequestBody, Segment, no_parameters, refuse_browser},
};

/// Lists the switches that are set.
pub(super) async fn list(
    State(faults): State<Faults>,
    uri: Uri,
) -> Result<Json<Vec<Listed>>, Refusal> {
    no_parameters(uri.query().unwrap_or_default())?;
    Ok(Json(faults.list()))
}

/// Sets a switch, and answers as it is listed.
pub(super) async fn set(
    State(faults): State<Faults>,
    Segment(name): Segment,
    headers: HeaderMap,
    uri: Uri,
    body: RequestBody,
) -> Result<Json<Listed>, Refusal> {
    check_allowed(&faults, &headers)?;
    body.none("parameters stand in the query, as in /faults/errors?for=20s, and not in a body")
        .await?;
    faults
        .read_and_set(&name, uri.query().unwrap_or_default())
        .map(Json)
        .map_err(Refusal::bad_input)
}

/// Clears a switch, and answers as it was listed.
pub(super) async fn clear(
    State(faults): State<Faults>,
    Segment(name): Segment,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<Listed>, Refusal> {
    check_allowed(&faults, &headers)?;
    no_parameters(uri.query().unwrap_or_default())?;
    let name = Name::read(&name).map_err(Refusal::bad_input)?;
    let cleared = faults.clear(name);
    let not_set = || Refusal::not_found(format!("the fault switch {} isn't set", name.as_str()));
    cleared.map(Json).ok_or_else(not_set)
}

/// Clears all switches, and answers as they were listed.
pub(super) async fn clear_all(
    State(faults): State<Faults>,
    headers: HeaderMap,
    uri: Uri,
    body: RequestBody,
) -> Result<Json<Vec<Listed>>, Refusal> {
    check_allowed(&faults, &headers)?;
    no_parameters(uri.query().unwrap_or_default())?;
    body.none("DELETE /faults clears all switches, and DELETE /faults/NAME one: it has no body")
        .await?;
    let cleared = Name::ALL.into_iter().filter_map(|name| faults.clear(name));
    Ok(Json(cleared.collect()))
}

fn check_allowed(faults: &Faults, headers: &HeaderMap) -> Result<(), Refusal> {
    if faults.allowed() {
        return refuse_browser(headers, "fault switches are");
    }
    let sentence =
        "fault switches are not allowed here: start the service with FAULTS=true (or --faults)";
    Err(Refusal::new(StatusCode::FORBIDDEN, sentence))
}
