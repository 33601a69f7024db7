//! The headers `pod` and `version` of every answer: they say who gave it.

use axum::http::{HeaderName, HeaderValue, Response};

use crate::telemetry::Identity;

const POD: HeaderName = HeaderName::from_static("pod");
const VERSION: HeaderName = HeaderName::from_static("version");

/// The headers, made once.
#[derive(Debug)]
pub(in crate::http) struct IdentityHeaders {
    pod: HeaderValue,
    version: HeaderValue,
}

impl IdentityHeaders {
    pub(in crate::http) fn new(identity: &Identity) -> Self {
        Self {
            // A host may be named in ways that a header can't carry.
            pod: HeaderValue::from_str(&identity.pod)
                .unwrap_or(HeaderValue::from_static("unknown")),
            version: HeaderValue::from_static(identity.build.version),
        }
    }

    pub(in crate::http) fn insert_into<B>(&self, response: &mut Response<B>) {
        let headers = response.headers_mut();
        headers.insert(POD, self.pod.clone());
        headers.insert(VERSION, self.version.clone());
    }
}
