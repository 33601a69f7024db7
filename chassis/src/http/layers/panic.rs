//! A handler that panics costs its own request a 500, and nothing else. tower-http's `CatchPanic`
//! does the same, but would box the body of every answer.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::Poll,
};

use axum::{
    body::Bytes,
    http::{Response, StatusCode},
};

use crate::http::{content::Content, refusal::Refusal};

/// Waits for the answer of a handler.
pub(in crate::http) async fn catch<F>(mut handled: Pin<&mut F>) -> Response<Content>
where
    F: Future<Output = Result<Response<Content>, Refusal>>,
{
    poll_fn(|cx| {
        // After a panic the handler is not polled again, so nobody sees what it left half done.
        match catch_unwind(AssertUnwindSafe(|| handled.as_mut().poll(cx))) {
            Ok(poll) => poll.map(|handled| handled.unwrap_or_else(Refusal::into_content)),
            Err(_) => Poll::Ready(panicked().into_content()),
        }
    })
    .await
}

/// The answer of a handler that needs no waiting.
pub(in crate::http) fn catch_at_once(
    handler: impl FnOnce() -> Result<Bytes, Refusal>,
) -> Response<Content> {
    match catch_unwind(AssertUnwindSafe(handler)) {
        Ok(Ok(text)) => Response::new(text.into()),
        Ok(Err(refusal)) => refusal.into_content(),
        Err(_) => panicked().into_content(),
    }
}

fn panicked() -> Refusal {
    let sentence = "the handler of this request panicked; the log says where";
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, sentence)
}
