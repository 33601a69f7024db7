//! Which addresses a name stands for at the moment: a headless Service's change while pods come
//! and go. Left out: a cache, since who asks here asks once a second at most.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::lookup_host;

/// All of them, sorted, each once, and at least one.
///
/// # Errors
/// The reason why there is none, without the name.
pub(crate) async fn addresses(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
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
