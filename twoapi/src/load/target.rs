//! The URL that is asked, and the addresses that its name stands for at the moment: a headless
//! Service's change while pods come and go.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::http::{HeaderValue, Uri};
use tokio::{
    net::{TcpStream, lookup_host},
    time::{sleep, timeout},
};

/// A look-up costs a request to the cluster's DNS, whose own answers may be cached for longer.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Whom to ask, and for what.
#[derive(Debug)]
pub(super) struct Target {
    host: String,
    port: u16,
    pub(super) path: Uri,
    pub(super) authority: HeaderValue,
    /// Never empty, and all of one family: which one is found out at the start, so that no
    /// connection has to be tried twice.
    addresses: RwLock<Vec<SocketAddr>>,
    turn: AtomicUsize,
}

impl Target {
    /// Resolves the name, and sees who listens there.
    ///
    /// # Errors
    /// A sentence, when the name isn't known or nobody can be reached in that time.
    pub(super) async fn find(url: &Uri, patience: Duration) -> Result<Self, String> {
        let authority = url.authority().expect("http_url saw to it");
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let port = authority.port_u16().unwrap_or(80);
        let path = url.path_and_query().map_or("/", |path| path.as_str());
        let found = timeout(patience, lookup(&host, port))
            .await
            .unwrap_or_else(|_| Err("no answer in time".to_owned()))
            .map_err(|why| format!("the name {host} can't be resolved: {why}"))?;
        let mut why = String::new();
        for address in &found {
            match timeout(patience, TcpStream::connect(address)).await {
                Ok(Ok(_)) => {
                    return Ok(Self {
                        addresses: RwLock::new(of_family(&found, *address)),
                        path: path.parse().expect("a part of a URI is one"),
                        authority: HeaderValue::from_str(authority.as_str())
                            .expect("an authority has no control characters"),
                        host,
                        port,
                        turn: AtomicUsize::new(0),
                    });
                }
                Ok(Err(error)) => why = format!("{address} can't be reached: {error}"),
                Err(_) => why = format!("{address} can't be reached: no answer in {patience:?}"),
            }
        }
        Err(why)
    }

    /// The next address: they take turns.
    pub(super) fn address(&self) -> SocketAddr {
        let addresses = self.addresses.read().expect("nobody panics with it");
        addresses[self.turn.fetch_add(1, Ordering::Relaxed) % addresses.len()]
    }

    /// Looks the name up again and again. When it can't be resolved, the old addresses stay.
    pub(super) async fn keep_up_to_date(&self) {
        loop {
            sleep(LOOK_AGAIN).await;
            if let Ok(found) = lookup(&self.host, self.port).await {
                let found = of_family(&found, self.address());
                if !found.is_empty() {
                    *self.addresses.write().expect("nobody panics with it") = found;
                }
            }
        }
    }
}

/// Never empty.
async fn lookup(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    if host == "localhost" {
        // In an image from scratch there may be no /etc/hosts to ask.
        let both = [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ];
        return Ok(both.map(|ip| SocketAddr::new(ip, port)).to_vec());
    }
    let found = lookup_host((host, port))
        .await
        .map_err(|error| error.to_string())?;
    let mut found: Vec<SocketAddr> = found.collect();
    found.sort_unstable();
    found.dedup();
    if found.is_empty() {
        return Err("it stands for no address".to_owned());
    }
    Ok(found)
}

fn of_family(found: &[SocketAddr], like: SocketAddr) -> Vec<SocketAddr> {
    found
        .iter()
        .copied()
        .filter(|address| address.is_ipv4() == like.is_ipv4())
        .collect()
}
