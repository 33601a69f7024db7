//! A request of HTTP/1.1 says once which host it asks, or it is refused. Of several, a proxy in front of
//! this service may go by another one. <https://www.rfc-editor.org/rfc/rfc9112#section-3.2>

use axum::http::{HeaderMap, Request, Version, header::HOST};

pub(super) fn is_said<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    // Nearly every client says it first, which is seen without a look-up.
    let is_first = || headers.keys().next() == Some(&HOST) && headers.len() == headers.keys_len();
    request.version() != Version::HTTP_11 || is_first() || is_said_once(headers)
}

#[cold]
fn is_said_once(headers: &HeaderMap) -> bool {
    headers.get_all(HOST).iter().count() == 1
}
