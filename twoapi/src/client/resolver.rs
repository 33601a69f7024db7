//! Looks names up, for every client here: the call to oneapi, `load` and `burn`. Left out: a cache,
//! since no client asks more than once a second, and a cached answer would hide that pods come and go.

use std::{net::SocketAddr, pin::pin, time::Duration};

use chassis::config::{complain, localhost};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::{
    net::lookup_host,
    time::{sleep, timeout},
};

/// How long a program that was just started waits for its first look-up. The system asks again after
/// 5 s by default, so one lost packet costs as much; this is enough for two.
const FIRST_LOOKUP_TIMEOUT: Duration = Duration::from_secs(15);

/// When a person wonders whether anything happens.
const SAY_AFTER: Duration = Duration::from_secs(2);

/// All addresses of a name, each once, in the system's order of preference; at least one.
///
/// # Errors
/// The reason why there is none, without the name.
pub(crate) async fn lookup(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(localhost(port).to_vec());
    }
    let found = lookup_host((host, port))
        .await
        .map_err(|error| error.to_string())?;
    let mut addresses = Vec::new();
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err("it has no address".to_owned());
    }
    Ok(addresses)
}

/// [`lookup`] for a program that was just started: with patience, and without silence.
///
/// # Errors
/// A sentence that names the host.
pub(crate) async fn first_lookup(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let lookup = async {
        let mut lookup = pin!(lookup(host, port));
        tokio::select! {
            found = &mut lookup => return found,
            () = sleep(SAY_AFTER) => complain(format_args!(
                "the name {host} isn't resolved yet: waiting for up to {FIRST_LOOKUP_TIMEOUT:?}"
            )),
        }
        lookup.await
    };
    let found = timeout(FIRST_LOOKUP_TIMEOUT, lookup).await;
    found
        .unwrap_or_else(|_| Err(format!("no answer within {FIRST_LOOKUP_TIMEOUT:?}")))
        .map_err(|why| format!("the name {host} can't be resolved: {why}"))
}

/// [`lookup`] for reqwest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // Port 0 stands for the URL's own.
            let addresses = lookup(name.as_str(), 0).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
