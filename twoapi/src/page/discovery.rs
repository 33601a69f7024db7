//! Which addresses the pods have: those that the names stand for at the moment.

use std::{net::IpAddr, time::Duration};

use tokio::time::timeout;

use super::can_be_a_name;
use load::resolver::Resolver;

/// A DNS server inside the cluster answers in milliseconds.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

/// All addresses of all names. A headless Service without pods has none, which is no error while
/// another name has some.
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
    // A pod with addresses of both families is one pod.
    if found.iter().any(IpAddr::is_ipv4) {
        found.retain(IpAddr::is_ipv4);
    }
    found.sort_unstable();
    found.dedup();
    match problem {
        Some(why) if found.is_empty() => Err(why),
        _ => Ok(found),
    }
}

/// One of the names of `PODS_NAME`.
///
/// # Errors
/// A sentence that says what is allowed.
pub(super) fn name_or_ip(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.parse::<IpAddr>().is_ok() || can_be_a_name(name) {
        Ok(name.to_owned())
    } else {
        Err("pods are names and IPs with commas between them, without scheme and port".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_named_without_scheme_and_port() {
        for (text, name) in [
            ("chesterservice-all", "chesterservice-all"),
            (" a.b.svc.cluster.local ", "a.b.svc.cluster.local"),
            ("10.244.0.7", "10.244.0.7"),
            ("fd00::7", "fd00::7"),
        ] {
            assert_eq!(name_or_ip(text).as_deref(), Ok(name), "{text}");
        }
        for text in [
            "",
            "a:5001",
            "http://a",
            "[fd00::7]",
            "a b",
            "a/b",
            "\u{e9}t\u{e9}",
        ] {
            assert!(name_or_ip(text).is_err(), "{text}");
        }
    }

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
