//! The subcommand `probe URL`: one GET, for an exec probe in an image that has no shell and no
//! curl. Exit 0 on 2xx, else 1 and a sentence on stderr.

use std::{process::ExitCode, time::Duration};

use axum::body::Body;
use hyper::{Request, StatusCode, Uri, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use crate::config::{http_url, positive_duration};

/// Ask a URL once: exit 0 on 2xx, else 1 (for an exec probe in an image without a shell)
#[derive(Clone, Debug, clap::Args)]
pub struct Probe {
    /// What to ask, such as `http://localhost:5000/livez`
    #[arg(value_parser = http_url)]
    url: Uri,

    /// How long the whole may take
    // 1 s: what Kubernetes gives a probe by default.
    #[arg(long, default_value = "1s", value_parser = positive_duration)]
    timeout: Duration,
}

impl Probe {
    /// Asks, and says on stderr why it failed.
    pub async fn run(&self) -> ExitCode {
        let Self {
            url,
            timeout: limit,
        } = self;
        let why = match timeout(*limit, ask(url)).await {
            Ok(Ok(status)) if status.is_success() => return ExitCode::SUCCESS,
            Ok(Ok(status)) => format!("answered {status}"),
            Ok(Err(error)) => format!("did not answer: {error}"),
            Err(_) => format!("did not answer within {limit:?}"),
        };
        eprintln!("{url} {why}");
        ExitCode::FAILURE
    }
}

async fn ask(url: &Uri) -> Result<StatusCode, Box<dyn std::error::Error + Send + Sync>> {
    let authority = url.authority().expect("http_url saw to it");
    // A name in a URL may be an IPv6 address in brackets, which a look-up doesn't know.
    let host = authority.host().trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(url.path_and_query().map_or("/", |path| path.as_str()))
        .header(HOST, authority.as_str())
        .body(Body::empty())?;
    tokio::select! {
        response = sender.send_request(request) => Ok(response?.status()),
        Err(error) = connection => Err(error.into()),
    }
}
