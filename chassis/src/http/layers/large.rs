//! Bounds what large answers take together. Each of them is in memory until its client has read it, and
//! a client may read slowly or not at all. A place of `MAX_CONNECTIONS` has room for a small one.

use std::sync::Arc;

use axum::http::Response;
use hyper::body::Body;
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

/// What a large answer takes of it until this is dropped.
pub(in crate::http) type Taken = OwnedSemaphorePermit;

impl Room {
    pub(in crate::http) fn new() -> Self {
        Self(Arc::new(Semaphore::new(ROOM_KB)))
    }

    /// Takes what the answer needs, or makes a refusal of it. `None` if it is small, or if it comes in
    /// parts.
    pub(in crate::http) fn take(&self, response: &mut Response<Content>) -> Option<Taken> {
        let size = response.body().size_hint().exact()?;
        if size <= SMALL_BYTES {
            return None;
        }
        // One that is larger than that may be alone.
        let kilobytes = usize::try_from(size >> 10).map_or(ROOM_KB, |kb| kb.min(ROOM_KB)) as u32;
        let taken = Arc::clone(&self.0).try_acquire_many_owned(kilobytes).ok();
        if taken.is_none() {
            let sentence = "too many large answers wait for clients to read them; try again later";
            *response = Refusal::unavailable(sentence).into_content();
        }
        taken
    }
}
