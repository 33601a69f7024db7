//! The listener, the accept loop, and the stop from the signal to the exit. The order of a stop:
//!
//! 1. the signal: `/readyz` says no from here on, and HTTP/1.1 answers carry `Connection: close`;
//! 2. `DRAIN_DELAY` later: what waits in the backlog is accepted still, then the listener closes;
//! 3. requests in flight end, or are cut off `STOP_TIMEOUT` after the signal;
//! 4. exit 0. A second signal exits at once, with 128 and its number.
//!
//! Each moment is one event with the milliseconds since the signal, in the order of time.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
    task::Poll,
    time::{Duration, Instant},
};

use axum::Router;
use socket2::{Domain, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, sleep_until, timeout_at},
};
use tracing::{error, info, warn};

use crate::{
    Chassis,
    connection::Connections,
    life::{Phase, Stop},
    signal::{Signal, Signals},
    termination,
};

/// Connections that may wait to be accepted; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// How long to wait when the process can't accept because it is out of file descriptors or
/// memory: long enough not to spin, short enough not to be noticed once there are some again.
const BACK_OFF: Duration = Duration::from_millis(50);

/// A shortage is told of once in a while: it can come and go with every connection.
const WARN_AGAIN: Duration = Duration::from_secs(10);

/// Why a service could not listen, in a sentence that names the address.
#[derive(Debug)]
pub struct BindError {
    address: SocketAddr,
    cause: io::Error,
}

impl std::fmt::Display for BindError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { address, cause } = self;
        write!(f, "cannot listen on {address}: ")?;
        match cause.kind() {
            io::ErrorKind::AddrInUse => write!(
                f,
                "port {} is taken by another program (in a pod: by another container of the same pod)",
                address.port()
            ),
            io::ErrorKind::PermissionDenied => {
                write!(f, "this user may not listen on port {}", address.port())
            }
            io::ErrorKind::AddrNotAvailable => write!(f, "this machine does not have that address"),
            _ => write!(f, "{cause}"),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// Listens. `[::]` takes IPv4 too, and becomes `0.0.0.0` where there is no IPv6.
///
/// # Errors
/// The port is taken, not allowed, or the address is not this machine's.
pub fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    let bound = match listen(address) {
        // No IPv6 at all: the family is unknown, or there is no address of it.
        Err(error)
            if address.ip() == std::net::Ipv6Addr::UNSPECIFIED
                && (error.raw_os_error() == Some(NO_SUCH_FAMILY)
                    || error.kind() == io::ErrorKind::AddrNotAvailable) =>
        {
            listen((Ipv4Addr::UNSPECIFIED, address.port()).into())
        }
        other => other,
    };
    bound.map_err(|cause| BindError { address, cause })
}

/// EAFNOSUPPORT, which has no `ErrorKind`.
const NO_SUCH_FAMILY: i32 = if cfg!(target_os = "linux") { 97 } else { 47 };

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?; // whatever the machine's default is
    }
    // A restarted process need not wait for the old one's connections to time out. SO_REUSEPORT
    // is never set: two containers of one pod would then share a port in silence.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Serves `routes`, and the shared ones, until a signal; then stops in order.
pub async fn serve(
    chassis: Chassis,
    routes: Router,
    listener: TcpListener,
    mut signals: Signals,
) -> ExitCode {
    announce(&chassis, &listener);
    let connections = Connections::new(&chassis, chassis.with_shared_routes(routes));
    let accepting = tokio::spawn(accept(listener, connections.clone()));

    let signal = signals.next().await;
    let stop = chassis
        .life
        .begin_stop(Instant::now(), chassis.settings.stop_timeout);
    tokio::select! {
        summary = stop_in_order(&chassis, signal, stop, accepting, connections) => {
            termination::say(&summary);
            ExitCode::SUCCESS
        }
        second = signals.next() => {
            let ms = millis_since(stop);
            warn!(ms, signal = second.name(), "second signal, exit at once");
            termination::say(&format!("{} after {ms} ms of stopping: exit at once", second.name()));
            ExitCode::from(second.exit_code())
        }
    }
}

