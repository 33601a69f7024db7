//! `GET /test/highcpu?minutes=N&millicores=M`: burns, then answers. What it asks for is read in
//! `query`, burnt in `burn`; here is only when to answer what.

use std::{fmt::Write, time::Duration};

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chassis::{
    http::{Refusal, TEXT},
    system::container::Throttling,
};
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval_at};
use tracing::info;

use crate::{
    Oneapi,
    burn::{Ask, Burn, CannotStart, End, Handle},
    query,
};

pub(crate) async fn highcpu(
    State(oneapi): State<Oneapi>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let ask = query::ask(&query.unwrap_or_default(), oneapi.most)?;
    let json = wants_json(&headers);
    if ask.duration.is_zero() {
        return Ok(Report::of_nothing(&ask).answer(StatusCode::OK, End::Over, json));
    }
    if let Some(stop) = oneapi.life.requested_stop()
        && std::time::Instant::now() + ask.duration > stop.deadline
    {
        return Err(
            Refusal::unavailable("stopping, and so long a burn would not be over in time").into(),
        );
    }
    let handle = oneapi.burns.start(ask)?;
    let log = Log::start(&handle);
    let (status, end) = tokio::select! {
        end = finish(&handle) => (StatusCode::OK, end),
        () = hopeless(&oneapi, &handle.burn) => {
            handle.burn.end();
            (StatusCode::SERVICE_UNAVAILABLE, handle.end().await)
        }
    };
    drop(log);
    Ok(Report::of(&handle).answer(status, end, json))
}

/// Logs a line now and then while waiting for the end.
async fn finish(handle: &Handle) -> End {
    /// The wake-up alone, without a line, costs some 0.16 ms of CPU that nobody asked for: each
    /// second, it would put a burn of 50 millicores a third of a percent off.
    const LINE: Duration = Duration::from_secs(10);
    let mut line = interval_at(tokio::time::Instant::now() + LINE, LINE);
    line.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            end = handle.end() => return end,
            _ = line.tick() => {
                let burn = &handle.burn;
                let (achieved, left) = (burn.achieved().as_secs_f64(), burn.left().as_secs_f64());
                info!(id = burn.id, achieved_seconds = achieved, left_seconds = left, "burning");
            }
        }
    }
}

/// Waits for a stop whose deadline comes before the burn's end; for ever, if none does.
async fn hopeless(oneapi: &Oneapi, burn: &Burn) {
    if oneapi.life.stop_requested().await.deadline < burn.over_at() {
        return;
    }
    std::future::pending().await
}

fn wants_json(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().any(|accept| {
        accept
            .to_str()
            .is_ok_and(|accept| accept.contains("application/json"))
    })
}

/// Logs a burn's start, and its end when dropped: over, ended, or its client gone.
struct Log<'a>(&'a Burn);

impl<'a> Log<'a> {
    fn start(handle: &'a Handle) -> Self {
        let burn = &*handle.burn;
        let (millicores, granted) = (burn.ask.millicores, burn.granted());
        let seconds = burn.ask.duration.as_secs_f64();
        info!(
            id = burn.id,
            millicores,
            granted_millicores = granted,
            seconds,
            "burn started"
        );
        Self(burn)
    }
}

impl Drop for Log<'_> {
    fn drop(&mut self) {
        let burn = self.0;
        info!(
            id = burn.id,
            asked_seconds = burn.ask.cpu_time().as_secs_f64(),
            achieved_seconds = burn.achieved().as_secs_f64(),
            left_seconds = burn.left().as_secs_f64(),
            "burn ended"
        );
    }
}

/// What a burn came to.
#[derive(Debug, Serialize)]
struct Report {
    asked_millicores: u32,
    /// The least of the time. Less than asked where the sum of the burns is kept below the
    /// container's limit.
    granted_millicores: u32,
    /// CPU seconds.
    asked_seconds: f64,
    achieved_seconds: f64,
    wall_seconds: f64,
    /// Of the whole container while it burnt; none where nothing is limited.
    throttled_periods: Option<u64>,
    /// Of the periods of that time, from 0 to 1.
    throttled_share: Option<f64>,
}

