//! A request of HTTP/1.1 says once which host it asks, or it is refused. Of several, a proxy in front of
//! this service may go by another one. <https://www.rfc-editor.org/rfc/rfc9112#section-3.2>

use axum::http::{HeaderMap, HeaderValue, Request, Version, header::HOST};

pub(super) fn is_said<B>(request: &Request<B>) -> bool {
    if request.version() != Version::HTTP_11 {
        return true;
    }
    let headers = request.headers();
    // Nearly every client says it first, which is seen without a look-up.
    match headers.iter().next() {
        Some((name, host)) if name == HOST && headers.len() == headers.keys_len() => is_host(host),
        _ => is_said_once(headers),
    }
}

#[cold]
fn is_said_once(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).into_iter();
    matches!((hosts.next(), hosts.next()), (Some(host), None) if is_host(host))
}

/// Whether it can be a host and a port; they may be empty.
fn is_host(value: &HeaderValue) -> bool {
    let mut bytes = value.as_bytes().iter();
    bytes.all(|byte| IN_A_HOST[usize::from(*byte)])
}

/// The characters of names, addresses and ports. <https://www.rfc-editor.org/rfc/rfc3986#section-3.2.2>
const IN_A_HOST: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        allowed[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b"-._~%!$&'()*+,;=:[]";
    let mut at = 0;
    while at < others.len() {
        allowed[others[at] as usize] = true;
        at += 1;
    }
    allowed
};
