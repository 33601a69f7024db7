//! The URL that is asked, and whom its name stands for, looked up anew each second.

use std::{
    net::SocketAddr,
    sync::{
        RwLock, RwLockReadGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::http::{HeaderValue, Uri};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::client::resolver;

/// A look-up costs a request to the cluster's DNS, whose own answers may be cached for longer.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Whom to ask, and for what.
#[derive(Debug)]
pub(super) struct Target {
    host: String,
    port: u16,
    pub(super) path: Uri,
    pub(super) authority: HeaderValue,
    /// All of one family: which one is found out at the start, so that no connection has to be
    /// tried twice. None while the name can't be resolved.
    addresses: RwLock<Vec<SocketAddr>>,
    ipv4: bool,
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
        let found = timeout(patience, resolver::addresses(&host, port))
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {patience:?}")))
            .map_err(|why| format!("the name {host} can't be resolved: {why}"))?;
        let mut why = String::new();
        for address in &found {
            match timeout(patience, TcpStream::connect(address)).await {
                Ok(Ok(_)) => {
                    let path = url.path_and_query().map_or("/", |path| path.as_str());
                    return Ok(Self {
                        addresses: RwLock::new(of_family(found.clone(), address.is_ipv4())),
                        ipv4: address.is_ipv4(),
                        path: path.parse().expect("a part of a URI is one"),
                        authority: HeaderValue::from_str(authority.as_str())
                            .expect("an authority has no control characters"),
                        host,
                        port,
                        turn: AtomicUsize::new(0),
                    });
                }
                Ok(Err(error)) => why = format!("{address} can't be reached: {error}"),
                Err(_) => why = format!("{address} can't be reached within {patience:?}"),
            }
        }
        Err(why)
    }

    /// The next address: they take turns. None while the name can't be resolved.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        let addresses = self.addresses();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        addresses.get(turn.checked_rem(addresses.len())?).copied()
    }

    /// Looks the name up again and again. While a look-up takes its time, what was known holds.
    pub(super) async fn keep_up_to_date(&self) {
        loop {
            sleep(LOOK_AGAIN).await;
            let found = resolver::addresses(&self.host, self.port).await;
            let found = of_family(found.unwrap_or_default(), self.ipv4);
            if *self.addresses() != found {
                *self.addresses.write().expect("nobody panics with it") = found;
            }
        }
    }

    fn addresses(&self) -> RwLockReadGuard<'_, Vec<SocketAddr>> {
        self.addresses.read().expect("nobody panics with it")
    }
}

fn of_family(mut found: Vec<SocketAddr>, ipv4: bool) -> Vec<SocketAddr> {
    found.retain(|address| address.is_ipv4() == ipv4);
    found
}
