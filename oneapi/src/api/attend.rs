//! Waits for the end of a burn.

use std::time::Duration;

use chassis::{lifecycle::Life, system::seconds};
use tokio::time::{MissedTickBehavior, interval_at};
use tracing::info;

use crate::burn::{Caller, Handle, Outcome, RunningBurn};

/// How a burn came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The burn went on for as long as was asked.
    Completed,
    /// Somebody ended it: `DELETE /burns`.
    Ended,
    /// The service stops, and the burn would not have been over in time.
    Stopped,
}

impl End {
    /// The name that JSON answers have.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Ended => "ended",
            Self::Stopped => "stopped",
        }
    }
}

/// Waits for a burn's end, and logs its start and end. A stop of the service ends a burn that would not be over by its deadline.
pub(super) async fn attend(life: &Life, handle: &Handle) -> End {
    let _logged = LoggedBurn::start(handle);
    let (outcome, if_cancelled) = tokio::select! {
        outcome = log_until_finished(handle) => (outcome, End::Ended),
        () = stop_before_completion(life, &handle.burn) => {
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

/// Waits for a stop whose deadline comes before the burn's end. Without one it waits for ever.
async fn stop_before_completion(life: &Life, burn: &RunningBurn) {
    if life.stop_requested().await.deadline < burn.completes_at() {
        return;
    }
    std::future::pending().await
}

/// Logs a burn's start, and its end when dropped: completed, cancelled, or its client gone.
struct LoggedBurn<'a>(&'a RunningBurn);

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

/// `None` leaves the field out of the log.
fn caller(burn: &RunningBurn) -> Option<&str> {
    burn.request.caller.as_ref().map(Caller::as_str)
}
