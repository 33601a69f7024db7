//! A bare hyper server, which for each request calls `--call IP:PORT` with a bare hyper client and
//! answers what twoapi answers to `/test/calloneapi`. `/livez` is answered without a call.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bench::{Answer, Failure, address, serve, text};
use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1::{SendRequest, handshake},
    header::HOST,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

type Connection = SendRequest<Empty<Bytes>>;

fn main() -> Result<(), Failure> {
    let address = address("--call")?;
    let upstream = Arc::new(Upstream {
        address,
        authority: address.to_string(),
        idle: Mutex::default(),
    });
    serve(service_fn(move |request: Request<Incoming>| {
        let upstream = upstream.clone();
        async move {
            if request.uri().path() == "/livez" {
                return Ok::<_, Infallible>(text(Bytes::from_static(b"ok")));
            }
            Ok(upstream.call().await.unwrap_or_else(|error| {
                let mut answer = text(error.to_string().into());
                *answer.status_mut() = StatusCode::BAD_GATEWAY;
                answer
            }))
        }
    }))
}

/// What is called, and the connections to it that are not in use.
struct Upstream {
    address: SocketAddr,
    authority: String,
    idle: Mutex<Vec<Connection>>,
}

impl Upstream {
    async fn call(&self) -> Result<Answer, Failure> {
        let mut connection = self.connection().await?;
        let request = Request::get("/test").header(HOST, &*self.authority);
        let answer = connection.send_request(request.body(Empty::new())?).await?;
        let body = answer.into_body().collect().await?.to_bytes();
        let mut idle = self.idle.lock().expect("nobody panics with it");
        idle.push(connection);
        Ok(text([b"one api response is ", &body[..]].concat().into()))
    }

    /// The one that was used last, or a new one.
    async fn connection(&self) -> Result<Connection, Failure> {
        let idle = self.idle.lock().expect("nobody panics with it").pop();
        if let Some(mut connection) = idle
            && connection.ready().await.is_ok()
        {
            return Ok(connection);
        }
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (connection, driver) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        Ok(connection)
    }
}
