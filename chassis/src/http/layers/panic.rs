//! A handler that panics costs its own request a 500, and nothing else. tower-http's `CatchPanic`
//! does the same, but would box the body of every answer.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use axum::{http::StatusCode, response::IntoResponse, response::Response};

use crate::http::refusal::Refusal;

pub(in crate::http) async fn catch<F>(handled: F) -> Response
where
    F: Future<Output = Result<Response, Refusal>>,
{
    let mut handled = pin!(handled);
    poll_fn(|cx| {
        // After a panic the handler is not polled again, so nobody sees what it left half done.
        match catch_unwind(AssertUnwindSafe(|| handled.as_mut().poll(cx))) {
            Ok(poll) => poll.map(IntoResponse::into_response),
            Err(_) => Poll::Ready(
                Refusal::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the handler of this request panicked; the log says where",
                )
                .into_response(),
            ),
        }
    })
    .await
}
