//! What the targets have in common: a connection over which given bytes come.

use std::{
    io::{self, Cursor, Read},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection over which these bytes come, in pieces, and then its end.
pub struct Connection {
    coming: Cursor<Vec<u8>>,
    piece: usize,
    /// Nothing comes before so much has been sent.
    after: usize,
    sent: usize,
}

impl Connection {
    pub fn new(coming: &[u8], piece: usize, after: usize) -> Self {
        Self {
            coming: Cursor::new(coming.to_vec()),
            piece,
            after,
            sent: 0,
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.sent < self.after {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut piece = vec![0; self.piece.min(buffer.remaining())];
        let length = self.coming.read(&mut piece)?;
        buffer.put_slice(&piece[..length]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.sent += bytes.len();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Runs what waits for nothing but such a connection. `None` if it never ends.
pub fn run<T>(future: impl Future<Output = T>) -> Option<T> {
    /// A connection is read in so many pieces at most.
    const POLLS: usize = 100_000;
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    (0..POLLS).find_map(|_| match future.as_mut().poll(&mut cx) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    })
}
