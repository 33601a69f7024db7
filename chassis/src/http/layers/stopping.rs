//! The header `stopping` of every answer after the stop signal, with the time since then: `1834ms`.
//! By it a client sees why a pod goes on accepting for a while.

use axum::http::{HeaderName, HeaderValue, Response};

use crate::lifecycle::Life;

const STOPPING: HeaderName = HeaderName::from_static("stopping");

pub(in crate::http) fn insert_into<B>(life: &Life, response: &mut Response<B>) {
    if let Some(stop) = life.requested_stop() {
        let since_signal = format!("{}ms", stop.at.elapsed().as_millis());
        let value = HeaderValue::from_str(&since_signal).expect("digits and letters");
        response.headers_mut().insert(STOPPING, value);
    }
}
