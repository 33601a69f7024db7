//! A bare hyper server, which answers all requests with what oneapi answers to `/test`.

use std::convert::Infallible;

use bench::{Failure, serve, text};
use hyper::{Request, body::Bytes, service::service_fn};

fn main() -> Result<(), Failure> {
    serve(service_fn(async |_: Request<_>| {
        let answer = text(Bytes::from_static(b"ip is 192.0.2.2"));
        Ok::<_, Infallible>(answer)
    }))
}
