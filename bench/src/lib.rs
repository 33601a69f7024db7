//! What the services are measured beside: hyper's own HTTP/1.1 server, and nothing else. It has the
//! same runtime that the services have: a thread for each CPU that it may use, and the
//! single-threaded runtime where that is one. Three programs use it: one with all of them would answer `/test` with 4 %
//! more instructions, since the compiler would inline less.

use std::{convert::Infallible, env, error::Error, net::SocketAddr, thread};

use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::Service,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, runtime::Builder};

/// What a bare server answers with.
pub type Answer = Response<Full<Bytes>>;

/// Whatever went wrong.
pub type Failure = Box<dyn Error + Send + Sync>;

/// 200 with this text.
pub fn text(text: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(text));
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

/// The `IP:PORT` behind a flag on the command line.
pub fn address(flag: &str) -> Result<SocketAddr, Failure> {
    let mut arguments = env::args().skip_while(|argument| argument != flag);
    let value = arguments.nth(1);
    Ok(value.ok_or(format!("{flag} is missing"))?.parse()?)
}

/// Listens on `--listen` and serves each connection, for ever.
pub fn serve<S>(service: S) -> Result<(), Failure>
where
    S: Service<Request<Incoming>, Response = Answer, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let address = address("--listen")?;
    let mut runtime = match thread::available_parallelism()?.get() {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    runtime.enable_all().build()?.block_on(async {
        let listener = TcpListener::bind(address).await?;
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