fn announce(chassis: &Chassis, listener: &TcpListener) {
    let (identity, settings) = (&chassis.identity, &chassis.settings);
    info!(
        service = identity.service.name,
        version = identity.service.version,
        commit = identity.service.commit,
        listen = listener.local_addr().map(|address| address.to_string()).unwrap_or_default(),
        pod = identity.pod,
        ip = %identity.address.get(),
        drain_delay = %humantime::format_duration(settings.drain_delay),
        stop_timeout = %humantime::format_duration(settings.stop_timeout),
        "started"
    );
}

async fn accept(listener: TcpListener, connections: Connections) {
    let mut phase = connections.phase();
    let closing = phase.wait_for(|phase| matches!(phase, Phase::Closing(_)));
    tokio::pin!(closing);
    let mut warned: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            biased;
            _ = &mut closing => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.serve(stream);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if warned.is_none_or(|at| at.elapsed() >= WARN_AGAIN) {
                    warned = Some(Instant::now());
                    warn!(%error, "cannot accept connections, waiting for resources");
                }
                sleep(BACK_OFF).await;
            }
        }
    }
    // Closing a listener resets what is in its backlog, and those clients did nothing wrong.
    while let Some(stream) = waiting(&listener).await {
        connections.serve(stream);
    }
}

/// A connection that ended before it was accepted says nothing of the next.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

/// The next connection that is already there.
async fn waiting(listener: &TcpListener) -> Option<TcpStream> {
    let look = std::future::poll_fn(|cx| match listener.poll_accept(cx) {
        Poll::Ready(Ok((stream, _))) => Poll::Ready(Some(stream)),
        Poll::Ready(Err(_)) | Poll::Pending => Poll::Ready(None),
    });
    // Else the runtime would now and then say "pending" just to be fair to other tasks.
    tokio::task::unconstrained(look).await
}

async fn stop_in_order(
    chassis: &Chassis,
    signal: Signal,
    stop: Stop,
    accepting: tokio::task::JoinHandle<()>,
    connections: Connections,
) -> String {
    // Taken before anything is written, which may take a while: requests go on meanwhile, and the
    // moments are told in their order.
    let off = millis_since(stop);
    info!(
        ms = 0,
        signal = signal.name(),
        in_flight = chassis.metrics.in_flight(),
        "signal received"
    );
    info!(ms = off, "readiness off");
    sleep_until((stop.at + chassis.settings.drain_delay).into()).await;

    chassis.life.close(stop);
    if accepting.await.is_err() {
        error!("the accept loop had failed");
    }
    let closed = millis_since(stop);
    let late = chassis.life.late();
    if late.requests > 0 {
        info!(
            ms = millis(late.last),
            since_signal = late.requests,
            "last request accepted"
        );
    }
    info!(
        ms = closed,
        in_flight = chassis.metrics.in_flight(),
        "listener closed"
    );

    let cut_off = match timeout_at(stop.deadline.into(), connections.gone()).await {
        Ok(()) => 0,
        Err(_) => connections.open(),
    };
    let ended = millis_since(stop);
    if cut_off == 0 {
        info!(ms = ended, "in flight at zero");
    } else {
        warn!(ms = ended, cut_off, "in flight cut off");
    }
    info!(ms = millis_since(stop), code = 0, "exit");
    format!(
        "{}: {} requests after it, the last at {} ms; listener closed at {closed} ms; \
         {} at {ended} ms",
        signal.name(),
        late.requests,
        millis(late.last),
        if cut_off == 0 {
            "in flight at zero".to_owned()
        } else {
            format!("{cut_off} cut off")
        },
    )
}

fn millis_since(stop: Stop) -> u64 {
    millis(stop.at.elapsed())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
