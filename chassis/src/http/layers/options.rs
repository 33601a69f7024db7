//! `OPTIONS`, which HAProxy sends if it isn't told how to check a server: 204 with the methods that are
//! allowed, on each path that there is, on `/`, and on `*`, which stands for the whole server. On a probe's
//! path it is answered as the probe is, since the check may be of that path. A 405 names `OPTIONS`, too, in its
//! header and its sentence.

use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};

use crate::http::{
    content::Content,
    kind::Kind,
    refusal::Refusal,
    routes::{NotAllowed, Text},
};

/// `OPTIONS` of the root checks the server, and isn't a client's request for a path that no route has.
pub(in crate::http) fn kind<B>(kind: Kind, request: &Request<B>) -> Kind {
    if kind == Kind::Unmatched
        && request.method() == Method::OPTIONS
        && matches!(request.uri().path(), "/" | "*")
    {
        Kind::Operations
    } else {
        kind
    }
}

/// Refuses what a `GET` of the route's text would refuse.
pub(in crate::http) fn check(method: &Method, text: Option<&Text>) -> Result<(), Refusal> {
    match text {
        Some(text) if method == Method::OPTIONS => text.get().map(drop),
        _ => Ok(()),
    }
}

/// Makes a 204 of the router's refusal of `OPTIONS`, and has any other refusal of a method name it.
pub(in crate::http) fn answer(method: &Method, kind: Kind, response: &mut Response<Content>) {
    let is_options = method == Method::OPTIONS;
    let allow = match response.status() {
        StatusCode::METHOD_NOT_ALLOWED => {
            let Some(router_allows) = response.headers_mut().remove(header::ALLOW) else {
                return; // a fault switch says 405, and not the router
            };
            let methods = router_allows.to_str().unwrap_or_default();
            format!("{methods},{}", Method::OPTIONS)
        }
        // The root, which no route has.
        StatusCode::NOT_FOUND if is_options && kind == Kind::Operations => {
            Method::OPTIONS.to_string()
        }
        _ => return,
    };
    if is_options {
        *response = Response::new(Content::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
    } else if let Some(NotAllowed(what)) = response.extensions_mut().remove() {
        let sentence = format!("{what}; allowed: {}", allow.replace(',', ", "));
        *response = Refusal::new(response.status(), sentence).into_content();
    }
    let allow = HeaderValue::from_str(&allow).expect("methods are letters");
    response.headers_mut().insert(header::ALLOW, allow);
}
