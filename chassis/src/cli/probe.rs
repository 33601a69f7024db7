//! The subcommand `probe URL`: one GET, for an exec probe in an image that has no shell and no
//! curl. Exit 0 on 2xx, else 1 and a sentence on stderr.

use std::{io, net::SocketAddr, process::ExitCode, time::Duration};

use axum::http::{StatusCode, Uri};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpStream, lookup_host},
    time::{Instant, timeout_at},
};

use crate::{
    config::{Reader, complain, host_and_port, http_url, localhost, positive_duration},
    text::shown,
};

/// Ask a URL once: exit 0 on 2xx, else 1 (for an exec probe in an image without a shell)
#[derive(Clone, Debug, clap::Args)]
pub struct Probe {
    /// What to ask, such as `http://localhost:5000/livez`
    #[arg(value_parser = Reader(http_url))]
    url: Uri,

    /// How long the whole may take
    // 1 s: what Kubernetes gives a probe by default.
    #[arg(long, default_value = "1s", value_parser = Reader(positive_duration))]
    timeout: Duration,
}

impl Probe {
    /// Asks, and says on stderr why it failed.
    pub async fn run(&self) -> ExitCode {
        let Self {
            url,
            timeout: limit,
        } = self;
        let deadline = Instant::now() + *limit;
        let why = match timeout_at(deadline, addresses(url)).await {
            Ok(Ok(addresses)) => match timeout_at(deadline, ask(url, &addresses)).await {
                Ok(Ok(status)) if status.is_success() => return ExitCode::SUCCESS,
                Ok(Ok(status)) => format!("answered {status}"),
                Ok(Err(error)) => format!("did not answer: {error}"),
                Err(_) => format!("did not answer within {limit:?}"),
            },
            Ok(Err(error)) => format!("did not answer: {error}"),
            Err(_) => format!("was not asked: its name isn't resolved within {limit:?}"),
        };
        complain(format_args!("{} {why}", shown(url.to_string())));
        ExitCode::FAILURE
    }
}

async fn addresses(url: &Uri) -> io::Result<Vec<SocketAddr>> {
    let (host, port) = host_and_port(url, 80);
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(localhost(port).to_vec());
    }
    Ok(lookup_host((host, port)).await?.collect())
}

/// A whole HTTP client would be a tenth of the image. All that counts here is the status.
async fn ask(
    url: &Uri,
    addresses: &[SocketAddr],
) -> Result<StatusCode, Box<dyn std::error::Error + Send + Sync>> {
    let authority = url.authority().expect("http_url saw to it");
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut stream = TcpStream::connect(addresses).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    // Interim answers, such as 103, come before the final one.
    let mut lines = BufReader::new(stream.take(LONGEST_ANSWER)).split(b'\n');
    let closed = "the connection was closed";
    loop {
        let line = lines.next_segment().await?.ok_or(closed)?;
        let status = status(&line).ok_or("what came is not HTTP")?;
        if !status.is_informational() {
            return Ok(status);
        }
        while !lines
            .next_segment()
            .await?
            .ok_or(closed)?
            .trim_ascii()
            .is_empty()
        {}
    }
}

/// As much of an answer as is read, in bytes: more than the headers of interim answers take.
const LONGEST_ANSWER: u64 = 16 << 10;

fn status(line: &[u8]) -> Option<StatusCode> {
    let line = line.strip_prefix(b"HTTP/1.")?;
    let status = line.strip_prefix(b"1 ").or(line.strip_prefix(b"0 "))?;
    StatusCode::from_bytes(status.get(..3)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_read_and_what_is_not_http_is_not() {
        assert_eq!(
            status(b"HTTP/1.1 503"),
            Some(StatusCode::SERVICE_UNAVAILABLE)
        );
        assert_eq!(status(b"HTTP/1.0 200"), Some(StatusCode::OK));
        for other in [
            "",
            "HTTP/1.1 20",
            "HTTP/2.0 200",
            "HTTP/1.1 abc",
            "SSH-2.0-Open",
        ] {
            assert_eq!(status(other.as_bytes()), None, "{other}");
        }
    }
}
