//! Bounds what large answers take together. Each of them is in memory until its client has read it, and
//! a client may read slowly or not at all. A place of `MAX_CONNECTIONS` has room for a small one.

use std::sync::Arc;

use axum::{body::Bytes, http::Response};
use hyper::body::Body as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::{content::Content, refusal::Refusal};

/// A larger answer is a large one.
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

    /// Takes the room that a large answer needs, or makes a refusal of it. `None` if it needs none, as one
    /// that comes in parts.
    pub(in crate::http) fn take(
        &self,
        response: &mut Response<Content>,
    ) -> Option<OwnedSemaphorePermit> {
        let size = response.body().size_hint().exact().unwrap_or(0);
        if size <= SMALL_BYTES {
            return None;
        }
        // An answer that is larger than the room may be alone.
        let kilobytes = usize::try_from(size >> 10).map_or(ROOM_KB, |kb| kb.min(ROOM_KB)) as u32;
        let room = Arc::clone(&self.0).try_acquire_many_owned(kilobytes).ok();
        if room.is_none() {
            let sentence = "too many large answers wait for clients to read them; try again later";
            *response = Refusal::unavailable(sentence).into_content();
        }
        room
    }
}

/// Bytes that have their room for as long as they are in memory. hyper takes them from the answer long
/// before a slow client does.
pub(in crate::http) fn keep(bytes: Bytes, room: OwnedSemaphorePermit) -> Bytes {
    Bytes::from_owner(Kept { bytes, _room: room })
}

struct Kept {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