const ASKED: HeaderName = HeaderName::from_static("burn-asked-seconds");
const ACHIEVED: HeaderName = HeaderName::from_static("burn-achieved-seconds");

impl Report {
    fn of(handle: &Handle) -> Self {
        let (burn, throttling) = (&handle.burn, handle.throttling());
        Self {
            asked_millicores: burn.ask.millicores,
            granted_millicores: burn.least_granted(),
            asked_seconds: burn.ask.cpu_time().as_secs_f64(),
            achieved_seconds: burn.achieved().as_secs_f64(),
            wall_seconds: burn.began.elapsed().as_secs_f64(),
            throttled_periods: throttling.map(|t| t.throttled_periods),
            throttled_share: throttling.map(Throttling::share),
        }
    }

    fn of_nothing(ask: &Ask) -> Self {
        Self {
            asked_millicores: ask.millicores,
            granted_millicores: ask.millicores,
            asked_seconds: 0.0,
            achieved_seconds: 0.0,
            wall_seconds: 0.0,
            throttled_periods: None,
            throttled_share: None,
        }
    }

    /// `ok` for a burn that went to its end as asked; else how far it came, or why it was less.
    fn sentence(&self, status: StatusCode, end: End) -> String {
        let Self {
            achieved_seconds,
            asked_seconds,
            ..
        } = self;
        let mut sentence = match (status, end) {
            (StatusCode::OK, End::Over) => return "ok".to_owned(),
            (StatusCode::OK, End::Ended) => "ended".to_owned(),
            _ => "stopping".to_owned(),
        };
        let _ = write!(
            sentence,
            " after {:.3} s: {achieved_seconds:.3} of {asked_seconds:.3} CPU seconds",
            self.wall_seconds
        );
        sentence
    }

    fn answer(&self, status: StatusCode, end: End, json: bool) -> Response {
        let number = |n: f64| HeaderValue::from_str(&format!("{n:.6}")).expect("digits are valid");
        let mut response = if json {
            let body = serde_json::to_string(self).expect("plain values always become JSON");
            (
                status,
                [(
                    header::CONTENT_TYPE,
                    HeaderValue::from_static("application/json"),
                )],
                body,
            )
                .into_response()
        } else {
            (
                status,
                [(header::CONTENT_TYPE, TEXT)],
                self.sentence(status, end),
            )
                .into_response()
        };
        let headers = response.headers_mut();
        headers.insert(ASKED, number(self.asked_seconds));
        headers.insert(ACHIEVED, number(self.achieved_seconds));
        if self.granted_millicores < self.asked_millicores {
            headers.insert(GRANTED, HeaderValue::from(self.granted_millicores));
        }
        response
    }
}

/// Only there when it is less than what was asked.
const GRANTED: HeaderName = HeaderName::from_static("burn-granted-millicores");

/// Why nothing was burnt.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The status is the refusal's own: 400 or 503.
    Said(Refusal),
    /// 429 with `Retry-After`, or 503 where the system has no threads left.
    CannotStart(CannotStart),
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Said(refusal)
    }
}

impl From<CannotStart> for Refused {
    fn from(why: CannotStart) -> Self {
        Self::CannotStart(why)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Said(refusal) => refusal.into_response(),
            Self::CannotStart(CannotStart::NoThreads) => {
                Refusal::unavailable("the system has no threads left").into_response()
            }
            Self::CannotStart(CannotStart::TooMany(soonest)) => {
                let seconds = soonest.as_secs() + 1;
                let refusal = Refusal::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    format!("too many burns: the first is over in {seconds} s"),
                );
                ([(header::RETRY_AFTER, HeaderValue::from(seconds))], refusal).into_response()
            }
        }
    }
}
