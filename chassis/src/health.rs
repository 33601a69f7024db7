//! The three probes' endpoints. Each has a question of its own, so that Kubernetes draws the
//! right conclusion: liveness never depends on another service and stays 200 while stopping.

use axum::extract::State;

use crate::{life::Life, refusal::Refusal};

/// Is the process able to answer at all? If not, a restart helps.
pub(crate) async fn livez() -> &'static str {
    "ok"
}

/// Should requests come here now? 503 while starting and from the stop signal on.
pub(crate) async fn readyz(State(life): State<Life>) -> Result<&'static str, Refusal> {
    life.readiness().map(|()| "ok")
}

/// Is the start over? 503 until then; the other probes wait for it.
pub(crate) async fn startupz(State(life): State<Life>) -> Result<&'static str, Refusal> {
    life.startup().map(|()| "ok")
}
