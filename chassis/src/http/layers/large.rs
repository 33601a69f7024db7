//! Bounds what large answers take together. Each of them is in memory until its client has read it, and
//! a client may read slowly or not at all. A place of `MAX_CONNECTIONS` has room for a small one.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{
    body::{Body, Bytes},
    http::Response,
};
use hyper::body::{Body as _, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::{content::Content, refusal::Refusal};

/// What is small.
const SMALL_BYTES: u64 = 8 << 10;

/// Room for all large answers, in kilobytes: an eighth of the memory limit in the manifests. A page of
/// metrics takes a hundred at most.
const ROOM_KB: usize = 8 << 10;

/// The room of a service.
#[derive(Clone, Debug)]
pub(in crate::http) struct Room(Arc<Semaphore>);

impl Room {
    pub(in crate::http) fn new() -> Self {
        Self(Arc::new(Semaphore::new(ROOM_KB)))
    }

    /// Takes what a large answer needs, or makes a refusal of it. One that comes in parts needs none.
    pub(in crate::http) fn take(&self, response: &mut Response<Content>) {
        let size = response.body().size_hint().exact().unwrap_or(0);
        if size <= SMALL_BYTES {
            return;
        }
        // One that is larger than that may be alone.
        let kilobytes = usize::try_from(size >> 10).map_or(ROOM_KB, |kb| kb.min(ROOM_KB)) as u32;
        match Arc::clone(&self.0).try_acquire_many_owned(kilobytes) {
            Ok(room) => {
                let content = std::mem::replace(response.body_mut(), Content::empty());
                let room = Some(room);
                *response.body_mut() = Body::new(Large { content, room }).into();
            }
            Err(_) => {
                let sentence =
                    "too many large answers wait for clients to read them; try again later";
                *response = Refusal::unavailable(sentence).into_content();
            }
        }
    }
}

pin_project_lite::pin_project! {
    /// An answer whose first bytes take the room along.
    struct Large {
        #[pin]
        content: Content,
        room: Option<OwnedSemaphorePermit>,
    }
}

/// Bytes and their room. hyper has taken them long before a slow client has.
struct Kept {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl hyper::body::Body for Large {
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
        let keep = |bytes| Bytes::from_owner(Kept { bytes, _room: room });
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(keep))))
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }
}
