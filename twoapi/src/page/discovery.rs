//! The addresses that the pods have at the moment.

use std::{net::IpAddr, time::Duration};

use load::resolver::{Resolver, prefer_ipv4};
use tokio::time::timeout;

/// A DNS server inside the cluster answers in milliseconds.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

/// All addresses of all names. A headless Service without pods has no address, which is no error if another
/// name has one.
///
/// # Errors
/// A sentence, when no name has an address.
pub(super) async fn addresses(
    resolver: &Resolver,
    names: &[String],
) -> Result<Vec<IpAddr>, String> {
    let mut found = Vec::new();
    let mut problem = None;
    for name in names {
        if name == "localhost" {
            // Both of its addresses are the same pod.
            found.push(IpAddr::from([127, 0, 0, 1]));
            continue;
        }
        if let Ok(ip) = name.parse() {
            found.push(ip);
            continue;
        }
        match timeout(LOOKUP_TIMEOUT, resolver.lookup(name, 0)).await {
            Ok(Ok(addresses)) => found.extend(addresses.iter().map(|address| address.ip())),
            Ok(Err(why)) => problem = Some(format!("the name {name} can't be resolved: {why}")),
            Err(_) => problem = Some(format!("the name {name} isn't resolved in time")),
        }
    }
    prefer_ipv4(&mut found, IpAddr::is_ipv4);
    found.sort_unstable();
    found.dedup();
    match problem {
        Some(why) if found.is_empty() => Err(why),
        _ => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_and_addresses_can_be_mixed() {
        let names = ["127.0.0.3", "localhost", "127.0.0.2", "nobody.invalid"];
        let names = names.map(str::to_owned);
        let resolver = Resolver::default();
        let found = addresses(&resolver, &names).await.unwrap();
        let expected = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];
        assert_eq!(found, expected.map(|ip| ip.parse::<IpAddr>().unwrap()));
        let why = addresses(&resolver, &names[3..]).await.unwrap_err();
        assert!(why.starts_with("the name nobody.invalid can't be"), "{why}");
    }
}
