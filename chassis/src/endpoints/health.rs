//! The three probes' endpoints. Each has a question of its own, so that Kubernetes draws the
//! right conclusion: liveness never depends on another service and stays 200 while stopping.

use axum::body::Bytes;

use crate::{http::Refusal, lifecycle::Life};

const OK: Bytes = Bytes::from_static(b"ok");

/// Is the process able to answer at all? If not, a restart helps.
pub(super) fn livez() -> Result<Bytes, Refusal> {
    Ok(OK)
}

/// Should requests come here now? 503 while starting and from the stop signal on.
pub(super) fn readyz(life: &Life) -> Result<Bytes, Refusal> {
    life.readiness()?;
    Ok(OK)
}

/// Is the start over? 503 until then; the other probes wait for it.
pub(super) fn startupz(life: &Life) -> Result<Bytes, Refusal> {
    life.startup()?;
    Ok(OK)
}
