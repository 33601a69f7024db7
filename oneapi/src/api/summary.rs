//! What a burn came to, as an answer says it.

use std::fmt::Write;

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chassis::{
    http::{TEXT, VARY_ACCEPT},
    system::{container::Throttling, seconds},
};
use serde::Serialize;

use super::attend::End;
use crate::burn::{BurnRequest, Burns, Clock, RunningBurn};

/// What a burn came to, or has come to so far.
#[derive(Clone, Debug, Serialize)]
pub(super) struct BurnSummary {
    asked_millicores: u32,
    /// The least that was granted, or of a burn that is shown while it runs, what is granted now. It is less
    /// than was asked if the burns together are kept below the container's limit.
    pub(super) granted_millicores: u32,
    /// The clock by which its CPU time is measured: `cpu`, or `wall` if the clock of CPU time is too
    /// coarse. `None` before the first burn has found out.
    clock: Option<&'static str>,
    /// CPU seconds.
    asked_seconds: f64,
    achieved_seconds: f64,
    wall_seconds: f64,
    /// For how long its threads were ready to run and had no CPU, together.
    starved_seconds: f64,
    /// For how long the whole container stood still while the burn ran, whatever the reason. `None` if
    /// the kernel doesn't say.
    stalled_seconds: Option<f64>,
    /// In how many periods the kernel throttled the container while the burn ran. `None` if no limit can
    /// be seen from inside.
    throttled_periods: Option<u64>,
    /// The share of the periods of that time that were throttled, from 0 to 1.
    throttled_share: Option<f64>,
}

pub(super) const ASKED: HeaderName = HeaderName::from_static("burn-asked-seconds");
const ACHIEVED: HeaderName = HeaderName::from_static("burn-achieved-seconds");

impl BurnSummary {
    pub(super) fn new(burns: &Burns, burn: &RunningBurn) -> Self {
        let throttling = burns.throttling_since_start(burn);
        Self {
            asked_millicores: burn.request.millicores,
            granted_millicores: burn.least_granted(),
            clock: burns.clock().map(Clock::name),
            asked_seconds: seconds(burn.request.cpu_time()),
            achieved_seconds: seconds(burn.achieved()),
            wall_seconds: seconds(burn.started.elapsed()),
            starved_seconds: seconds(burn.starved()),
            stalled_seconds: burns.stalled_since_start(burn).map(seconds),
            throttled_periods: throttling.map(|t| t.throttled_periods),
            throttled_share: throttling.map(four_decimals),
        }
    }

    /// The summary of a burn that was asked for no time, and so never ran.
    pub(super) fn of_no_time(request: &BurnRequest) -> Self {
        Self {
            asked_millicores: request.millicores,
            granted_millicores: request.millicores,
            clock: None,
            asked_seconds: 0.0,
            achieved_seconds: 0.0,
            wall_seconds: 0.0,
            starved_seconds: 0.0,
            stalled_seconds: None,
            throttled_periods: None,
            throttled_share: None,
        }
    }

    /// `ok` if the burn went on to its end; else how it ended and how far it came.
    fn sentence(&self, end: End) -> String {
        let Self {
            achieved_seconds,
            asked_seconds,
            ..
        } = self;
        let mut sentence = match end {
            End::Completed => return "ok".to_owned(),
            End::Ended => "ended".to_owned(),
            End::Stopped => "stopping".to_owned(),
        };
        let _ = write!(
            sentence,
            " after {:.3} s: {achieved_seconds:.3} of {asked_seconds:.3} CPU seconds",
            self.wall_seconds
        );
        sentence
    }

    pub(super) fn response(&self, end: End, json: bool) -> Response {
        let status = match end {
            End::Completed | End::Ended => StatusCode::OK,
            End::Stopped => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut response = if json {
            (status, VARY_ACCEPT, Json(self)).into_response()
        } else {
            let sentence = self.sentence(end);
            let content_type = [(header::CONTENT_TYPE, TEXT)];
            (status, VARY_ACCEPT, content_type, sentence).into_response()
        };
        let headers = response.headers_mut();
        headers.insert(ASKED, six_decimals(self.asked_seconds));
        headers.insert(ACHIEVED, six_decimals(self.achieved_seconds));
        if self.granted_millicores < self.asked_millicores {
            headers.insert(GRANTED, HeaderValue::from(self.granted_millicores));
        }
        if self.clock == Some(Clock::Wall.name()) {
            headers.insert(CLOCK, HeaderValue::from_static(Clock::Wall.name()));
        }
        response
    }
}

fn four_decimals(throttling: Throttling) -> f64 {
    (throttling.share() * 1e4).round() / 1e4
}

pub(super) fn six_decimals(seconds: f64) -> HeaderValue {
    HeaderValue::from_str(&format!("{seconds:.6}")).expect("digits are valid")
}

/// Sent only if less was granted than was asked.
const GRANTED: HeaderName = HeaderName::from_static("burn-granted-millicores");

/// Sent only if burns are measured less exactly than elsewhere.
const CLOCK: HeaderName = HeaderName::from_static("burn-clock");

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_answer_says_when_its_burn_was_measured_by_the_wall_clock() {
        let request = BurnRequest {
            millicores: 1000,
            duration: Duration::from_secs(60),
            force: false,
            caller: None,
        };
        let mut summary = BurnSummary::of_no_time(&request);
        for (clock, header) in [
            (None, None),
            (Some("cpu"), None),
            (Some("wall"), Some("wall")),
        ] {
            summary.clock = clock;
            let response = summary.response(End::Completed, false);
            let said = response.headers().get("burn-clock");
            assert_eq!(said.map(|value| value.to_str().unwrap()), header);
        }
    }
}
