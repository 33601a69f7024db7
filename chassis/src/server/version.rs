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
    let in_time = async {
        tokio::select! {
            biased; // what has come counts, even if it is late
            version = look(stream) => version.ok(),
            () = closing => None,
        }
    };
    timeout(timeouts.header, in_time).await.ok().flatten()
}

async fn look(stream: &TcpStream) -> io::Result<Version> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";
    loop {
        let ready = stream.ready(Interest::READABLE).await?;
        let version = stream.try_io(Interest::READABLE, || {
            let mut first = [0; PREFACE.len()];
            let (n, _) = rustix::net::recv(stream, &mut first, RecvFlags::PEEK)?;
            match &first[..n] {
                [] => Err(io::ErrorKind::UnexpectedEof.into()),
                PREFACE => Ok(Version::Http2),
                // A part of it is as nothing: the next look is when there is more. A client that has
                // closed its sending side sends no more, and stays ready: looking again would never end.
                part if PREFACE.starts_with(part) && !ready.is_read_closed() => {
                    Err(io::ErrorKind::WouldBlock.into())
                }
                _ => Ok(Version::Http1),
            }
        });
        match version {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            version => return version,
        }
    }
}
