//! The accept loop: it goes on until the listener is to close, whatever goes wrong meanwhile, and
//! leaves nobody behind in the backlog.

use std::{
    io,
    net::SocketAddr,
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

use tokio::{
    net::{TcpListener, TcpStream},
    task::yield_now,
    time::sleep,
};
use tracing::warn;

use super::{census::Census, gate::Gate, listen, warning_limit::WarningLimit};
use crate::lifecycle::Life;

/// How long to wait when the process can't accept because it is out of file descriptors or
/// memory: long enough not to spin, short enough not to be noticed once there are some again.
const BACK_OFF: Duration = Duration::from_millis(50);

/// A client is connected as soon as it has heard from here, and this process learns of that half a
/// round trip later. So for the time of a round trip within a region nobody new may begin to connect
/// before the listener closes, and those who have begun are served. A client that tries meanwhile tries again a
/// second later, and is refused then: so it is short.
const LAST_HANDSHAKES: Duration = Duration::from_millis(20);

/// After this many connections the last sweep lets other tasks work.
const SWEPT_AT_ONCE: usize = 64;

/// How long the last sweep may take, in all, when the process is out of file descriptors.
const LAST_SWEEP: Duration = Duration::from_secs(1);

/// After this many surplus connections the loop pauses for a moment. The newest of 128 ends the oldest: so a probe
/// in a crowd has some milliseconds to be answered. Half a second is enough for all of a full backlog.
const SURPLUS_AT_ONCE: u64 = 16;
const SURPLUS_PAUSE: Duration = Duration::from_millis(1);

/// Accepts until the life's phase is `Closing`, then takes what waits in the backlog, and closes.
pub(super) async fn accept(
    listener: TcpListener,
    mut gate: Gate,
    life: Life,
    census: Census,
    serve: impl Fn(TcpStream, SocketAddr),
) {
    let mut closing = pin!(life.closing());
    // What can't be accepted for want of something is returned.
    let take = move |accepted: Accepted| match accepted {
        Ok((stream, address)) => {
            serve(stream, address);
            None
        }
        Err(error) if is_of_one_connection(&error) => None,
        Err(error) => Some(error),
    };
    let mut shortage = Shortage::default();
    let mut surplus = census.surplus();
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut closing => break,
            () = gate.until_shut() => {
                tokio::select! {
                    biased;
                    () = &mut closing => break,
                    () = gate.until_open() => continue,
                }
            }
            accepted = listener.accept() => accepted,
        };
        if let Some(error) = take(accepted) {
            shortage.wait(&error).await;
        }
        if census.surplus() - surplus >= SURPLUS_AT_ONCE {
            surplus = census.surplus();
            sleep(SURPLUS_PAUSE).await;
        }
    }
    // Closing a listener resets what is in its backlog, and what becomes part of it in that moment; and
    // those clients did nothing wrong.
    let take_last =
        move |accepted: Accepted| take(accepted.inspect(|(stream, _)| listen::hear_all(stream)));
    if listen::admit_nobody_new(&listener) {
        let mut over = pin!(sleep(LAST_HANDSHAKES));
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut over => break,
                accepted = listener.accept() => accepted,
            };
            if let Some(error) = take_last(accepted) {
                shortage.wait(&error).await;
            }
        }
    }
    sweep(
        &listener,
        listen::BACKLOG as usize,
        &mut shortage,
        take_last,
    )
    .await;
}

/// Takes what waits in the backlog; `most` of it, since there may always be one more where clients
/// can't be kept from connecting.
async fn sweep(
    listener: &TcpListener,
    most: usize,
    shortage: &mut Shortage,
    take: impl Fn(Accepted) -> Option<io::Error>,
) {
    let deadline = Instant::now() + LAST_SWEEP;
    for swept in 1..=most {
        let Some(accepted) = waiting(listener).await else {
            return;
        };
        match take(accepted) {
            None => {}
            Some(error) if Instant::now() < deadline => shortage.wait(&error).await,
            Some(_) => return,
        }
        if swept % SWEPT_AT_ONCE == 0 {
            yield_now().await;
        }
    }
}

type Accepted = io::Result<(TcpStream, SocketAddr)>;

/// A connection that ended before it was accepted says nothing of the next.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

/// The next connection that is already there.
async fn waiting(listener: &TcpListener) -> Option<Accepted> {
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
    warnings: WarningLimit,
}

impl Shortage {
    async fn wait(&mut self, error: &io::Error) {
        if self.warnings.allows_one() {
            warn!(%error, "cannot accept connections, waiting for resources");
        }
        sleep(BACK_OFF).await;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        net::{Ipv4Addr, TcpStream as Client},
        rc::Rc,
    };

    use tokio::{
        sync::mpsc,
        task::{LocalSet, spawn_local},
        time,
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_surplus_connection_has_a_moment_to_ask_for_a_probe() {
        const CROWD: usize = 300;
        let listener = listen::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let clients: Vec<_> = (0..CROWD).map(|_| Client::connect(address)).collect();
        assert!(clients.iter().all(Result::is_ok));
        let (census, life) = (Census::new(0, 128), Life::new(Duration::ZERO));
        let (sender, mut times) = mpsc::unbounded_channel();
        let serve = {
            let census = census.clone();
            move |_, _| {
                census.add_surplus(tokio::spawn(std::future::pending::<()>()).abort_handle());
                sender.send(time::Instant::now()).unwrap();
            }
        };
        let accepting = tokio::spawn(accept(listener, Gate::default(), life, census, serve));
        let mut let_in = Vec::new();
        while let_in.len() < CROWD {
            times.recv_many(&mut let_in, CROWD).await;
        }
        accepting.abort();
        let lasted = let_in.windows(129).map(|them| them[128] - them[0]);
        let shortest = lasted.min().unwrap();
        assert!(shortest >= Duration::from_millis(8), "{shortest:?}");
    }

    #[tokio::test]
    async fn the_last_sweep_has_a_bound_and_lets_others_work() {
        let listener = listen::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let clients: Vec<_> = (0..300).map(|_| Client::connect(address)).collect();
        let most = SWEPT_AT_ONCE * 4;
        assert!(clients.len() > most && clients.iter().all(Result::is_ok));
        listener.accept().await.unwrap(); // now the runtime knows of them
        let (swept, turns) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let other = {
            let turns = Rc::clone(&turns);
            async move {
                loop {
                    turns.set(turns.get() + 1);
                    yield_now().await;
                }
            }
        };
        let local = LocalSet::new();
        local
            .run_until(async {
                spawn_local(other);
                sweep(&listener, most, &mut Shortage::default(), |accepted| {
                    swept.set(swept.get() + 1);
                    accepted.err()
                })
                .await;
            })
            .await;
        assert_eq!(swept.get(), most);
        assert!(turns.get() >= 4, "another task had {} turns", turns.get());
    }
}
