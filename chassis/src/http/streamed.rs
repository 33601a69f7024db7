//! The body of an answer whose parts come one after the other.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::{Body, Bytes};
use hyper::body::Frame;

/// A body of the parts that `next` makes of `source`, each with what the others come from. It ends at
/// `None`. When the client leaves, the source is dropped.
pub fn streamed<S, N, F>(source: S, mut next: N) -> Body
where
    N: FnMut(S) -> F + Send + 'static,
    F: Future<Output = Option<(Frame<Bytes>, S)>> + Send + 'static,
{
    let part = Some(Box::pin(next(source)));
    Body::new(Streamed { part, next })
}

struct Streamed<N, F> {
    part: Option<Pin<Box<F>>>,
    next: N,
}

// The next part is in a box of its own, and the function isn't pinned.
impl<N, F> Unpin for Streamed<N, F> {}

impl<S, N, F> hyper::body::Body for Streamed<N, F>
where
    N: FnMut(S) -> F,
    F: Future<Output = Option<(Frame<Bytes>, S)>>,
{
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Self { part, next } = self.get_mut();
        let Some(waiting) = part else {
            return Poll::Ready(None);
        };
        let (frame, source) = ready!(waiting.as_mut().poll(cx)).unzip();
        *part = source.map(|source| Box::pin(next(source)));
        Poll::Ready(frame.map(Ok))
    }
}
