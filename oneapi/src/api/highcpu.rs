//! `GET /test/highcpu?minutes=N&millicores=M`: burns, then answers. What it asks for is read in
//! `query`, burnt in `burn`; here is only when to answer what.

use std::{
    fmt::Write,
    pin::pin,
    time::{Duration, Instant},
};

use axum::{
    Extension, Json,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chassis::{
    http::{Refusal, TEXT, VARY_ACCEPT, prefers_json},
    server::Peer,
    system::{container::Throttling, seconds},
};
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval_at, sleep};
use tracing::info;

use super::query;
use crate::{
    Oneapi,
    burn::{Burn, BurnRequest, Burns, Caller, Clock, Handle, Outcome, StartError},
};

pub(crate) async fn highcpu(
    State(oneapi): State<Oneapi>,
    Extension(client): Extension<Peer>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, CannotBurn> {
    let request = accepted(&oneapi, query)?;
    let json = prefers_json(&headers);
    if request.duration.is_zero() {
        return Ok(Report::of_nothing(&request).response(End::Completed, json));
    }
    let handle = oneapi.burns.start(request)?;
    let mut attended = pin!(attend(&oneapi, &handle));
    let end = tokio::select! {
        end = &mut attended => end,
        () = client_closed(&client) => {
            handle.cancel();
            attended.await
        }
    };
    Ok(Report::of(&oneapi.burns, &handle.burn).response(end, json))
}

/// `HEAD`: the request is checked, and nothing burns. What a burn would achieve is not known.
pub(crate) async fn head(
    State(oneapi): State<Oneapi>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Refusal> {
    let request = accepted(&oneapi, query)?;
    let asked = six_decimals(seconds(request.cpu_time()));
    let headers = [(header::CONTENT_TYPE, TEXT), (ASKED, asked)];
    Ok((VARY_ACCEPT, headers, "ok"))
}

/// What may burn: 400 for what the query can't ask for, 503 when a stop would come before its end.
pub(super) fn accepted(oneapi: &Oneapi, query: Option<String>) -> Result<BurnRequest, Refusal> {
    let request = query::burn_request(&query.unwrap_or_default(), oneapi.limits)?;
    match oneapi.life.requested_stop() {
        Some(stop) if Instant::now() + request.duration > stop.deadline => Err(
            Refusal::unavailable("stopping, and so long a burn would not be over in time"),
        ),
        _ => Ok(request),
    }
}

/// How a burn came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It went on for as long as was asked.
    Completed,
    /// Somebody ended it: `DELETE /burns`.
    Ended,
    /// The service stops, and the burn would not have been over in time.
    Stopped,
}

impl End {
    /// As JSON has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Ended => "ended",
            Self::Stopped => "stopped",
        }
    }
}

/// Waits for a burn's end, and logs it. A stop ends a burn that would not be over by its deadline.
pub(super) async fn attend(oneapi: &Oneapi, handle: &Handle) -> End {
    let _logged = LoggedBurn::start(handle);
    let (outcome, if_cancelled) = tokio::select! {
        outcome = log_until_finished(handle) => (outcome, End::Ended),
        () = stop_before_completion(oneapi, &handle.burn) => {
            handle.cancel();
            (handle.finished().await, End::Stopped)
        }
    };
    match outcome {
        Outcome::Completed => End::Completed,
        Outcome::Cancelled => if_cancelled,
    }
}

/// Logs a line now and then while waiting for the end.
async fn log_until_finished(handle: &Handle) -> Outcome {
    /// The wake-up alone, without a line, costs some 0.16 ms of CPU that nobody asked for: each
    /// second, it would put a burn of 50 millicores a third of a percent off.
    const LOG_INTERVAL: Duration = Duration::from_secs(10);
    let mut line = interval_at(tokio::time::Instant::now() + LOG_INTERVAL, LOG_INTERVAL);
    line.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            outcome = handle.finished() => return outcome,
            _ = line.tick() => {
                let burn = &handle.burn;
                let (achieved, left) = (seconds(burn.achieved()), seconds(burn.remaining()));
                info!(id = burn.id, achieved_seconds = achieved, left_seconds = left, "burning");
            }
        }
    }
}

/// Waits for a stop whose deadline comes before the burn's end; for ever, if none does.
async fn stop_before_completion(oneapi: &Oneapi, burn: &Burn) {
    if oneapi.life.stop_requested().await.deadline < burn.completes_at() {
        return;
    }
    std::future::pending().await
}

