//! The subcommand `probe URL`: one GET, for an exec probe in an image that has no shell and no
//! curl. Exit 0 on 2xx, else 1 and a sentence on stderr. As to the kubelet, an answer that breaks off
//! is none. `--http2` asks over HTTP/2 in clear text, as a probe with `protocol: HTTP2` does.

use std::{io, net::SocketAddr, process::ExitCode, time::Duration};

use hyper::{
    StatusCode, Uri,
    header::{CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING},
};
use tokio::{
    io::{
        AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt,
        BufReader, Take, copy, sink,
    },
    net::{TcpStream, lookup_host},
    time::{Instant, timeout_at},
};

use super::http2;
use crate::{
    config::{Reader, complain, host_and_port, http_url, localhost, positive_duration},
    text::shown,
};

/// Ask a URL once: exit 0 on a whole answer of 2xx, else 1 (for an exec probe in an image without a shell)
#[derive(Clone, Debug, clap::Args)]
pub struct Probe {
    /// What to ask, such as `http://localhost:5000/livez`
    #[arg(value_parser = Reader(http_url))]
    url: Uri,

    /// Ask over HTTP/2, from the first byte and in clear text
    #[arg(long)]
    http2: bool,

    /// How long the whole may take
    // 1 s: what Kubernetes gives a probe by default.
    #[arg(long, default_value = "1s", allow_hyphen_values = true, value_parser = Reader(positive_duration))]
    timeout: Duration,
}

