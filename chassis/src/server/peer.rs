//! Who is at the other end of a connection, for the service that answers its requests.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Weak,
    time::Duration,
};

use socket2::SockRef;
use tokio::net::{TcpStream, tcp::OwnedWriteHalf};

use super::socket::closed_sending;

/// The client's side of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    address: SocketAddr,
    socket: Weak<OwnedWriteHalf>,
    is_surplus: bool,
}

impl Peer {
    pub(super) fn new(address: SocketAddr, socket: Weak<OwnedWriteHalf>, is_surplus: bool) -> Self {
        Self {
            address,
            socket,
            is_surplus,
        }
    }

    /// The peer of a request that came over no connection, as in a test.
    pub fn none() -> Self {
        Self::new((Ipv4Addr::UNSPECIFIED, 0).into(), Weak::new(), false)
    }

    /// Whether it came when there were as many connections as there may be. Only its probes should be
    /// answered.
    pub fn is_surplus(&self) -> bool {
        self.is_surplus
    }

    /// Its address. An IPv4 address is one, though an IPv6 socket took the connection.
    pub fn ip(&self) -> IpAddr {
        self.address.ip().to_canonical()
    }

    /// Waits until it has closed its sending side. It may have left, or wait for its answer.
    pub async fn closed_sending(&self) {
        match self.socket.upgrade() {
            Some(socket) => closed_sending(&socket).await,
            None => std::future::pending().await,
        }
    }

    /// Resets the connection: the client sees `ECONNRESET`, and nothing that is written from now on
    /// reaches it. With HTTP/2 all requests of the connection go with it.
    pub fn reset(&self) {
        let Some(socket) = self.socket.upgrade() else {
            return;
        };
        let stream: &TcpStream = socket.as_ref().as_ref();
        if let Err(error) = reset(stream) {
            tracing::debug!(%error, "cannot reset the connection");
        }
    }
}

fn reset(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    // With this, closing the socket is a reset.
    socket.set_linger(Some(Duration::ZERO))?;
    // But the runtime shuts a socket down before it closes it, and the client would see an orderly
    // end first. Disconnecting resets at once.
    #[cfg(target_os = "linux")]
    disconnect(stream)?;
    #[cfg(not(target_os = "linux"))]
    socket.shutdown(std::net::Shutdown::Both)?;
    Ok(())
}

/// A connect to no address: <https://man7.org/linux/man-pages/man2/connect.2.html>, `AF_UNSPEC`.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)] // the standard library has no such call
fn disconnect(stream: &TcpStream) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let nowhere = libc::sockaddr {
        sa_family: libc::AF_UNSPEC as libc::sa_family_t,
        sa_data: [0; 14],
    };
    let length = size_of::<libc::sockaddr>() as libc::socklen_t;
    // SAFETY: the address is valid, and as long as is said, for the whole of the call.
    let done = unsafe { libc::connect(stream.as_raw_fd(), &nowhere, length) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
