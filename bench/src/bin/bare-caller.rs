//! A bare hyper server, which for each request calls `--call IP:PORT` with a bare hyper client and
//! answers what twoapi answers to `/test/calloneapi`. `/livez` is answered without a call.

use std::{
    convert::Infallible,
    error::Error,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bench::bare;
use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1::{SendRequest, handshake},
    header::HOST,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

type Connection = SendRequest<Empty<Bytes>>;

fn main() -> io::Result<()> {
    let upstream = Arc::new(Upstream {
        address: bare::flag("--call")?.parse().map_err(io::Error::other)?,
        host: bare::flag("--call")?,
        idle: Mutex::default(),
    });
    bare::serve(service_fn(move |request: Request<Incoming>| {
        let upstream = upstream.clone();
        async move {
            if request.uri().path() == "/livez" {
                return Ok::<_, Infallible>(bare::text(Bytes::from_static(b"ok")));
            }
            Ok(match upstream.call().await {
                Ok(body) => bare::text([b"one api response is ", &body[..]].concat().into()),
                Err(error) => {
                    let mut answer: Response<_> = bare::text(error.to_string().into());
                    *answer.status_mut() = StatusCode::BAD_GATEWAY;
                    answer
                }
            })
        }
    }))
}

/// What is called, and the connections to it that are not in use.
struct Upstream {
    address: SocketAddr,
    host: String,
    idle: Mutex<Vec<Connection>>,
}

impl Upstream {
    async fn call(&self) -> Result<Bytes, Box<dyn Error + Send + Sync>> {
        let mut connection = self.connection().await?;
        let request = Request::get("/test")
            .header(HOST, &*self.host)
            .body(Empty::new())?;
        let answer = connection.send_request(request).await?;
        let body = answer.into_body().collect().await?.to_bytes();
        self.idle
            .lock()
            .expect("nobody panics with it")
            .push(connection);
        Ok(body)
    }

    /// The one that was used last, or a new one.
    async fn connection(&self) -> Result<Connection, Box<dyn Error + Send + Sync>> {
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
