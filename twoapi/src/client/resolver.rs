//! Looks names up, for every client here: the call to oneapi, `load` and `burn`. Left out: a cache,
//! since no client asks more than once a second, and a cached answer would hide that pods come and go.

use std::net::SocketAddr;

use chassis::config::localhost;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;

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

/// The same for reqwest.
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
