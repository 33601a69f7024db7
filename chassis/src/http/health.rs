//! The three probes' endpoints. Each has a question of its own, so that Kubernetes draws the
//! right conclusion: liveness never depends on another service and stays 200 while stopping.

use axum::extract::State;

use super::refusal::Refusal;
use crate::lifecycle::Life;

/// Is the process able to answer at all? If not, a restart helps.
pub(super) async fn livez() -> &'static str {
    "ok"
}

/// Should requests come here now? 503 while starting and from the stop signal on.
pub(super) async fn readyz(State(life): State<Life>) -> Result<&'static str, Refusal> {
    Ok(life.readiness().map(|()| "ok")?)
}

/// Is the start over? 503 until then; the other probes wait for it.
pub(super) async fn startupz(State(life): State<Life>) -> Result<&'static str, Refusal> {
    Ok(life.startup().map(|()| "ok")?)
}
