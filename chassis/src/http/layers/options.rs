//! `OPTIONS`, which HAProxy asks for when it isn't told how to check a server: 204 and what is allowed,
//! on each path that there is, on `/` and on `*`, which stands for the whole server. On a probe's path
//! it is answered as the probe is, since the check may be of that path.

use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};

use crate::http::{
    content::Content,
    refusal::Refusal,
    routes::{Kind, Text},
};

/// A request with this method.
pub(in crate::http) struct Options {
    /// Of no route, and there all the same.
    is_root: bool,
}

/// None for a request with another method.
pub(in crate::http) fn begin<B>(request: &Request<B>) -> Option<Options> {
    if request.method() != Method::OPTIONS {
        return None;
    }
    let is_root = matches!(request.uri().path(), "/" | "*");
    Some(Options { is_root })
}

impl Options {
    /// Whoever asks for the root checks the server, and isn't a client of a route that isn't there.
    pub(in crate::http) fn kind(&self, kind: Kind) -> Kind {
        if self.is_root && kind == Kind::Unmatched {
            Kind::Operations
        } else {
            kind
        }
    }

    /// The text is what a `GET` answers.
    pub(in crate::http) fn check(text: Option<&Text>) -> Result<(), Refusal> {
        text.map_or(Ok(()), |text| text.get().map(drop))
    }

    /// The router has refused the method, and said which ones there are.
    pub(in crate::http) fn answer(&self, response: &mut Response<Content>) {
        let allow = match response.status() {
            StatusCode::METHOD_NOT_ALLOWED => response.headers_mut().remove(header::ALLOW),
            StatusCode::NOT_FOUND if self.is_root => None,
            _ => return,
        };
        let mut methods = Method::OPTIONS.to_string();
        if let Some(allow) = allow.as_ref().and_then(|allow| allow.to_str().ok()) {
            methods = format!("{allow},{methods}");
        }
        let allow = HeaderValue::from_str(&methods).expect("methods are letters");
        *response = Response::new(Content::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response.headers_mut().insert(header::ALLOW, allow);
    }
}
