//! Notes each request in its connection's progress, from its headers to the last byte of its answer.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming, SizeHint},
    header::{CONNECTION, HeaderValue},
    service::Service,
};

use super::progress::Progress;
use crate::lifecycle::Life;

/// The service of a connection. Each of its requests is noted.
pub(super) struct Tracked<S> {
    pub(super) service: S,
    pub(super) progress: Arc<Progress>,
    pub(super) life: Life,
}

impl<S, B> Service<Request<Incoming>> for Tracked<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Body,
{
    type Response = Response<TrackedBody<B>>;
    type Error = Infallible;
    type Future = TrackedFuture<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.progress.request_begins();
        let in_flight = InFlight(Arc::clone(&self.progress));
        let version = request.version();
        TrackedFuture {
            answer: self.service.call(request),
            in_flight: Some(in_flight),
            life: self.life.clone(),
            version,
        }
    }
}

/// A request that is in flight until this is dropped.
struct InFlight(Arc<Progress>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.request_ends();
    }
}

pin_project_lite::pin_project! {
    /// The answer of the service, once it is there.
    pub(super) struct TrackedFuture<F> {
        #[pin]
        answer: F,
        in_flight: Option<InFlight>,
        life: Life,
        version: hyper::Version,
    }
}

impl<F, B> Future for TrackedFuture<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
    B: Body,
{
    type Output = Result<Response<TrackedBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Poll::Ready(Ok(mut response)) = this.answer.poll(cx) else {
            if let Some(InFlight(progress)) = this.in_flight {
                progress.answer_awaited();
            }
            return Poll::Pending;
        };
        let http2 = *this.version == hyper::Version::HTTP_2;
        // HTTP/2 has a frame for what `Connection: close` says, and no such header.
        if !http2 && this.life.is_stopping() {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
            // To an answer of 1.1 that goes to a client of 1.0, hyper adds `keep-alive` beside the
            // `close`, and closes all the same.
            if *this.version == hyper::Version::HTTP_10 {
                *response.version_mut() = hyper::Version::HTTP_10;
            }
        }
        let in_flight = this.in_flight.take();
        if let Some(InFlight(progress)) = &in_flight {
            progress.answer_begins();
        }
        Poll::Ready(Ok(response.map(|body| {
            let mut tracked = TrackedBody {
                body,
                waiting: None,
                http2,
                in_flight,
            };
            if !tracked.body.is_end_stream() {
                tracked.waiting = WaitingForClient::new(tracked.http2, tracked.in_flight.as_ref());
            }
            tracked
        })))
    }
}

pin_project_lite::pin_project! {
    /// A body that keeps its request in flight.
    pub(super) struct TrackedBody<B> {
        #[pin]
        body: B,
        // Before the request ends.
        waiting: Option<WaitingForClient>,
        http2: bool,
        in_flight: Option<InFlight>,
    }
}

/// From the moment at which a part of an answer could be taken until the next one is asked for.
struct WaitingForClient {
    progress: Arc<Progress>,
    turn: u8,
}

impl WaitingForClient {
    /// `None` in HTTP/1.1, where the socket knows whether the client takes what is written.
    fn new(http2: bool, in_flight: Option<&InFlight>) -> Option<Self> {
        let InFlight(progress) = in_flight.filter(|_| http2)?;
        Some(Self {
            progress: Arc::clone(progress),
            turn: progress.answer_held_back(),
        })
    }
}

impl Drop for WaitingForClient {
    fn drop(&mut self) {
        self.progress.answer_let_go(self.turn);
    }
}

impl<B: Body> Body for TrackedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        *this.waiting = None;
        let frame = ready!(this.body.poll_frame(cx));
        if frame.is_some() {
            *this.waiting = WaitingForClient::new(*this.http2, this.in_flight.as_ref());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
