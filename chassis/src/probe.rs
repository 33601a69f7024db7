//! The subcommand `probe URL`: one GET, for an exec probe in an image that has no shell and no
//! curl. Exit 0 on 2xx, else 1 and a sentence on stderr.

use std::{process::ExitCode, time::Duration};

use axum::body::Body;
use hyper::{Request, StatusCode, Uri, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use crate::settings::duration;

/// Ask a URL once: exit 0 on 2xx, else 1 (for an exec probe in an image without a shell)
#[derive(Clone, Debug, clap::Args)]
pub struct Probe {
    /// What to ask, such as `http://localhost:5000/livez`
    #[arg(value_parser = http_url)]
    url: Uri,

    /// How long the whole may take
    // 1 s: what Kubernetes gives a probe by default.
    #[arg(long, default_value = "1s", value_parser = duration)]
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

/// A URL in clear text, as everything inside a pod is.
pub fn http_url(text: &str) -> Result<Uri, String> {
    match text.parse::<Uri>() {
        Ok(url) if url.scheme_str() == Some("http") && has_host_and_port(&url) => Ok(url),
        _ => Err("a URL is written as http://host:port/path".to_owned()),
    }
}

/// The port may be missing, but one that is too large isn't taken for a missing one.
fn has_host_and_port(url: &Uri) -> bool {
    url.authority().is_some_and(|authority| {
        let with_port = authority.as_str().rsplit('@').next() != Some(authority.host());
        !authority.host().is_empty() && with_port == authority.port_u16().is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_host_and_perhaps_a_port() {
        for text in [
            "http://localhost:5000/livez",
            "http://[::1]:5000",
            "http://x/?a=b:c",
            "http://80:80/",
        ] {
            assert!(http_url(text).is_ok(), "{text}");
        }
        for text in [
            "localhost:5000",
            "https://x/",
            "http://x:99999/",
            "http://x:/",
            "http://:80/",
            "/x",
        ] {
            assert!(http_url(text).is_err(), "{text}");
        }
    }
}
