//! Reads one answer in HTTP/1.1 or 1.0. httparse reads heads and the sizes of chunks; how an answer is
//! delimited is RFC 9112, section 6.3.

use std::mem::MaybeUninit;

use chassis::text::shown;
use httparse::{EMPTY_HEADER, ParserConfig, Status};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::failure::{self, Failure};

/// The pod that answered with success, as the headers of its response say.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Responder {
    /// Its header `pod`.
    pub pod: String,
    /// Its header `version`.
    pub version: String,
}

impl From<&'static str> for Responder {
    fn from(pod: &'static str) -> Self {
        Self {
            pod: pod.to_owned(),
            version: String::new(),
        }
    }
}

/// A whole answer, as far as anybody here asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// Its status.
    pub status: u16,
    /// Who gave it.
    pub responder: Responder,
    /// Its header `stopping`.
    pub stopping: String,
    /// The beginning of its body: at most [`BODY_KEPT`](Self::BODY_KEPT) bytes.
    pub body: Vec<u8>,
}

impl Exchange {
    /// How many bytes of a body are kept; the rest is read and forgotten.
    pub const BODY_KEPT: usize = 1024;

    /// Whether the request had success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn keep(&mut self, part: &[u8]) {
        let room = Self::BODY_KEPT - self.body.len();
        self.body.extend_from_slice(&part[..part.len().min(room)]);
    }
}

/// How many headers an answer may have.
const MAX_HEADERS: usize = 100;

/// After how much without an end a head is given up, or trailers, or the line with the size of a chunk.
const MAX_HEAD: usize = 64 * 1024;

/// How much is read at once: some answers like ours, and a page of memory.
const READ: usize = 4096;

/// What has come over a connection and isn't read yet. Its memory is used again.
#[derive(Debug, Default)]
pub(crate) struct Input {
    bytes: Vec<u8>,
    /// So many of them are read.
    read: usize,
}

/// How long a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Bytes(u64),
    Chunks,
    UntilClosed,
}

#[derive(Debug)]
struct Head {
    exchange: Exchange,
    length: Length,
    /// Whether another request may follow.
    is_kept: bool,
}

fn malformed<T>() -> Result<T, Failure> {
    Err("malformed".into())
}

