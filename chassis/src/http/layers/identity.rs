//! The headers `pod` and `version` of every answer: they say who gave it.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, header::CONTENT_TYPE};

use crate::{
    http::{content::Content, refusal::TEXT},
    telemetry::Identity,
};

const POD: HeaderName = HeaderName::from_static("pod");
const VERSION: HeaderName = HeaderName::from_static("version");

/// The headers, made once.
#[derive(Debug)]
pub(in crate::http) struct IdentityHeaders {
    pod: HeaderValue,
    version: HeaderValue,
    /// All headers of a text.
    of_text: HeaderMap,
}

impl IdentityHeaders {
    pub(in crate::http) fn new(identity: &Identity) -> Self {
        // A host may be named in ways that a header can't carry.
        let pod =
            HeaderValue::from_str(&identity.pod).unwrap_or(HeaderValue::from_static("unknown"));
        let version = HeaderValue::from_static(identity.build.version);
        let of_text = HeaderMap::from_iter([
            (CONTENT_TYPE, TEXT),
            (POD, pod.clone()),
            (VERSION, version.clone()),
        ]);
        Self {
            pod,
            version,
            of_text,
        }
    }

    pub(in crate::http) fn insert_into(&self, response: &mut Response<Content>) {
        let is_text = response.body().is_text();
        let headers = response.headers_mut();
        if is_text && headers.is_empty() {
            *headers = self.of_text.clone(); // copied, and not hashed one by one
            return;
        }
        headers.insert(POD, self.pod.clone());
        headers.insert(VERSION, self.version.clone());
    }
}
