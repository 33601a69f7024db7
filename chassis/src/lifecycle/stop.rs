//! The stop, from the signal to the exit, in this order:
//!
//! 1. the signal: `/readyz` answers 503 from here on, and HTTP/1.1 answers carry `Connection: close`;
//! 2. `DRAIN_DELAY` later: what waits in the backlog is still accepted, then the listener closes;
//! 3. requests in flight end, or are cut off `STOP_TIMEOUT` after the signal;
//! 4. exit 0. A second signal exits at once, with 128 and its number.
//!
//! Each moment is one log event with the milliseconds since the signal, in the order of time.

use std::{
    pin::pin,
    process::ExitCode,
    time::{Duration, Instant},
};

use tokio::time::{sleep_until, timeout_at};
use tracing::{info, warn};

use super::{
    life::{Life, Stop},
    settings::Settings,
    signal::{Signal, Signals},
    termination,
};

/// What is stopped: it accepts until the phase is [`Closing`](super::Phase::Closing), and has
/// connections that end by themselves once they have nothing left to do.
pub trait Stoppable {
    /// Waits until nothing is accepted any more, which the phase asks for.
    fn closed(&mut self) -> impl Future<Output = ()> + Send;

    /// Waits until the last connection has ended.
    fn gone(&self) -> impl Future<Output = ()> + Send;

    /// What connections are still there for, once nothing is accepted any more.
    fn waits_for(&self) -> WaitsFor;
}

/// What holds up a stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WaitsFor {
    /// Requests that are being answered, and work that no request waits for.
    pub in_flight: usize,
    /// Requests of which a part has come in.
    pub coming_in: usize,
    /// Connections that have nothing left to do, and whose clients haven't closed yet.
    pub lingering: usize,
}

/// A stop that waits says so when what it waits for has changed, and no more often than this.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Waits for the signal, and then stops `server` in order. `in_flight` says how many requests are
/// being answered, for the log. `last` is done when nothing is left of it, for as long as there is time.
/// Returns what the process exits with.
pub async fn stop_in_order(
    life: &Life,
    settings: &Settings,
    mut signals: Signals,
    server: impl Stoppable,
    in_flight: impl Fn() -> u64,
    last: impl Future<Output = ()>,
) -> ExitCode {
    let signal = signals.next().await;
    // Counted before anybody hears of the stop: some work ends at once by that.
    let before = in_flight() + life.working() as u64;
    let stop = life.begin_stop(Instant::now(), settings.stop_timeout);
    tokio::select! {
        summary = drain_and_close(life, settings, signal, stop, server, before, last) => {
            termination::write(&summary);
            ExitCode::SUCCESS
        }
        second = signals.next() => {
            let ms = millis(stop.at.elapsed());
            warn!(ms, signal = second.name(), "second signal, exiting at once");
            termination::write(&format!(
                "{} {ms} ms after the first signal: exited at once",
                second.name()
            ));
            ExitCode::from(second.exit_code())
        }
    }
}

/// Returns the summary for the termination message.
async fn drain_and_close(
    life: &Life,
    settings: &Settings,
    signal: Signal,
    stop: Stop,
    mut server: impl Stoppable,
    in_flight: u64,
    last: impl Future<Output = ()>,
) -> String {
    let since_signal = || millis(stop.at.elapsed());
    // Taken before anything is written, which may take a while: requests go on meanwhile, and the
    // moments are logged in their order.
    let readiness_off = since_signal();
    info!(ms = 0, signal = signal.name(), in_flight, "signal received");
    info!(ms = readiness_off, "readiness off");
    sleep_until((stop.at + settings.drain_delay).into()).await;

    life.close(stop);
    server.closed().await;
    let closed = since_signal();
    let late = life.late_requests();
    let last_came = millis(late.last);
    if late.count > 0 {
        info!(
            ms = last_came,
            since_signal = late.count,
            "last request accepted"
        );
    }
    let waits_for = || {
        let mut rest = server.waits_for();
        rest.in_flight += life.working();
        rest
    };
    let rest = waits_for();
    info!(
        ms = closed,
        in_flight = rest.in_flight,
        coming_in = if_any(rest.coming_in),
        lingering = if_any(rest.lingering),
        "listener closed"
    );

    let gone = async {
        server.gone().await;
        life.work_done().await; // after the last connection: a request may start some
    };
    let rest = rest_at_the_end(stop, rest, gone, waits_for).await;
    let ended = since_signal();
    // Who only lingers has had its answer.
    let end = if rest.in_flight + rest.coming_in == 0 {
        info!(
            ms = ended,
            lingering = if_any(rest.lingering),
            "in flight at zero"
        );
        "in flight at zero".to_owned()
    } else {
        warn!(
            ms = ended,
            cut_off = rest.in_flight,
            coming_in = if_any(rest.coming_in),
            lingering = if_any(rest.lingering),
            "in flight cut off"
        );
        format!("{} cut off", rest.in_flight + rest.coming_in)
    };
    let _ = timeout_at(stop.deadline.into(), last).await;
    info!(ms = since_signal(), code = 0, "exit");
    format!(
        "{}: {} requests after it, the last at {last_came} ms; listener closed at {closed} ms; \
         {end} at {ended} ms",
        signal.name(),
        late.count,
    )
}

/// What is left at the deadline, or nothing if all have gone before.
async fn rest_at_the_end(
    stop: Stop,
    mut told: WaitsFor,
    gone: impl Future<Output = ()>,
    waits_for: impl Fn() -> WaitsFor,
) -> WaitsFor {
    let mut gone = pin!(gone);
    loop {
        let next_look = stop.deadline.min(Instant::now() + LOOK_AGAIN);
        if timeout_at(next_look.into(), gone.as_mut()).await.is_ok() {
            return WaitsFor::default();
        }
        let rest = waits_for();
        if Instant::now() >= stop.deadline {
            return rest;
        }
        if rest != told {
            told = rest;
            info!(
                ms = millis(stop.at.elapsed()),
                in_flight = rest.in_flight,
                coming_in = if_any(rest.coming_in),
                lingering = if_any(rest.lingering),
                "still waiting"
            );
        }
    }
}

/// For a field that is only there when it says something.
fn if_any(count: usize) -> Option<usize> {
    (count > 0).then_some(count)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
