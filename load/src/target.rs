//! The URL that is requested, and the addresses that its name resolves to, looked up every second.

use std::{
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chassis::{
    base::lock,
    config::{complain, host_and_port},
};
use hyper::{Uri, header::HeaderValue};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::resolver::{self, Resolver};

/// A look-up costs a request to the cluster's DNS, whose own answers may be cached for longer.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(1);

/// Where to send requests, and for what.
#[derive(Debug)]
pub struct Target {
    resolver: Resolver,
    host: String,
    port: u16,
    path: String,
    /// The request, over a connection that is kept and over one that the service is asked to close.
    requests: [Box<[u8]>; 2],
    /// Sorted, at least one, and all of one family: which one works is found out at the start, so
    /// that no connection has to be tried twice.
    addresses: Mutex<Vec<SocketAddr>>,
    ipv4: bool,
    next: AtomicUsize,
}

impl Target {
    /// Resolves the name, and finds an address that accepts connections, each within `limit`.
    ///
    /// # Errors
    /// A sentence, when the name can't be resolved or no address be reached in time.
    pub async fn find(resolver: Resolver, url: &Uri, limit: Duration) -> Result<Self, String> {
        let (host, port) = host_and_port(url, 80);
        let found = timeout(limit, resolver.lookup(host, port))
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {limit:?}")))
            .map_err(|why| format!("the name {host} can't be resolved: {why}"))?;
        Self::reach(resolver, url, &found, limit).await
    }

    /// As [`find`](Self::find), for a program that was just started: the look-up has its own time limit.
    ///
    /// # Errors
    /// As of [`find`](Self::find).
    pub async fn find_with_patience(url: &Uri, limit: Duration) -> Result<Self, String> {
        let (host, port) = host_and_port(url, 80);
        let found = resolver::first_lookup(host, port).await?;
        Self::reach(Resolver::default(), url, &found, limit).await
    }

    async fn reach(
        resolver: Resolver,
        url: &Uri,
        found: &[SocketAddr],
        limit: Duration,
    ) -> Result<Self, String> {
        let (host, port) = host_and_port(url, 80);
        let authority = url.authority().expect("http_url saw to it").as_str();
        let mut why = String::new();
        for address in found {
            match timeout(limit, TcpStream::connect(address)).await {
                Ok(Ok(_)) => {
                    let path = path_of(url);
                    return Ok(Self {
                        resolver,
                        addresses: Mutex::new(of_family(found, address.is_ipv4())),
                        ipv4: address.is_ipv4(),
                        requests: requests(&path, authority.as_bytes()),
                        path,
                        host: host.to_owned(),
                        port,
                        next: AtomicUsize::new(0),
                    });
                }
                Ok(Err(error)) => why = format!("{address} can't be reached: {error}"),
                Err(_) => why = format!("{address} can't be reached within {limit:?}"),
            }
        }
        Err(why)
    }

    /// Sends another header `Host` than the URL's. The requests still go to the URL's own host.
    pub fn with_host(mut self, host_header: &HeaderValue) -> Self {
        self.requests = requests(&self.path, host_header.as_bytes());
        self
    }

    /// What to send, and with it to ask the service to close the connection.
    pub(crate) fn request(&self, close: bool) -> &[u8] {
        &self.requests[usize::from(close)]
    }

    /// The next address. The addresses take turns.
    pub(crate) fn address(&self) -> SocketAddr {
        let addresses = lock(&self.addresses);
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        addresses[next % addresses.len()]
    }

    /// Looks the name up every second. As long as that fails, the last known addresses are used:
    /// a DNS server that is restarted is no reason for a service to lose its load.
    pub async fn keep_up_to_date(&self) {
        let mut failing = false;
        loop {
            sleep(LOOKUP_INTERVAL).await;
            let found = self.look_up_again().await;
            if let (Err(why), false) = (&found, failing) {
                let host = &self.host;
                complain(format_args!(
                    "the name {host} can't be resolved any more: {why}; going on with its last addresses"
                ));
            }
            failing = found.is_err();
        }
    }

    async fn look_up_again(&self) -> Result<(), String> {
        let found = self.resolver.lookup(&self.host, self.port).await?;
        self.update(&found);
        Ok(())
    }

    /// Takes over what a look-up found, if there is an address of the right family.
    fn update(&self, found: &[SocketAddr]) {
        let found = of_family(found, self.ipv4);
        if !found.is_empty() {
            *lock(&self.addresses) = found;
        }
    }
}

/// The path and the query, as they are sent.
fn path_of(url: &Uri) -> String {
    match url.path_and_query().map_or("/", |path| path.as_str()) {
        path if path.starts_with('/') => path.to_owned(),
        query => format!("/{query}"),
    }
}

fn requests(path: &str, host: &[u8]) -> [Box<[u8]>; 2] {
    let beginning = [b"GET ", path.as_bytes(), b" HTTP/1.1\r\nhost: ", host].concat();
    ["\r\n\r\n", "\r\nconnection: close\r\n\r\n"]
        .map(|end| [&beginning, end.as_bytes()].concat().into())
}

fn of_family(found: &[SocketAddr], ipv4: bool) -> Vec<SocketAddr> {
    let of_family = |address: &&SocketAddr| address.is_ipv4() == ipv4;
    let mut found: Vec<SocketAddr> = found.iter().filter(of_family).copied().collect();
    found.sort_unstable();
    found
}

/// What is sent, over a kept connection and over a fresh one, for cargo fuzz.
#[cfg(fuzzing)]
pub(crate) fn sent(url: &Uri, host: &[u8]) -> [Box<[u8]>; 2] {
    requests(&path_of(url), host)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    async fn target() -> (tokio::net::TcpListener, Target) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/test", listener.local_addr().unwrap());
        let target = Target::find(
            Resolver::default(),
            &url.parse().unwrap(),
            Duration::from_secs(5),
        )
        .await;
        (listener, target.unwrap())
    }

    fn addresses(target: &Target) -> BTreeSet<String> {
        let turns = 0..10;
        turns.map(|_| target.address().ip().to_string()).collect()
    }

    #[tokio::test]
    async fn new_addresses_replace_the_old_ones() {
        let (_listener, target) = target().await;
        assert_eq!(addresses(&target), ["127.0.0.1".to_owned()].into());
        let of = |ip: &str| SocketAddr::new(ip.parse().unwrap(), 80);
        target.update(&[of("10.0.0.2"), of("10.0.0.1"), of("fd00::1")]);
        let both = ["10.0.0.1".to_owned(), "10.0.0.2".to_owned()];
        assert_eq!(addresses(&target), both.into(), "of the same family");
    }

    #[tokio::test]
    async fn a_look_up_that_finds_nothing_of_use_keeps_what_was_known() {
        let (_listener, target) = target().await;
        for found in [&[][..], &["[::1]:80".parse().unwrap()]] {
            target.update(found);
            let known = addresses(&target);
            assert_eq!(known, ["127.0.0.1".to_owned()].into(), "after {found:?}");
        }
    }

    #[tokio::test]
    async fn a_failed_look_up_keeps_what_was_known() {
        let (_listener, mut target) = target().await;
        target.host = "nobody.invalid".to_owned();
        assert!(target.look_up_again().await.is_err());
        assert_eq!(addresses(&target), ["127.0.0.1".to_owned()].into());
    }
}
