//! Sends requests at a fixed rate and counts what became of them, for the subcommand `load` and for the page.
//!
//! It is an open loop: request number i is due i / rate seconds after the start, whatever happened
//! to those before it, and its latency counts from then, as does its timeout. So a stall of the
//! service isn't hidden by a client that waits for it, and everything has ended one timeout after
//! the last request was due. Nothing is retried. A request that no connection was free for is not sent.
//! It is counted apart from those that failed, since it says nothing of the service.
//! Above 2000 a second, the requests that fall into the same half millisecond are due together: otherwise most of
//! the cost is to wake up.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `target`, [`resolver`] | the URL, and the addresses that its name resolves to |
//! | `pace`, `alarm` | when each request is due |
//! | `running` | the tasks that send them, until the time is over |
//! | `connection` | one request over a fresh or a kept connection |
//! | `answer` | what comes back |
//! | `failure` | how a request can fail |
//! | `tally`, `latencies` | counts and quantiles, per second and in all |
//!
//! A Service's name resolves to one address, and a connection to it stays with one pod. So kept
//! connections reach at most as many pods as there are connections, and never a new pod, unless they
//! are renewed now and then.
//!
//! Left out: HTTP/2, bodies, and more than one URL.

mod alarm;
mod answer;
mod connection;
mod failure;
mod latencies;
mod pace;
pub mod resolver;
mod running;
mod tally;
mod target;

pub use self::{
    answer::{Exchange, Responder},
    connection::{Connection, Reuse},
    failure::{Failure, FailureName, causes},
    latencies::Latencies,
    running::{Plan, Running},
    tally::Count,
    target::Target,
};

/// What `fuzz/` tests beside what is public. cargo fuzz alone sets this.
#[cfg(fuzzing)]
#[allow(missing_docs)]
pub mod fuzz {
    use hyper::Uri;
    use tokio::io::AsyncRead;

    use crate::{Exchange, Failure, answer::Input, target};

    /// The request of a URL, over a kept connection and over a fresh one.
    pub fn requests(url: &Uri, host: &[u8]) -> [Box<[u8]>; 2] {
        target::sent(url, host)
    }

    /// A whole answer, and whether its connection is kept.
    pub async fn answer(
        stream: &mut (impl AsyncRead + Unpin),
    ) -> Result<(Exchange, bool), Failure> {
        Input::default().answer(stream).await
    }
}