/// Waits until the client has closed its sending side, and a little longer. It may still wait for the
/// answer, but behind a proxy one that has left looks the same.
async fn client_closed(client: &Peer) {
    /// Long enough for a burn that somebody asks for with `nc -N` to try it, and short enough for nobody
    /// to wonder about the CPU time.
    const STILL_BURNS: Duration = Duration::from_secs(1);
    client.closed_sending().await;
    sleep(STILL_BURNS).await;
}

/// Logs a burn's start, and its end when dropped: completed, cancelled, or its client gone.
struct LoggedBurn<'a>(&'a Burn);

impl<'a> LoggedBurn<'a> {
    fn start(handle: &'a Handle) -> Self {
        let burn = &*handle.burn;
        info!(
            id = burn.id,
            caller = caller(burn),
            millicores = burn.request.millicores,
            granted_millicores = burn.granted(),
            seconds = seconds(burn.request.duration),
            "burn started"
        );
        Self(burn)
    }
}

impl Drop for LoggedBurn<'_> {
    fn drop(&mut self) {
        let burn = self.0;
        info!(
            id = burn.id,
            caller = caller(burn),
            asked_seconds = seconds(burn.request.cpu_time()),
            achieved_seconds = seconds(burn.achieved()),
            starved_seconds = seconds(burn.starved()),
            left_seconds = seconds(burn.remaining()),
            "burn ended"
        );
    }
}

/// No field at all in the log of a burn whose client gave no name.
fn caller(burn: &Burn) -> Option<&str> {
    burn.request.caller.as_ref().map(Caller::as_str)
}

/// What a burn came to, or has come to so far.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    asked_millicores: u32,
    /// The least of the time. Less than asked where the sum of the burns is kept below the
    /// container's limit.
    granted_millicores: u32,
    /// By which its CPU time is measured: `cpu`, or `wall` where that clock is too coarse. None before
    /// the first burn has found out.
    clock: Option<&'static str>,
    /// CPU seconds.
    asked_seconds: f64,
    achieved_seconds: f64,
    wall_seconds: f64,
    /// For how long its threads were ready to run and had no CPU, together.
    starved_seconds: f64,
    /// For how long the whole container stood still while it burnt, whatever the reason; none where
    /// the kernel doesn't tell.
    stalled_seconds: Option<f64>,
    /// Of the whole container while it burnt, as far as a limit can be seen from inside; none where there is none.
    throttled_periods: Option<u64>,
    /// Of the periods of that time, from 0 to 1.
    throttled_share: Option<f64>,
}

const ASKED: HeaderName = HeaderName::from_static("burn-asked-seconds");
const ACHIEVED: HeaderName = HeaderName::from_static("burn-achieved-seconds");

impl Report {
    pub(super) fn of(burns: &Burns, burn: &Burn) -> Self {
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

    fn of_nothing(request: &BurnRequest) -> Self {
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

    /// `ok` for a burn that went to its end as asked; else how far it came, or why it was less.
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

    fn response(&self, end: End, json: bool) -> Response {
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

fn six_decimals(seconds: f64) -> HeaderValue {
    HeaderValue::from_str(&format!("{seconds:.6}")).expect("digits are valid")
}

/// Only there when it is less than what was asked.
const GRANTED: HeaderName = HeaderName::from_static("burn-granted-millicores");

/// Only there where burns are less exact than elsewhere.
const CLOCK: HeaderName = HeaderName::from_static("burn-clock");

/// Why nothing was burnt.
#[derive(Debug)]
pub(crate) enum CannotBurn {
    /// The status is the refusal's own: 400 or 503.
    Refused(Refusal),
    /// 429 with `Retry-After`, or 503 where the system has no threads left.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_when_its_burn_was_measured_by_the_wall_clock() {
        let request = query::burn_request("minutes=1", TWO_CORES).unwrap();
        let mut report = Report::of_nothing(&request);
        for (clock, header) in [
            (None, None),
            (Some("cpu"), None),
            (Some("wall"), Some("wall")),
        ] {
            report.clock = clock;
            let response = report.response(End::Completed, false);
            let said = response.headers().get("burn-clock");
            assert_eq!(said.map(|value| value.to_str().unwrap()), header);
        }
    }

    const TWO_CORES: query::RequestLimits = query::RequestLimits {
        max_minutes: 60.0,
        max_millicores: 2000,
    };
}
