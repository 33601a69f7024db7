//! The accept loop: it goes on until the listener is to close, whatever goes wrong meanwhile, and
//! leaves nobody behind in the backlog.

use std::{
    io,
    net::SocketAddr,
    task::Poll,
    time::{Duration, Instant},
};

use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tracing::warn;

use super::gate::Gate;
use crate::lifecycle::{Life, Phase};

/// How long to wait when the process can't accept because it is out of file descriptors or
/// memory: long enough not to spin, short enough not to be noticed once there are some again.
const BACK_OFF: Duration = Duration::from_millis(50);

/// For how long the backlog is tried for, in all, when the process is out of file descriptors.
const LAST_SWEEP: Duration = Duration::from_secs(1);

/// A shortage is told of once in a while: it can come and go with every connection.
const WARN_AGAIN: Duration = Duration::from_secs(10);

/// Accepts until the life's phase is `Closing`, then takes what waits in the backlog, and closes.
pub(super) async fn accept(
    listener: TcpListener,
    mut gate: Gate,
    life: Life,
    serve: impl Fn(TcpStream, SocketAddr),
) {
    let mut phase = life.phase();
    let closing = async {
        let _ = phase
            .wait_for(|phase| matches!(phase, Phase::Closing(_)))
            .await;
    };
    tokio::pin!(closing);
    let mut shortage = Shortage::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut closing => break,
            () = gate.is(true) => {
                tokio::select! {
                    biased;
                    () = &mut closing => break,
                    () = gate.is(false) => continue,
                }
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => serve(stream, address),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => shortage.wait(&error).await,
        }
    }
    // Closing a listener resets what is in its backlog, and those clients did nothing wrong.
    let deadline = Instant::now() + LAST_SWEEP;
    while let Some(accepted) = waiting(&listener).await {
        match accepted {
            Ok((stream, address)) => serve(stream, address),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) if Instant::now() < deadline => shortage.wait(&error).await,
            Err(_) => break,
        }
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
async fn waiting(listener: &TcpListener) -> Option<io::Result<(TcpStream, SocketAddr)>> {
    let look = std::future::poll_fn(|cx| match listener.poll_accept(cx) {
        Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
        Poll::Pending => Poll::Ready(None),
    });
    // Otherwise the runtime would now and then say "pending" just to be fair to other tasks.
    tokio::task::unconstrained(look).await
}

/// Being out of what it takes to accept a connection.
#[derive(Default)]
struct Shortage {
    warned: Option<Instant>,
}

impl Shortage {
    async fn wait(&mut self, error: &io::Error) {
        if self.warned.is_none_or(|at| at.elapsed() >= WARN_AGAIN) {
            self.warned = Some(Instant::now());
            warn!(%error, "cannot accept connections, waiting for resources");
        }
        sleep(BACK_OFF).await;
    }
}
