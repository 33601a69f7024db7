//! The body of an answer, which holds the record of its request until its last byte has been taken:
//! so long is the request in flight.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{body::Bytes, http::Response};
use hyper::body::{Frame, SizeHint};

use super::{content::Content, layers::metrics::Record};

pin_project_lite::pin_project! {
    /// A body, and the record of its request.
    #[derive(Debug)]
    pub struct Answer {
        #[pin]
        body: Content,
        record: Record,
    }
}

impl Answer {
    /// The answer to the request of that record.
    pub(super) fn of(mut record: Record, response: Response<Content>) -> Response<Self> {
        record.answered(response.status());
        response.map(|body| Self { body, record })
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
