//! Which version of HTTP a client speaks, by the first bytes that it sends.

use std::{io, time::Duration};

use rustix::net::RecvFlags;
use tokio::{
    io::Interest,
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};

use super::timeouts::Timeouts;
use crate::lifecycle::Life;

/// How long a connection has to send something from when it was accepted, if the listener closes meanwhile. The
/// client's first bytes may have been dropped, and most systems send them again after 200 to 300 ms; see
/// [`admit_nobody_new`](super::listen::admit_nobody_new). Or it has connected and then stands still, as a proxy
/// does that has used up its CPU limit: for 100 ms or a little more.
const NEW: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// Waits for the client to say something, and looks at it without taking it: HTTP/2 begins with a
/// method that no other request has. `None` if nothing comes in time.
pub(super) async fn first_bytes(
    stream: &TcpStream,
    life: &Life,
    timeouts: &Timeouts,
) -> Option<Version> {
    let accepted = Instant::now();
    let closing = async {
        life.closing().await;
        sleep_until((Instant::now() + timeouts.latecomer).max(accepted + NEW)).await;
    };
    // Until something comes, it is as idle as between two requests: pools have connections in reserve.
    let version = async {
        let begun = peek(stream, |_, _| Some(()));
        timeout(timeouts.idle, begun).await.ok()?.ok()?;
        timeout(timeouts.header, peek(stream, version_of))
            .await
            .ok()?
            .ok()
    };
    tokio::select! {
        biased; // what has come counts, even if it is late
        version = version => version,
        () = closing => None,
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// `None` for a part of the preface. A client that has closed its sending side sends no more.
fn version_of(first: &[u8], is_closed: bool) -> Option<Version> {
    match first {
        PREFACE => Some(Version::Http2),
        part if PREFACE.starts_with(part) && !is_closed => None,
        _ => Some(Version::Http1),
    }
}

/// Looks at the first bytes whenever there are more, until `read` makes something of them.
async fn peek<T>(stream: &TcpStream, read: impl Fn(&[u8], bool) -> Option<T>) -> io::Result<T> {
    loop {
        let ready = stream.ready(Interest::READABLE).await?;
        let found = stream.try_io(Interest::READABLE, || {
            let mut first = [0; PREFACE.len()];
            let (n, _) = rustix::net::recv(stream, &mut first, RecvFlags::PEEK)?;
            match read(&first[..n], ready.is_read_closed()) {
                _ if n == 0 => Err(io::ErrorKind::UnexpectedEof.into()),
                Some(found) => Ok(found),
                // The next look is when there is more.
                None => Err(io::ErrorKind::WouldBlock.into()),
            }
        });
        match found {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            found => return found,
        }
    }
}
