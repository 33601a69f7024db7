//! The listening socket, and why there may be none.

use std::{
    fmt, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

/// Connections that may wait to be accepted; the kernel lowers it to `net.core.somaxconn`.
pub(super) const BACKLOG: i32 = 4096;

/// When a client's machine has vanished without a word, its connection is given up after a quarter
/// of a minute of silence and three probes: its burn ends then. A client that is only busy answers
/// the probes; its kernel does.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(15))
    .with_interval(Duration::from_secs(5))
    .with_retries(3);

/// What may wait in the kernel for a client that reads slowly or not at all. Without a bound it is
/// megabytes for each client, and the kernel counts them as the container's memory. What is on its way
/// to the client isn't counted, so a connection is as fast as before.
#[cfg(target_os = "linux")]
const MAX_UNSENT_BYTES: u32 = 64 << 10;

/// Why a service could not listen, in a sentence that names the address.
#[derive(Debug)]
pub struct BindError {
    address: SocketAddr,
    cause: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
            if address.ip() == Ipv6Addr::UNSPECIFIED
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
    // Each accepted socket inherits these. Answers are written whole, so there is nothing that
    // a delay could gather.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&KEEPALIVE)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(MAX_UNSENT_BYTES)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Has the kernel drop what begins a connection; the client tries again a second later. It is the check
/// of [RFC 5082](https://www.rfc-editor.org/rfc/rfc5082), which needs no privilege: systems send
/// with a lower hop limit than the highest, and each router takes one from it. Who has begun to connect is
/// admitted all the same, but the new socket has the check, too: see [`hear_all`].
///
/// Says whether it could be done: only Linux can, and not every sandbox that looks like it.
pub(super) fn admit_nobody_new(listener: &TcpListener) -> bool {
    let set = set_least_hops(SockRef::from(listener), u8::MAX);
    if let Err(error) = &set {
        tracing::debug!(%error, "the kernel goes on admitting connections until the close");
    }
    set.is_ok()
}

/// Undoes the check for a connection that was accepted after [`admit_nobody_new`].
pub(super) fn hear_all(stream: &TcpStream) {
    // What can't be undone was not done.
    let _ = set_least_hops(SockRef::from(stream), 0);
}

#[cfg(target_os = "linux")]
fn set_least_hops(socket: SockRef<'_>, least: u8) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    let least = libc::c_int::from(least);
    let set = |level, option| {
        let size = size_of_val(&least) as libc::socklen_t;
        // SAFETY: `least` is an int, as these options want it, and outlives the call.
        #[allow(unsafe_code)]
        let result = unsafe {
            let value = std::ptr::from_ref(&least).cast();
            libc::setsockopt(socket.as_raw_fd(), level, option, value, size)
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    };
    // A socket for both has a check for each.
    let both = socket.local_addr()?.is_ipv6();
    set(libc::IPPROTO_IP, libc::IP_MINTTL)?;
    if both {
        set(libc::IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT)
    } else {
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
fn set_least_hops(_: SockRef<'_>, _: u8) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
