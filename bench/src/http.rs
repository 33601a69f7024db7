//! A plain HTTP/1.1 request, and the parts of a URL.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use anyhow::{Context, Result};

/// `http://HOST:PORT/PATH`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// `HOST:PORT`.
    pub authority: String,
    /// It begins with a slash.
    pub path: String,
}

impl Url {
    /// # Errors
    /// When the text is written in another way.
    pub fn parse(text: &str) -> Result<Self> {
        let rest = text.strip_prefix("http://");
        let rest = rest.with_context(|| format!("\"{text}\" doesn't begin with http://"))?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        authority
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse::<u16>().ok())
            .with_context(|| format!("\"{text}\" has no port, as in http://127.0.0.1:80/"))?;
        Ok(Self {
            authority: authority.to_owned(),
            path: format!("/{path}"),
        })
    }

    /// As it was.
    pub fn text(&self) -> String {
        format!("http://{}{}", self.authority, self.path)
    }

    /// Sends a request on a connection that is kept.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn send(&self, stream: &mut TcpStream) -> io::Result<()> {
        stream.write_all(self.request().as_bytes())
    }

    /// A request that keeps its connection.
    pub fn request(&self) -> String {
        let Self { authority, path } = self;
        format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\n\r\n")
    }

    /// Whether it is answered with 200, on a connection of its own.
    pub fn is_ok(&self) -> bool {
        let ask = || -> io::Result<bool> {
            let mut stream = TcpStream::connect(&self.authority)?;
            self.send(&mut stream)?;
            Ok(read(&mut BufReader::new(stream))? == 200)
        };
        ask().unwrap_or(false)
    }
}

/// Reads an answer, which must say its length; returns its status.
///
/// # Errors
/// When it ends early, or is no such answer.
pub fn read(stream: &mut BufReader<TcpStream>) -> io::Result<u16> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
    let mut length = 0;
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    io::copy(&mut stream.take(length), &mut io::sink())?;
    status.ok_or_else(|| io::Error::other("no status"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_and_put_together() {
        let url = Url::parse("http://127.0.0.1:80/a/b?c").unwrap();
        assert_eq!((&*url.authority, &*url.path), ("127.0.0.1:80", "/a/b?c"));
        assert_eq!(url.text(), "http://127.0.0.1:80/a/b?c");
        assert_eq!(Url::parse("http://localhost:80").unwrap().path, "/");
    }

    #[test]
    fn a_url_without_a_port_is_refused_with_a_sentence() {
        let error = Url::parse("http://localhost/").unwrap_err().to_string();
        assert_eq!(
            error,
            "\"http://localhost/\" has no port, as in http://127.0.0.1:80/"
        );
        assert!(Url::parse("https://localhost:443").is_err());
    }
}
