//! A connection's socket as hyper sees it. It notes what comes and goes in the connection's
//! [`Progress`]; it finds out whether a client that has closed its sending side has left or waits for
//! its answer; and it ends in two steps: it tells the client that there is no more, and then waits for
//! the client to close too.

use std::{
    future::poll_fn,
    io,
    mem::MaybeUninit,
    pin::{Pin, pin},
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::{Sleep, sleep_until},
};

use super::progress::Progress;

/// What each answer of HTTP/1 begins with, whatever it is.
const START_OF_ANSWER: &[u8] = b"HTTP/1.";

/// Both halves, the writing one shared with [`Client`].
pub(super) struct Socket {
    read: OwnedReadHalf,
    write: Arc<OwnedWriteHalf>,
    progress: Arc<Progress>,
    linger: Duration,
    lingering: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, progress: Arc<Progress>, linger: Duration) -> Self {
        let (read, write) = stream.into_split();
        Self {
            read,
            write: Arc::new(write),
            progress,
            linger,
            lingering: None,
        }
    }

    /// What resets the connection, for as long as there is one.
    pub(super) fn to_reset(&self) -> Weak<OwnedWriteHalf> {
        Arc::downgrade(&self.write)
    }

    /// Who is at its other end.
    pub(super) fn client(&self) -> Client {
        Client {
            socket: Arc::clone(&self.write),
            progress: Arc::clone(&self.progress),
        }
    }

    /// Writes what follows on the bytes that the client has been sent ahead.
    #[cold]
    fn poll_write_behind(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let ahead = self.progress.sent_ahead().min(bytes.len());
        let rest = &bytes[ahead..];
        let written = if rest.is_empty() {
            0
        } else {
            ready!(self.poll_writing(cx, |socket| socket.try_write(rest), rest.len()))?
        };
        self.progress.caught_up(ahead);
        Poll::Ready(Ok(ahead + written))
    }

    /// Tries to write, and waits for the client to take something if it takes nothing now.
    fn poll_writing(
        &self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&OwnedWriteHalf) -> io::Result<usize>,
        length: usize,
    ) -> Poll<io::Result<usize>> {
        loop {
            match write(&self.write) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.progress.write_stalled();
                    ready!(self.write.as_ref().as_ref().poll_write_ready(cx))?;
                }
                Ok(written) => {
                    if written < length {
                        self.progress.write_stalled();
                    }
                    self.progress.bytes_written();
                    return Poll::Ready(Ok(written));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// Who is at the other end of a connection, for as long as a request is being answered. Nobody reads
/// the socket then.
pub(super) struct Client {
    socket: Arc<OwnedWriteHalf>,
    progress: Arc<Progress>,
}

impl Client {
    /// Waits until the client of HTTP/1 has left.
    ///
    /// A client that has left has closed its sending side, but one that waits for the answer may have
    /// done so too: only writing to it tells, since the machine of one that has left then resets the
    /// connection. So it is sent the first byte of its answer, which is always the same.
    pub(super) async fn has_left(&self) {
        let Self { socket, progress } = self;
        let mut closed_sending = pin!(closed_sending(socket));
        let mut reset = pin!(socket.ready(Interest::ERROR));
        let mut has_closed_sending = false;
        poll_fn(|cx| {
            if !has_closed_sending && closed_sending.as_mut().poll(cx).is_ready() {
                has_closed_sending = true;
                progress.doubt();
            }
            if !progress.is_doubtful() {
                return Poll::Pending;
            }
            if reset.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            if let Some(next) = progress.next_ahead(START_OF_ANSWER) {
                match socket.try_write(&[next]) {
                    Ok(written) => progress.bytes_sent_ahead(written),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => return Poll::Ready(()),
                }
            }
            Poll::Pending
        })
        .await;
    }

    pub(super) fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Waits until it has closed its sending side.
    pub(super) async fn has_closed_sending(&self) {
        closed_sending(&self.socket).await;
    }

    /// Asks once more whether it is there, if it has sent something that nobody has read: behind that
    /// it may have closed, and nothing tells.
    pub(super) fn look_behind_unread_input(&self) {
        let stream: &TcpStream = self.socket.as_ref().as_ref();
        let peeked = SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]);
        if peeked.is_ok_and(|bytes| bytes > 0) {
            self.progress.doubt();
        }
    }
}

/// Waits until the client has closed its sending side, or the connection has failed, whether or not
/// anybody reads: it may have sent more than is wanted before.
pub(super) async fn closed_sending(socket: &OwnedWriteHalf) {
    // `PRIORITY` stands for urgent data, which nobody sends, and for the end of the input.
    #[cfg(target_os = "linux")]
    let _ = socket.ready(Interest::PRIORITY).await;
    // Elsewhere only looking tells, and not behind input that nobody has read.
    #[cfg(not(target_os = "linux"))]
    {
        const NEXT_LOOK: Duration = Duration::from_millis(100);
        let stream: &TcpStream = socket.as_ref();
        while stream.peek(&mut [0]).await.is_ok_and(|bytes| bytes > 0) {
            tokio::time::sleep(NEXT_LOOK).await;
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.read).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.progress.bytes_received();
        } else if buffer.remaining() > 0 {
            // Until the answers are there: HTTP/2 would drop all requests.
            ready!(self.progress.poll_client_closed(cx));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.progress.sent_ahead() > 0 {
            return self.poll_write_behind(cx, bytes);
        }
        self.poll_writing(cx, |socket| socket.try_write(bytes), bytes.len())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.progress.sent_ahead() > 0 {
            let first = slices.iter().find(|slice| !slice.is_empty());
            return self.poll_write_behind(cx, first.map_or(&[], |slice| &**slice));
        }
        let length = slices.iter().map(|slice| slice.len()).sum();
        self.poll_writing(cx, |socket| socket.try_write_vectored(slices), length)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Called when everything has been written.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.progress.all_written();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self {
            read,
            write,
            progress,
            linger,
            lingering,
        } = &mut *self;
        let lingering = match lingering {
            Some(lingering) => lingering,
            None => {
                let stream: &TcpStream = write.as_ref().as_ref();
                SockRef::from(stream).shutdown(std::net::Shutdown::Write)?;
                // Counted from the last answer: one of long ago has been read.
                lingering.insert(Box::pin(sleep_until((progress.since() + *linger).into())))
            }
        };
        let mut scrap = [0; 512];
        while lingering.as_mut().poll(cx).is_pending() {
            let mut scrap = ReadBuf::new(&mut scrap);
            match Pin::new(&mut *read).poll_read(cx, &mut scrap) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !scrap.filled().is_empty() => {}
                Poll::Ready(_) => break, // the client has closed, in one way or the other
            }
        }
        Poll::Ready(Ok(()))
    }
}
