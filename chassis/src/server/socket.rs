//! A connection's socket as hyper sees it. It notes what comes and goes in the connection's
//! [`Progress`]; it keeps from hyper, which would drop the request, that a client has closed its
//! sending side while it may still wait for the answer; and it ends in two steps: it tells the
//! client that there is no more, and then waits for the client to close too.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::{Sleep, sleep_until},
};

use super::progress::Progress;

/// Both halves, the writing one shared with [`ClientClosed`].
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

    /// Waits until the client has closed its sending side, whether or not anybody reads: it may have
    /// sent more than is wanted before.
    pub(super) fn client_closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let socket = Arc::clone(&self.write);
        async move {
            // `PRIORITY` stands for urgent data, which nobody sends, and for the end of the input.
            #[cfg(target_os = "linux")]
            let _ = socket.ready(tokio::io::Interest::PRIORITY).await;
            // Elsewhere only reading tells.
            #[cfg(not(target_os = "linux"))]
            {
                let _ = socket;
                std::future::pending::<()>().await;
            }
        }
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
            // Until the answer is there, the connection keeps time.
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
        self.poll_writing(cx, |socket| socket.try_write(bytes), bytes.len())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
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
