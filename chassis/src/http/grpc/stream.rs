//! The body of an answer whose parts come one after the other.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::Bytes;
use hyper::body::Frame;

/// What the parts come from.
pub(super) trait Parts: Sized {
    /// The next part, once there is one, and what the others come from. None after the last.
    fn next(self) -> impl Future<Output = Option<(Frame<Bytes>, Self)>> + Send;
}

type Next<P> = dyn Future<Output = Option<(Frame<Bytes>, P)>> + Send;

/// See the module.
pub(super) struct Stream<P>(Option<Pin<Box<Next<P>>>>);

impl<P: Parts + 'static> Stream<P> {
    pub(super) fn new(parts: P) -> Self {
        Self(Some(Box::pin(parts.next())))
    }
}

impl<P: Parts + 'static> hyper::body::Body for Stream<P> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(next) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let part = ready!(next.as_mut().poll(cx));
        let (frame, parts) = part.unzip();
        self.0 = parts.map(|parts| Box::pin(parts.next()) as _);
        Poll::Ready(frame.map(Ok))
    }
}
