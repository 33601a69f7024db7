//! Takes the body off an answer to a `HEAD`, and keeps the headers of a `GET`, its length among them.
//! hyper does so in HTTP/1.1; in HTTP/2 it would send the body, which is a protocol error.

use axum::http::{HeaderValue, Method, Response, header};
use hyper::body::Body;

use crate::http::content::Content;

pub(in crate::http) fn remove_body(method: &Method, response: &mut Response<Content>) {
    if method != Method::HEAD || response.body().is_end_stream() {
        return; // the router has taken a handler's body off already
    }
    if let Some(length) = response.body().size_hint().exact() {
        let headers = response.headers_mut();
        headers
            .entry(header::CONTENT_LENGTH)
            .or_insert(HeaderValue::from(length));
    }
    *response.body_mut() = Content::empty();
}
