//! A request of HTTP/1.1 says once which host it asks, or it is refused. Of several, a proxy in front of
//! this service may go by another one. <https://www.rfc-editor.org/rfc/rfc9112#section-3.2>

use axum::http::{HeaderMap, Request, Version, header::HOST};

use crate::config::is_host;

pub(super) fn is_said<B>(request: &Request<B>) -> bool {
    if request.version() != Version::HTTP_11 {
        return true;
    }
    let headers = request.headers();
    // Nearly every client says it first, which is seen without a look-up.
    match headers.iter().next() {
        Some((name, host)) if name == HOST && headers.len() == headers.keys_len() => {
            is_host(host.as_bytes())
        }
        _ => is_said_once(headers),
    }
}

#[cold]
fn is_said_once(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).into_iter();
    matches!((hosts.next(), hosts.next()), (Some(host), None) if is_host(host.as_bytes()))
}
