//! The body of an answer, which holds the record of its request until its last byte has been taken:
//! so long is the request in flight.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};

use super::layers::metrics::Record;

pin_project_lite::pin_project! {
    /// A handler's body, and the record of its request.
    #[derive(Debug)]
    pub struct Answer {
        #[pin]
        body: Body,
        record: Record,
    }
}

impl Answer {
    pub(super) fn new(body: Body, record: Record) -> Self {
        Self { body, record }
    }
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
