//! What the services are measured beside: hyper's own HTTP/1.1 server, and nothing else. It has the
//! same runtime that the services have: a thread for each CPU that it may use, and the
//! single-threaded runtime where that is one.
//!
//! It listens on `--listen IP:PORT`, and answers all requests with what oneapi answers to `/test`. With
//! `--call IP:PORT` it calls that with a bare hyper client for each request, and answers what twoapi
//! answers to `/test/calloneapi`; `/livez` is answered without a call.

use std::{
    convert::Infallible,
    env,
    error::Error,
    net::SocketAddr,
    sync::{Arc, Mutex},
    thread,
};

use http_body_util::{BodyExt, Empty, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1::{SendRequest, handshake},
    header::{CONTENT_TYPE, HOST, HeaderValue},
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Builder,
};

type Answer = Response<Full<Bytes>>;
type Connection = SendRequest<Empty<Bytes>>;
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let listen = address("--listen")?.ok_or("--listen is missing")?;
    let Some(called) = address("--call")? else {
        return serve(
            listen,
            service_fn(async |_: Request<_>| {
                let answer = text(Bytes::from_static(b"ip is 192.0.2.2"));
                Ok::<_, Infallible>(answer)
            }),
        );
    };
    let upstream = Arc::new(Upstream {
        address: called,
        authority: called.to_string(),
        idle: Mutex::default(),
    });
    let caller = service_fn(move |request: Request<Incoming>| {
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
    });
    serve(listen, caller)
}

/// The value of a flag on the command line.
fn address(flag: &str) -> Result<Option<SocketAddr>, Failure> {
    let mut arguments = env::args().skip_while(|argument| argument != flag);
    let value = arguments.nth(1).map(|address| address.parse());
    Ok(value.transpose()?)
}

/// Serves each connection, for ever.
fn serve<S>(listen: SocketAddr, service: S) -> Result<(), Failure>
where
    S: Service<Request<Incoming>, Response = Answer, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let mut runtime = match thread::available_parallelism()?.get() {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    runtime.enable_all().build()?.block_on(async {
        let listener = TcpListener::bind(listen).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let service = service.clone();
            tokio::spawn(async move {
                let io = TokioIo::new(stream);
                // A client that leaves is no error here.
                drop(http1::Builder::new().serve_connection(io, service).await);
            });
        }
    })
}

/// 200 with this text.
fn text(text: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(text));
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
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
