//! A load at a fixed rate, and how late its answers were. It is a loop over sockets that never sleeps,
//! since its latency is part of what it measures: one CPU of it keeps up with half of what a bare
//! server answers on another.

use std::{
    io::{self, Read, Write},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use mio::{Events, Interest, Poll, Token, net::TcpStream};

use crate::http::Url;

/// How long requests may be without any answer before the run is given up.
const SILENCE: Duration = Duration::from_secs(30);

/// What a load found.
#[derive(Debug)]
pub struct Found {
    /// The latency of each request in seconds, sorted.
    latencies: Vec<f64>,
    /// Requests per second, until the last one was answered.
    pub rate: f64,
}

impl Found {
    /// So many percent of the requests took at most this long, in seconds.
    pub fn percentile(&self, percent: f64) -> f64 {
        let rank = (self.latencies.len() as f64 * percent / 100.0).ceil() as usize;
        self.latencies[rank.clamp(1, self.latencies.len()) - 1]
    }
}

/// Sends so many requests a second on so many connections. A request's latency counts from when it was
/// due, also when no connection was free then: a server that stops for a while can't hide it.
///
/// # Errors
/// When a connection fails, or an answer is not 200.
pub fn run(url: &Url, connections: usize, rate: f64, length: Duration) -> Result<Found> {
    let mut poll = Poll::new()?;
    let mut all = Vec::with_capacity(connections);
    for number in 0..connections {
        all.push(Connection::open(url, poll.registry(), Token(number))?);
    }
    let mut events = Events::with_capacity(connections);
    let mut free: Vec<usize> = (0..connections).collect();
    let total = (rate * length.as_secs_f64()).round().max(1.0) as usize;
    let mut latencies = Vec::with_capacity(total);
    let (start, mut sent) = (Instant::now(), 0);
    let due = |number: usize| start + Duration::from_secs_f64(number as f64 / rate);
    let mut last_answer = start;
    while latencies.len() < total {
        let now = Instant::now();
        while sent < total
            && due(sent) <= now
            && let Some(number) = free.pop()
        {
            all[number].send(due(sent))?;
            sent += 1;
        }
        poll.poll(&mut events, Some(Duration::ZERO))?;
        if events.is_empty() {
            let is_silent = now.duration_since(last_answer) > SILENCE;
            ensure!(!is_silent, "no answer came for {SILENCE:?}");
            // What is called may have to share this CPU.
            thread::yield_now();
        }
        for event in &events {
            let number = event.token().0;
            if let Some(due) = all[number].receive()? {
                last_answer = Instant::now();
                latencies.push(last_answer.duration_since(due).as_secs_f64());
                free.push(number);
            }
        }
    }
    latencies.sort_by(f64::total_cmp);
    Ok(Found {
        latencies,
        rate: total as f64 / start.elapsed().as_secs_f64(),
    })
}

/// A connection with at most one request under way.
struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    received: Vec<u8>,
    due: Option<Instant>,
}

impl Connection {
    fn open(url: &Url, registry: &mio::Registry, token: Token) -> Result<Self> {
        let stream = std::net::TcpStream::connect(&url.authority)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        registry.register(&mut stream, token, Interest::READABLE)?;
        Ok(Self {
            stream,
            request: url.request().into_bytes(),
            received: Vec::with_capacity(1024),
            due: None,
        })
    }

    /// The buffers of an idle connection have room for a request.
    fn send(&mut self, due: Instant) -> Result<()> {
        self.due = Some(due);
        let sent = self.stream.write(&self.request)?;
        ensure!(sent == self.request.len(), "a request was sent in part");
        Ok(())
    }

    /// When the request was due whose answer is now there as a whole.
    fn receive(&mut self) -> Result<Option<Instant>> {
        let mut chunk = [0; 1024];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(count) => {
                    self.received.extend_from_slice(&chunk[..count]);
                    // There is no more, and asking would be a call in vain.
                    if count < chunk.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        if !is_whole(&self.received)? {
            return Ok(None);
        }
        self.received.clear();
        Ok(self.due.take())
    }
}

/// Whether an answer is there as a whole.
///
/// # Errors
/// When it is not a 200 that says its length.
fn is_whole(answer: &[u8]) -> Result<bool> {
    let Some(end) = answer.windows(4).position(|it| it == b"\r\n\r\n") else {
        return Ok(false);
    };
    let head = std::str::from_utf8(&answer[..end])?;
    ensure!(head.starts_with("HTTP/1.1 200"), "answered {head:?}");
    let length = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.parse::<usize>().ok())
        .with_context(|| format!("answered without its length: {head:?}"))?;
    Ok(answer.len() >= end + 4 + length)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

    /// Answers each request on one connection, the numbered one after a pause.
    fn server(slow: usize, pause: Duration) -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for number in 0.. {
                if stream.read(&mut [0; 1024]).unwrap() == 0 {
                    break;
                }
                if number == slow {
                    thread::sleep(pause);
                }
                stream.write_all(ANSWER).unwrap();
            }
        });
        Url::parse(&format!("http://{authority}/")).unwrap()
    }

    #[test]
    fn each_request_counts_from_when_it_was_due() {
        let pause = Duration::from_millis(200);
        let url = server(5, pause);
        let found = run(&url, 1, 100.0, Duration::from_millis(500)).unwrap();
        assert_eq!(found.latencies.len(), 50);
        assert!((80.0..=110.0).contains(&found.rate), "{}", found.rate);
        // 20 requests were due while the server slept, and each of them waited for its end.
        let half = pause.as_secs_f64() / 2.0;
        let late = found.latencies.iter().filter(|it| **it > half).count();
        assert!(
            (8..=25).contains(&late),
            "{late} of 50 were late: {found:?}"
        );
        assert!(found.percentile(100.0) >= pause.as_secs_f64());
        assert!(found.percentile(1.0) < half);
    }

    #[test]
    fn an_answer_is_whole_with_its_last_byte() {
        for end in 0..ANSWER.len() {
            assert!(!is_whole(&ANSWER[..end]).unwrap(), "{end} bytes");
        }
        assert!(is_whole(ANSWER).unwrap());
    }

    #[test]
    fn an_answer_other_than_200_is_no_figure() {
        let error = is_whole(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n").unwrap_err();
        assert!(error.to_string().contains("503"), "{error}");
        assert!(is_whole(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn a_percentile_is_one_of_the_latencies() {
        let found = Found {
            latencies: (1..=200).map(f64::from).collect(),
            rate: 1.0,
        };
        assert_eq!(found.percentile(99.0), 198.0);
        assert_eq!(found.percentile(100.0), 200.0);
        assert_eq!(found.percentile(0.1), 1.0);
    }
}
