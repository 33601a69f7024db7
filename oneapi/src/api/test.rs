//! `GET /test`: the pod's IP, in the tutorial's own words.

use std::net::IpAddr;

use axum::body::Bytes;

/// What is answered while the IP stays the same: people's scripts read it, so it never changes.
pub(crate) fn sentence(ip: IpAddr) -> Bytes {
    Bytes::from(format!("ip is {ip}"))
}
