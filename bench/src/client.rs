//! Plain HTTP/1.1 requests on a connection that is kept.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

/// For how long a program that was told to stop may keep a connection.
const END_TIMEOUT: Duration = Duration::from_secs(60);

/// How many requests are sent before the first of them is answered, where many are.
const BATCH: usize = 32;

#[derive(Debug)]
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    /// To `HOST:PORT`.
    pub fn open(authority: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(authority)?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::with_capacity(512, stream)))
    }

    /// Waits until the other side has ended it, and ends it too.
    pub fn ended(mut self) -> Result<()> {
        self.0.get_ref().set_read_timeout(Some(END_TIMEOUT))?;
        match self.0.read(&mut [0]) {
            Ok(0) => Ok(()),
            // By a program that the signal ends.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
            Ok(_) => bail!("something came without a request"),
            Err(error) => Err(error).context("it doesn't end"),
        }
    }

    /// Returns the answer, head and body, which must be a 200.
    pub fn get(&mut self, path: &str) -> Result<String> {
        let request = self.request(path)?;
        self.send(&request)
    }

    fn request(&self, path: &str) -> Result<String> {
        let host = self.0.get_ref().peer_addr()?;
        Ok(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
    }

    /// Asks for an answer that doesn't end, which must be a 200.
    pub fn ask(&mut self, path: &str) -> Result<()> {
        let request = self.request(path)?;
        self.0.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        ensure!(line.starts_with("HTTP/1.1 200 "), "not 200: {line:?}");
        Ok(())
    }

    /// Reads for that long. Returns how many bytes have come.
    pub fn read_for(&mut self, time: Duration) -> Result<usize> {
        let (begun, mut bytes) = (Instant::now(), 0);
        while begun.elapsed() < time {
            let read = self.0.read(&mut [0; 65536])?;
            ensure!(read > 0, "it ended early");
            bytes += read;
        }
        Ok(bytes)
    }

    /// Asks so many times. Each answer must be a 200 with the body of the first one, and as long as that.
    pub fn get_often(&mut self, path: &str, times: usize) -> Result<()> {
        let first = self.get(path)?;
        let (status, body) = (
            &first[..12],
            first.rsplit("\r\n").next().unwrap_or_default(),
        );
        let request = self.request(path)?;
        let mut answers = vec![0; first.len() * BATCH];
        let mut left = times - 1;
        while left > 0 {
            let batch = left.min(BATCH);
            self.0
                .get_mut()
                .write_all(request.repeat(batch).as_bytes())?;
            let answers = &mut answers[..first.len() * batch];
            self.0.read_exact(answers)?;
            for answer in answers.chunks(first.len()) {
                let same =
                    answer.starts_with(status.as_bytes()) && answer.ends_with(body.as_bytes());
                ensure!(
                    same,
                    "not as the first: {}",
                    String::from_utf8_lossy(answer)
                );
            }
            left -= batch;
        }
        Ok(())
    }

    /// Reads until this has come, of an answer that doesn't end.
    pub fn read_until(&mut self, text: &str, within: Duration) -> Result<()> {
        let (begun, mut line) = (Instant::now(), String::new());
        while !line.contains(text) {
            ensure!(begun.elapsed() < within, "{text} doesn't come");
            line.clear();
            ensure!(self.0.read_line(&mut line)? > 0, "it ended early");
        }
        Ok(())
    }

    /// The same as [`get`](Self::get) for any request.
    pub fn send(&mut self, request: &str) -> Result<String> {
        self.0.get_mut().write_all(request.as_bytes())?;
        let mut answer = String::new();
        while !answer.ends_with("\r\n\r\n") {
            let read = self.0.read_line(&mut answer)?;
            ensure!(read > 0, "it ended early: {answer:?}");
        }
        ensure!(answer.starts_with("HTTP/1.1 200 "), "not 200: {answer:?}");
        let head = answer.to_ascii_lowercase();
        let mut lines = head.lines();
        let length = lines.find_map(|line| line.strip_prefix("content-length:"));
        let length = length.with_context(|| format!("it has no length: {answer:?}"))?;
        let mut body = (&mut self.0).take(length.trim().parse()?);
        body.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    /// A server that answers one request so, and then closes.
    fn answering(answer: &'static str) -> (String, thread::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            assert!(stream.read(&mut [0; 512]).unwrap() > 0);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        (authority, server)
    }

    #[test]
    fn an_answer_is_read_to_its_end_and_has_to_be_a_200() {
        for (answer, good) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true),
            ("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\ncontent-le", false),
        ] {
            let (authority, server) = answering(answer);
            let read = Connection::open(&authority).unwrap().get("/");
            server.join().unwrap();
            assert_eq!(read.is_ok_and(|read| read == answer), good, "{answer}");
        }
    }

    #[test]
    fn an_answer_that_does_not_end_has_to_be_a_200_too() {
        for (answer, good) in [
            ("HTTP/1.1 200 OK\r\n\r\nevent: pods\n", true),
            ("HTTP/1.1 503 No\r\n\r\nevent: pods\n", false),
        ] {
            let (authority, server) = answering(answer);
            let mut connection = Connection::open(&authority).unwrap();
            let asked = connection.ask("/");
            server.join().unwrap();
            assert_eq!(asked.is_ok(), good, "{answer}");
            let read = connection.read_until("event: pods", END_TIMEOUT);
            assert!(read.is_ok(), "{answer}");
        }
    }

    #[test]
    fn of_many_answers_each_has_to_be_as_the_first() {
        let answer = |body| format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{body}");
        for (last, good) in [("ok", true), ("no", false)] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let authority = listener.local_addr().unwrap().to_string();
            let server = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let all = answer("ok").repeat(2) + &answer(last);
                stream.write_all(all.as_bytes()).unwrap();
                let requests = BufReader::new(stream).lines();
                let requests =
                    requests.filter(|line| line.as_ref().is_ok_and(|it| it.starts_with("GET /")));
                requests.count()
            });
            let read = Connection::open(&authority).unwrap().get_often("/", 3);
            assert_eq!((read.is_ok(), server.join().unwrap()), (good, 3));
        }
    }
}
