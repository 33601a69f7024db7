//! The body of an answer. It holds the record of its request, which is in flight until the last byte has
//! been taken, and the room that a large answer needs.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{body::Bytes, http::Response};
use hyper::body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    content::Content,
    layers::{large, request_record::RequestRecord},
};

pin_project_lite::pin_project! {
    /// An answer's body.
    #[derive(Debug)]
    pub struct Answer {
        #[pin]
        content: Content,
        // Its first bytes take it along.
        room: Option<OwnedSemaphorePermit>,
        record: RequestRecord,
    }
}

impl Answer {
    pub(super) fn new(
        mut record: RequestRecord,
        room: Option<OwnedSemaphorePermit>,
        response: Response<Content>,
    ) -> Response<Self> {
        record.answered(response.status());
        response.map(|content| Self {
            content,
            room,
            record,
        })
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
        let frame = ready!(this.content.poll_frame(cx));
        let Some(room) = this.room.take() else {
            return Poll::Ready(frame);
        };
        let keep = |bytes| large::keep(bytes, room);
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(keep))))
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }
}
