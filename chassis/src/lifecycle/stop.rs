//! The stop, from the signal to the exit, in this order:
//!
//! 1. the signal: `/readyz` answers 503 from here on, and HTTP/1.1 answers carry `Connection: close`;
//! 2. `DRAIN_DELAY` later: what waits in the backlog is still accepted, then the listener closes;
//! 3. requests in flight end, or are cut off `STOP_TIMEOUT` after the signal;
//! 4. exit 0. A second signal exits at once, with 128 and its number.
//!
//! Each moment is one log event with the milliseconds since the signal, in the order of time.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use tokio::time::{sleep_until, timeout_at};
use tracing::{info, warn};

use super::{
    Settings,
    life::{Life, Stop},
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

    /// How many connections are open.
    fn open(&self) -> usize;
}

/// Waits for the signal, and then stops `server` in order. `in_flight` says how many requests are
/// being answered, for the log. Returns what the process exits with.
pub async fn stop_in_order(
    life: &Life,
    settings: &Settings,
    mut signals: Signals,
    server: impl Stoppable,
    in_flight: impl Fn() -> u64,
) -> ExitCode {
    let signal = signals.next().await;
    let stop = life.begin_stop(Instant::now(), settings.stop_timeout);
    tokio::select! {
        summary = drain_and_close(life, settings, signal, stop, server, in_flight) => {
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
    requests: impl Fn() -> u64,
) -> String {
    let in_flight = || requests() + life.working() as u64;
    let since_signal = || millis(stop.at.elapsed());
    // Taken before anything is written, which may take a while: requests go on meanwhile, and the
    // moments are logged in their order.
    let readiness_off = since_signal();
    info!(
        ms = 0,
        signal = signal.name(),
        in_flight = in_flight(),
        "signal received"
    );
    info!(ms = readiness_off, "readiness off");
    sleep_until((stop.at + settings.drain_delay).into()).await;

    life.close(stop);
    server.closed().await;
    let closed = since_signal();
    let late = life.late_requests();
    let last = millis(late.last);
    if late.count > 0 {
        info!(
            ms = last,
            since_signal = late.count,
            "last request accepted"
        );
    }
    info!(ms = closed, in_flight = in_flight(), "listener closed");

    let gone = async {
        server.gone().await;
        life.work_done().await; // after the last connection: a request may start some
    };
    let cut_off = match timeout_at(stop.deadline.into(), gone).await {
        Ok(()) => 0,
        Err(_) => server.open() + life.working(),
    };
    let ended = since_signal();
    let end = if cut_off == 0 {
        info!(ms = ended, "in flight at zero");
        "in flight at zero".to_owned()
    } else {
        warn!(ms = ended, cut_off, "in flight cut off");
        format!("{cut_off} cut off")
    };
    info!(ms = since_signal(), code = 0, "exit");
    format!(
        "{}: {} requests after it, the last at {last} ms; listener closed at {closed} ms; \
         {end} at {ended} ms",
        signal.name(),
        late.count,
    )
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
