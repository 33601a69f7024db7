//! `GET /burns` lists the burns that run, `DELETE /burns` and `DELETE /burns/ID` end them: their
//! callers then get their answer, and how far they came.

use axum::{
    Json,
    extract::{Path, State},
};
use chassis::http::Refusal;
use serde::Serialize;

use crate::{Oneapi, burn::Burn};

#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    id: u64,
    asked_millicores: u32,
    granted_millicores: u32,
    /// CPU seconds, to its end.
    asked_seconds: f64,
    /// CPU seconds, so far.
    achieved_seconds: f64,
    left_seconds: f64,
}

impl From<&Burn> for Listed {
    fn from(burn: &Burn) -> Self {
        Self {
            id: burn.id,
            asked_millicores: burn.ask.millicores,
            granted_millicores: burn.granted(),
            asked_seconds: burn.ask.cpu_time().as_secs_f64(),
            achieved_seconds: burn.achieved().as_secs_f64(),
            left_seconds: burn.left().as_secs_f64(),
        }
    }
}

pub(crate) async fn list(State(oneapi): State<Oneapi>) -> Json<Vec<Listed>> {
    Json(
        oneapi
            .burns
            .list()
            .iter()
            .map(|burn| Listed::from(&**burn))
            .collect(),
    )
}

pub(crate) async fn end_all(State(oneapi): State<Oneapi>) -> String {
    let burns = oneapi.burns.list();
    burns.iter().for_each(|burn| burn.end());
    format!("{} ended", burns.len())
}

pub(crate) async fn end_one(
    State(oneapi): State<Oneapi>,
    Path(id): Path<String>,
) -> Result<&'static str, Refusal> {
    // An id that is no number names no burn either.
    let burn = oneapi
        .burns
        .list()
        .into_iter()
        .find(|burn| burn.id.to_string() == id);
    let burn =
        burn.ok_or_else(|| Refusal::not_found(format!("there is no burn '{id}' running")))?;
    burn.end();
    Ok("ended")
}