impl Input {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.read = 0;
    }

    /// A whole answer, and whether its connection can be used for another request.
    pub(crate) async fn answer(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> Result<(Exchange, bool), Failure> {
        let mut head = loop {
            let head = self.parsed(stream, Head::parse).await?;
            // 100 to 199, but for a switch of protocols, announce another answer.
            if !(100..200).contains(&head.exchange.status) || head.exchange.status == 101 {
                break head;
            }
        };
        let exchange = &mut head.exchange;
        match head.length {
            Length::Bytes(length) => self.body(stream, length, exchange).await?,
            Length::Chunks => self.chunks(stream, exchange).await?,
            Length::UntilClosed => loop {
                exchange.keep(self.rest());
                self.clear();
                if self.fill(stream).await? == 0 {
                    break;
                }
            },
        }
        // More than an answer is none to the next request.
        let is_kept = head.is_kept && self.rest().is_empty();
        Ok((head.exchange, is_kept))
    }

    async fn body(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        length: u64,
        exchange: &mut Exchange,
    ) -> Result<(), Failure> {
        let mut left = length;
        loop {
            let here = self.rest();
            let part = usize::try_from(left).map_or(here.len(), |left| left.min(here.len()));
            exchange.keep(&here[..part]);
            self.read += part;
            left -= part as u64;
            if left == 0 {
                return Ok(());
            }
            self.more(stream).await?;
        }
    }

    async fn chunks(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        exchange: &mut Exchange,
    ) -> Result<(), Failure> {
        let size = |bytes: &[u8]| match httparse::parse_chunk_size(bytes) {
            Ok(Status::Complete(found)) => Ok(Some(found)),
            Ok(Status::Partial) => Ok(None),
            Err(_) => malformed(),
        };
        let line_end = |bytes: &[u8]| match bytes {
            [b'\r', b'\n', ..] => Ok(Some((2, ()))),
            [] | [b'\r'] => Ok(None),
            _ => malformed(),
        };
        let trailers =
            |bytes: &[u8]| match httparse::parse_headers(bytes, &mut [EMPTY_HEADER; MAX_HEADERS]) {
                Ok(Status::Complete((length, _))) => Ok(Some((length, ()))),
                Ok(Status::Partial) => Ok(None),
                Err(_) => malformed(),
            };
        loop {
            match self.parsed(stream, size).await? {
                0 => return self.parsed(stream, trailers).await,
                size => self.body(stream, size, exchange).await?,
            }
            self.parsed(stream, line_end).await?;
        }
    }

    /// What `parse` finds at the beginning of what isn't read yet, once all of it has come: with how long
    /// that is.
    async fn parsed<T>(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        parse: impl Fn(&[u8]) -> Result<Option<(usize, T)>, Failure>,
    ) -> Result<T, Failure> {
        loop {
            if let Some((length, found)) = parse(self.rest())? {
                self.read += length;
                return Ok(found);
            }
            if self.rest().len() > MAX_HEAD {
                return malformed();
            }
            self.more(stream).await?;
        }
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.read..]
    }

    /// Reads more, which has to come.
    async fn more(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<(), Failure> {
        match self.fill(stream).await? {
            0 => Err("closed early".into()),
            _ => Ok(()),
        }
    }

    async fn fill(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<usize, Failure> {
        self.bytes.drain(..self.read);
        self.read = 0;
        self.bytes.reserve(READ);
        let filled = stream.read_buf(&mut self.bytes).await;
        filled.map_err(|error| failure::of_system(&error))
    }
}

impl Head {
    fn parse(bytes: &[u8]) -> Result<Option<(usize, Self)>, Failure> {
        let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut []);
        let parsed = ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            bytes,
            &mut headers,
        );
        let length = match parsed {
            Ok(Status::Complete(length)) => length,
            Ok(Status::Partial) => return Ok(None),
            Err(_) => return malformed(),
        };
        let is_1_1 = response.version == Some(1);
        let mut exchange = Exchange {
            status: response.code.unwrap_or_default(),
            ..Exchange::default()
        };
        let (mut said, mut coded, mut chunked) = (None, false, false);
        let (mut close, mut keep_alive) = (false, false);
        for header in response.headers.iter() {
            let is = |name| header.name.eq_ignore_ascii_case(name);
            if is("pod") {
                exchange.responder.pod = shown(header.value);
            } else if is("version") {
                exchange.responder.version = shown(header.value);
            } else if is("stopping") {
                exchange.stopping = shown(header.value);
            } else if is("content-length") {
                for number in words(header.value) {
                    let number = decimal(number)?;
                    if said.replace(number).is_some_and(|before| before != number) {
                        return malformed();
                    }
                }
            } else if is("transfer-encoding") {
                coded = true;
                let last = words(header.value).last();
                chunked = last.is_some_and(|it| it.eq_ignore_ascii_case(b"chunked"));
            } else if is("connection") {
                for word in words(header.value) {
                    close |= word.eq_ignore_ascii_case(b"close");
                    keep_alive |= word.eq_ignore_ascii_case(b"keep-alive");
                }
            }
        }
        let body = match exchange.status {
            100..200 | 204 | 304 => Length::Bytes(0),
            _ if coded && !is_1_1 => return malformed(),
            _ if chunked => Length::Chunks,
            _ if coded => Length::UntilClosed,
            _ => said.map_or(Length::UntilClosed, Length::Bytes),
        };
        let is_kept = !close && (is_1_1 || keep_alive);
        let head = Self {
            is_kept: is_kept && body != Length::UntilClosed && exchange.status != 101,
            exchange,
            length: body,
        };
        Ok(Some((length, head)))
    }
}

/// The parts of a header's value that commas separate.
fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

