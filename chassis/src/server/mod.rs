//! The server: a listener, an accept loop, and a task for each connection. It is handed a hyper
//! service and a [`Life`], and knows nothing else of what it serves. It has what hyper leaves to its
//! user: timeouts, a bound on what a client may hold, and an end in good order.

mod accept_loop;
mod census;
mod connection;
mod drive;
mod gate;
mod listen;
mod peer;
mod progress;
mod settings;
mod shared;
mod socket;
mod timeouts;
mod timer;
mod tracked;
mod version;
mod warning_limit;

use std::{
    convert::Infallible,
    error::Error,
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use hyper::{Request, Response, body::Incoming, service::Service};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::task::TaskTracker;

pub use self::{
    census::Census,
    gate::Gate,
    listen::{BindError, bind},
    peer::Peer,
    settings::Settings,
    timeouts::Timeouts,
};
use self::{connection::Admission, progress::Remaining, shared::Shared};
use crate::lifecycle::{Life, Stoppable, WaitsFor};

/// A server that runs. It accepts until its life's phase is `Closing`.
#[derive(Debug)]
pub struct Server {
    accepting: JoinHandle<()>,
    connections: TaskTracker,
    turnover: Turnover,
    remaining: Remaining,
    census: Census,
}

/// How many connections have come and gone.
#[derive(Clone, Debug, Default)]
pub struct Turnover(Arc<AtomicU64>);

impl Turnover {
    /// The sum of both.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Server {
    /// Starts to accept connections while the gate is open, and has each one's requests answered by the service that
    /// `service_for` makes for its peer.
    pub fn start<M, S, B>(
        listener: TcpListener,
        gate: Gate,
        service_for: M,
        life: Life,
        timeouts: Timeouts,
        max_connections: usize,
    ) -> Self
    where
        M: Fn(Peer) -> S + Clone + Send + 'static,
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
        S::Future: Send,
        B: hyper::body::Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>>
            + Send
            + 'static,
    {
        let (connections, turnover) = (TaskTracker::new(), Turnover::default());
        let remaining = Remaining::default();
        let census = Census::new(max_connections, settings::max_surplus());
        let serve = {
            let (connections, turnover) = (connections.clone(), turnover.clone());
            let census = census.clone();
            let shared = Arc::new(Shared {
                life: life.clone(),
                timeouts,
                epoch: Instant::now(),
                remaining: remaining.clone(),
                census: census.clone(),
            });
            move |stream: TcpStream, address: SocketAddr| {
                let (shared, service_for) = (Arc::clone(&shared), service_for.clone());
                let turnover = turnover.clone();
                turnover.add_one();
                let place = census.place();
                let is_surplus = place.is_none();
                let handle = Arc::new(OnceLock::new());
                let task = connections.spawn({
                    let handle = Arc::clone(&handle);
                    async move {
                        let admission = Admission { place, handle };
                        connection::serve(stream, address, service_for, shared, admission).await;
                        turnover.add_one();
                    }
                });
                let _ = handle.set(task.abort_handle()); // nobody else does
                if is_surplus {
                    census.add_surplus(task.abort_handle());
                }
            }
        };
        Self {
            accepting: tokio::spawn(accept_loop::accept(
                listener,
                gate,
                life,
                census.clone(),
                serve,
            )),
            connections,
            turnover,
            remaining,
            census,
        }
    }

    /// How many connections there are.
    pub fn census(&self) -> Census {
        self.census.clone()
    }

    /// How many connections have come and gone, from now on.
    pub fn turnover(&self) -> Turnover {
        self.turnover.clone()
    }
}

impl Stoppable for Server {
    async fn closed(&mut self) {
        if (&mut self.accepting).await.is_err() {
            tracing::error!("the accept loop had failed");
        }
        self.connections.close();
    }

    async fn gone(&self) {
        self.connections.wait().await;
    }

    fn waits_for(&self) -> WaitsFor {
        self.remaining.wait_for()
    }
}
