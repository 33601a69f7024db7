//! The body of an answer, which holds the record of its request until its last byte has been taken:
//! so long is the request in flight.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{body::Bytes, http::Response};
use hyper::body::{Frame, SizeHint};

use super::{
    content::Content,
    layers::{large::Taken, metrics::Record},
};

pin_project_lite::pin_project! {
    /// A body, and the record of its request.
    #[derive(Debug)]
    pub struct Answer {
        #[pin]
        body: Content,
        record: Record,
        // Until it goes with the first of the bytes.
        room: Option<Taken>,
    }
}

/// Bytes of a large answer. hyper has taken them long before a slow client has.
struct Kept {
    bytes: Bytes,
    _room: Taken,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Answer {
    /// The answer to the request of that record.
    pub(super) fn of(
        mut record: Record,
        response: Response<Content>,
        room: Option<Taken>,
    ) -> Response<Self> {
        record.answered(response.status());
        response.map(|body| Self { body, record, room })
    }
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        let Some(room) = this.room.take() else {
            return Poll::Ready(frame);
        };
        let keep = |bytes| Bytes::from_owner(Kept { bytes, _room: room });
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(keep))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