impl Probe {
    /// Asks, and says on stderr why it failed.
    pub async fn run(&self) -> ExitCode {
        let Self {
            url,
            http2,
            timeout: limit,
        } = self;
        let deadline = Instant::now() + *limit;
        let why = match timeout_at(deadline, addresses(url)).await {
            Ok(Ok(addresses)) => match timeout_at(deadline, ask(url, *http2, &addresses)).await {
                // The timer goes in steps of a millisecond.
                Ok(Ok(_)) if Instant::now() > deadline => {
                    format!("did not answer within {limit:?}")
                }
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

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The status of a whole answer.
async fn ask(
    url: &Uri,
    over_http2: bool,
    addresses: &[SocketAddr],
) -> Result<StatusCode, BoxError> {
    let stream = TcpStream::connect(addresses).await?;
    if over_http2 {
        match http2::ask(url, stream).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(CLOSED.into()),
            answer => Ok(answer?),
        }
    } else {
        ask_http1(url, stream).await
    }
}

/// A whole HTTP client would be a tenth of the image.
pub(super) async fn ask_http1(
    url: &Uri,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
) -> Result<StatusCode, BoxError> {
    let authority = url.authority().expect("http_url saw to it");
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = format!("GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = BufReader::new(stream.take(LONGEST_ANSWER));
    loop {
        let status = status(&line(&mut answer).await?).ok_or(NOT_HTTP)?;
        let mut body = Body::UntilClosed;
        // One that breaks off within its headers is none, to the kubelet either.
        loop {
            let header = line(&mut answer).await?;
            if header.is_empty() {
                break;
            }
            body = body.after(&header).ok_or(NOT_HTTP)?;
        }
        // Interim answers, such as 103, come before the final one.
        if status.is_informational() {
            continue;
        }
        if status.is_success() && status != StatusCode::NO_CONTENT {
            answer.get_mut().set_limit(LONGEST_ANSWER);
            body.read(&mut answer).await?;
        }
        return Ok(status);
    }
}

/// How the end of a body is known. <https://www.rfc-editor.org/rfc/rfc9112#section-6.3>
#[derive(Clone, Copy)]
enum Body {
    UntilClosed,
    Long(u64),
    Chunks,
}

impl Body {
    /// What is known after one more header. `None` if it is none.
    fn after(self, header: &[u8]) -> Option<Self> {
        if header.starts_with(b" ") || header.starts_with(b"\t") {
            return Some(self); // more of the one before
        }
        let colon = header.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&header[..colon]).ok()?;
        let value = HeaderValue::from_bytes(header[colon + 1..].trim_ascii()).ok()?;
        match self {
            _ if name == TRANSFER_ENCODING => {
                let last = value.to_str().ok()?.rsplit(',').next()?.trim();
                let is_chunked = last.eq_ignore_ascii_case("chunked");
                Some(if is_chunked {
                    Self::Chunks
                } else {
                    Self::UntilClosed
                })
            }
            Self::UntilClosed | Self::Long(_) if name == CONTENT_LENGTH => {
                let length = number(value.to_str().ok()?, 10)?;
                let is_another = matches!(self, Self::Long(other) if other != length);
                (!is_another).then_some(Self::Long(length))
            }
            _ => Some(self),
        }
    }

    /// Reads as much of it as the kubelet does, to which one that breaks off before is no answer.
    async fn read(
        self,
        answer: &mut BufReader<Take<impl AsyncRead + Unpin>>,
    ) -> Result<(), BoxError> {
        let mut left = http2::MOST_OF_A_BODY;
        match self {
            Self::UntilClosed => {
                copy(&mut answer.take(left), &mut sink()).await?;
            }
            Self::Long(length) => skip(answer, length.min(left)).await?,
            Self::Chunks => loop {
                let size = line(answer).await?;
                let size = str::from_utf8(&size)?.split(';').next();
                let size = size.and_then(|size| number(size.trim(), 16));
                let size = size.ok_or(NOT_HTTP)?;
                skip(answer, size.min(left)).await?;
                left = left.saturating_sub(size);
                if left == 0 {
                    break;
                }
                // An empty line ends a chunk, and the trailers after the last one.
                while !line(answer).await?.is_empty() {
                    if size > 0 {
                        return Err(NOT_HTTP.into());
                    }
                }
                if size == 0 {
                    break;
                }
            },
        }
        Ok(())
    }
}

async fn skip(answer: &mut (impl AsyncBufRead + Unpin), bytes: u64) -> io::Result<()> {
    match copy(&mut answer.take(bytes), &mut sink()).await? {
        skipped if skipped < bytes => Err(io::Error::other(CLOSED)),
        _ => Ok(()),
    }
}

fn number(digits: &str, radix: u32) -> Option<u64> {
    let number = u64::from_str_radix(digits, radix).ok();
    number.filter(|_| !digits.starts_with('+'))
}

const NOT_HTTP: &str = "what came is not HTTP";
const CLOSED: &str = "the connection was closed";
const TOO_LONG: &str = "its headers don't end within 64 KiB";

/// A whole line of the answer, without its end.
async fn line<S: AsyncRead + Unpin>(answer: &mut BufReader<Take<S>>) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    answer.read_until(b'\n', &mut line).await?;
    if line.pop() != Some(b'\n') {
        let is_cut_off = answer.get_ref().limit() == 0;
        return Err(io::Error::other(if is_cut_off { TOO_LONG } else { CLOSED }));
    }
    line.pop_if(|last| *last == b'\r');
    Ok(line)
}

/// As much of an answer's headers as is read, in bytes, and then of its body: more than headers take, those of
/// interim answers too, and than that much of a body takes in chunks.
const LONGEST_ANSWER: u64 = 64 << 10;

fn status(line: &[u8]) -> Option<StatusCode> {
    let line = line.strip_prefix(b"HTTP/1.")?;
    let status = line.strip_prefix(b"1 ").or(line.strip_prefix(b"0 "))?;
    let (status, phrase) = status.split_first_chunk::<3>()?;
    let is_whole = matches!(phrase.first(), None | Some(b' '));
    StatusCode::from_bytes(status).ok().filter(|_| is_whole)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::*;
    use crate::config::{CheckConflicts, Rejected, read};

    #[test]
    fn the_status_is_read_and_what_is_not_http_is_not() {
        assert_eq!(
            status(b"HTTP/1.1 503"),
            Some(StatusCode::SERVICE_UNAVAILABLE)
        );
        assert_eq!(status(b"HTTP/1.0 200"), Some(StatusCode::OK));
        assert_eq!(status(b"HTTP/1.0 200 "), Some(StatusCode::OK));
        assert_eq!(status(b"HTTP/1.0 200 OK"), Some(StatusCode::OK));
        for other in [
            "",
            "HTTP/1.1 20",
            "HTTP/2.0 200",
            "HTTP/1.1 abc",
            "SSH-2.0-Open",
            "HTTP/1.1 2000",
            "HTTP/1.1 200abc",
            "HTTP/1.1 200\tOK",
        ] {
            assert_eq!(status(other.as_bytes()), None, "{other}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_ends_within_its_head_is_none() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}/").parse().unwrap();
        for (answer, expected) in [
            ("HTTP/1.1 200", None),
            ("HTTP/1.1 200\r\n", None),
            ("HTTP/1.1 200\r\na: b\r\n", None),
            ("HTTP/1.1 200\r\na: b\r\n\r\n", Some(200)),
            ("HTTP/1.1 200\n\n", Some(200)),
            // A header is one, and an answer has one length.
            ("HTTP/1.1 200\r\na b: c\r\n\r\n", None),
            ("HTTP/1.1 200\r\nab\r\n\r\n", None),
            ("HTTP/1.1 200\r\na: \x1b\r\n\r\n", None),
            ("HTTP/1.1 200\r\na: b\r\n\tc\r\n\r\n", Some(200)),
            (
                "HTTP/1.1 200\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
                None,
            ),
            (
                "HTTP/1.1 200\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nab",
                Some(200),
            ),
        ] {
            let answering = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                assert!(stream.read(&mut request).await.unwrap() > 0);
                stream.write_all(answer.as_bytes()).await.unwrap();
            };
            let addresses = [address];
            let (status, ()) = tokio::join!(ask(&url, false, &addresses), answering);
            let status = status.ok().map(|status| status.as_u16());
            assert_eq!(status, expected, "{answer:?}");
        }
    }

    #[test]
    fn a_timeout_below_zero_is_refused_in_a_sentence() {
        #[derive(Debug, clap::Parser)]
        struct Line {
            #[command(flatten)]
            _probe: Probe,
        }
        impl CheckConflicts for Line {
            fn conflicts(&self) -> Vec<String> {
                Vec::new()
            }
        }
        let line = ["probe", "http://x/", "--timeout", "-1s"];
        match read::<Line>(line.map(Into::into).into()) {
            Err(Rejected::Invalid(sentences)) => assert_eq!(
                sentences,
                ["--timeout can't be '-1s': a length of time is written as 1m30s or 500ms"]
            ),
            other => panic!("{other:?}"),
        }
    }
}