fn decimal(digits: &[u8]) -> Result<u64, Failure> {
    let text = std::str::from_utf8(digits).unwrap_or_default();
    match text.parse() {
        Ok(number) if digits.iter().all(u8::is_ascii_digit) => Ok(number),
        _ => malformed(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::AsyncWriteExt,
        net::{TcpListener, TcpStream},
    };

    use super::*;

    /// What is made of these parts, each of which is sent when the one before has been read.
    async fn read(parts: &[&[u8]]) -> Result<(Exchange, bool), Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connected = TcpStream::connect(listener.local_addr().unwrap()).await;
        let (mut service, _) = listener.accept().await.unwrap();
        service.set_nodelay(true).unwrap();
        let write = async move {
            for part in parts {
                service.write_all(part).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let mut input = Input::default();
        let mut stream = connected.unwrap();
        tokio::join!(write, input.answer(&mut stream)).1
    }

    /// The same whole and byte by byte: the status, the body, and whether its connection is kept.
    async fn answer(text: &str) -> Result<(u16, String, bool), Failure> {
        let whole = read(&[text.as_bytes()]).await;
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(read(&bytes).await, whole, "byte by byte: {text}");
        let (exchange, is_kept) = whole?;
        let body = String::from_utf8(exchange.body).unwrap();
        Ok((exchange.status, body, is_kept))
    }

    #[tokio::test]
    async fn an_answer_is_as_long_as_it_says() {
        for (text, status, body, is_kept) in [
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
                200,
                "ok",
                true,
            ),
            (
                "HTTP/1.1 200\r\nContent-Length: 2, 2\r\ncontent-length: 2\r\n\r\nok",
                200,
                "ok",
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: x, Close\r\n\r\nok",
                200,
                "ok",
                false,
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok, and more",
                200,
                "ok",
                false,
            ),
            (
                "HTTP/1.1 200 OK\r\n\r\nto the end",
                200,
                "to the end",
                false,
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n..",
                200,
                "..",
                false,
            ),
            (
                "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
                200,
                "ok",
                false,
            ),
            (
                "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
                200,
                "ok",
                true,
            ),
            ("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true),
            (
                "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
                304,
                "",
                true,
            ),
            ("HTTP/1.1 101 Switching Protocols\r\n\r\n", 101, "", false),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n",
                503,
                "",
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\ncontent-length: 1\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\ntrailer: 1\r\n\r\n",
                200,
                "abc0123456789",
                true,
            ),
        ] {
            let told = answer(text).await;
            assert_eq!(told, Ok((status, body.to_owned(), is_kept)), "{text}");
        }
    }

    #[tokio::test]
    async fn what_is_no_answer_is_told_by_its_kind() {
        let ok = "HTTP/1.1 200 OK\r\n";
        for (text, kind) in [
            ("", "closed early"),
            ("HTTP/1.1 200 O", "closed early"),
            (&format!("{ok}content-length: 3\r\n\r\nab"), "closed early"),
            (
                &format!("{ok}transfer-encoding: chunked\r\n\r\n3\r\nab"),
                "closed early",
            ),
            (
                &format!("{ok}transfer-encoding: chunked\r\n\r\n0\r\n"),
                "closed early",
            ),
            ("SSH-2.0-hello\r\n\r\n", "malformed"),
            ("HTTP/2.0 200 OK\r\n\r\n", "malformed"),
            (&format!("{ok}content-length: +1\r\n\r\na"), "malformed"),
            (
                &format!("{ok}content-length: 1\r\ncontent-length: 2\r\n\r\na"),
                "malformed",
            ),
            (
                &format!("{ok}content-length: 18446744073709551616\r\n\r\n"),
                "malformed",
            ),
            (
                &format!("{ok}transfer-encoding: chunked\r\n\r\nx\r\n"),
                "malformed",
            ),
            (
                &format!("{ok}transfer-encoding: chunked\r\n\r\n1\r\nab\r\n"),
                "malformed",
            ),
            (
                "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
                "malformed",
            ),
        ] {
            assert_eq!(answer(text).await, Err(kind.into()), "{text}");
        }
    }

    #[tokio::test]
    async fn no_answer_takes_much_memory() {
        let long = "x".repeat(3 * MAX_HEAD);
        let head = format!("HTTP/1.1 200 OK\r\nx: {long}\r\n\r\n");
        assert_eq!(read(&[head.as_bytes()]).await, malformed());
        let line = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;{long}");
        assert_eq!(read(&[line.as_bytes()]).await, malformed());
        let body = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{long}",
            long.len()
        );
        let (exchange, is_kept) = read(&[body.as_bytes()]).await.unwrap();
        assert_eq!((exchange.body.len(), is_kept), (Exchange::BODY_KEPT, true));
    }

    #[tokio::test]
    async fn headers_say_who_answered_as_it_may_be_shown() {
        let long = "x".repeat(8000);
        let head = format!(
            "HTTP/1.1 200 OK\r\nPod: a\u{e9}b\tc\r\nversion: {long}\r\nstopping: 12ms\r\ncontent-length: 0\r\n\r\n"
        );
        let (exchange, _) = read(&[head.as_bytes()]).await.unwrap();
        assert_eq!(exchange.responder.pod, "a\u{e9}b\\tc");
        assert_eq!(exchange.responder.version, shown(&long));
        assert!(exchange.responder.version.len() < 300, "its beginning");
        assert_eq!(exchange.stopping, "12ms");
    }
}
