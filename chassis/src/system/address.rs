//! The pod's IP: the one that it was told (the downward API's `POD_IP`), else the first IPv4 of the
//! machine's interfaces that is neither loopback nor link-local, else the first such IPv6, else a
//! link-local one, else loopback.
//! It is not looked up anew on every request, and yet follows a laptop that changes networks.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{PoisonError, RwLock},
    time::{Duration, Instant},
};

use if_addrs::Interface;

/// How old an answer of the interfaces may be: asking them takes some 100 µs, and a laptop's
/// change of networks takes seconds.
const FRESH: Duration = Duration::from_secs(5);

/// The pod's IP, or what a service makes of it, made anew only when it may have changed.
#[derive(Debug)]
pub struct Address<T> {
    make: fn(IpAddr) -> T,
    source: Source<T>,
}

#[derive(Debug)]
enum Source<T> {
    Told(T),
    LookedUp(RwLock<(Instant, T)>),
}

impl Address<IpAddr> {
    /// The same address, of which `make` makes something else: the interfaces are not asked again.
    pub fn made_by<T: Clone>(&self, make: fn(IpAddr) -> T) -> Address<T> {
        let source = match &self.source {
            Source::Told(ip) => Source::Told(make(*ip)),
            Source::LookedUp(known) => {
                let known = known.read().unwrap_or_else(PoisonError::into_inner);
                Source::LookedUp(RwLock::new((known.0, make(known.1))))
            }
        };
        Address { make, source }
    }
}

impl<T: Clone> Address<T> {
    /// `told` is final; without it the interfaces are asked, now and again.
    pub fn new(told: Option<IpAddr>, make: fn(IpAddr) -> T) -> Self {
        let source = match told {
            Some(ip) => Source::Told(make(ip)),
            None => Source::LookedUp(RwLock::new((Instant::now(), make(look_up())))),
        };
        Self { make, source }
    }

    /// What was made of the IP that holds now.
    pub fn get(&self) -> T {
        let known = match &self.source {
            Source::Told(made) => return made.clone(),
            Source::LookedUp(known) => known,
        };
        {
            // A panic can't leave half a value here, so a poisoned lock is as good as any.
            let known = known.read().unwrap_or_else(PoisonError::into_inner);
            if known.0.elapsed() < FRESH {
                return known.1.clone();
            }
        } // the lock is free again before it is taken for writing
        self.look_again(known)
    }

    #[cold]
    fn look_again(&self, known: &RwLock<(Instant, T)>) -> T {
        let made = (self.make)(look_up());
        *known.write().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), made.clone());
        made
    }
}

fn look_up() -> IpAddr {
    choose(&if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot list the network interfaces");
        Vec::new()
    }))
}

/// Link-local addresses (`169.254.0.0/16`, `fe80::/10`) reach nobody from elsewhere. A pod may have one
/// beside its own address: on a cluster with IPv6 alone, some network plugins give it an IPv4 to leave by.
fn choose(interfaces: &[Interface]) -> IpAddr {
    let ips = interfaces.iter().map(Interface::ip);
    ips.filter(|ip| !ip.is_loopback())
        .min_by_key(|ip| (is_link_local(ip), ip.is_ipv6())) // of several, the first
        .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

fn is_link_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use if_addrs::{IfAddr, IfOperStatus, Ifv4Addr, Ifv6Addr};

    use super::*;

    fn interface(ip: &str) -> Interface {
        let addr = match ip.parse().unwrap() {
            IpAddr::V4(ip) => IfAddr::V4(Ifv4Addr {
                ip,
                netmask: Ipv4Addr::UNSPECIFIED,
                prefixlen: 0,
                broadcast: None,
            }),
            IpAddr::V6(ip) => IfAddr::V6(Ifv6Addr {
                ip,
                netmask: ip,
                prefixlen: 0,
                broadcast: None,
            }),
        };
        Interface {
            name: String::new(),
            addr,
            index: None,
            oper_status: IfOperStatus::Up,
            is_p2p: false,
        }
    }

    #[test]
    fn the_first_ipv4_comes_before_any_ipv6_and_then_link_local_ones_and_loopback() {
        for (ips, expected) in [
            (
                "127.0.0.1 ::1 fe80::7 2001:db8::1 10.0.0.7 10.0.0.8",
                "10.0.0.7",
            ),
            ("127.0.0.1 ::1 fe80::7 fd00::1 2001:db8::1", "fd00::1"),
            // An IPv4 to leave the node by, on a cluster that has IPv6 alone.
            (
                "127.0.0.1 169.254.172.6 ::1 fe80::7 fd00:10:244::7",
                "fd00:10:244::7",
            ),
            ("127.0.0.1 169.254.1.5 192.168.1.20", "192.168.1.20"),
            ("127.0.0.1 ::1 fe80::7 169.254.1.5", "169.254.1.5"),
            ("127.0.0.1 ::1 fe80::7", "fe80::7"),
            ("127.0.0.1 ::1", "127.0.0.1"),
            ("::1", "127.0.0.1"),
            ("", "127.0.0.1"),
        ] {
            let interfaces: Vec<Interface> = ips.split_whitespace().map(interface).collect();
            assert_eq!(choose(&interfaces).to_string(), expected, "of {ips}");
        }
    }

    #[test]
    fn what_was_told_is_what_is_said() {
        let address = Address::new(Some("10.244.36.66".parse().unwrap()), |ip| ip.to_string());
        assert_eq!(address.get(), "10.244.36.66");
    }

    #[test]
    fn what_is_made_of_an_address_takes_no_look_up_of_its_own() {
        let address = Address::new(None, |ip| ip);
        let Source::LookedUp(known) = &address.source else {
            unreachable!()
        };
        let elsewhere = IpAddr::from([192, 0, 2, 7]);
        known.write().unwrap().1 = elsewhere;
        let sentence = address.made_by(|ip| format!("ip is {ip}"));
        assert_eq!(sentence.get(), "ip is 192.0.2.7");
    }

    #[test]
    fn the_interfaces_are_not_asked_on_every_request() {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let address = Address::new(None, |_| MADE.fetch_add(1, Ordering::Relaxed));
        for _ in 0..1000 {
            address.get();
        }
        assert_eq!(
            MADE.load(Ordering::Relaxed),
            1,
            "one look-up serves a thousand requests"
        );
        let Source::LookedUp(known) = &address.source else {
            unreachable!()
        };
        known.write().unwrap().0 -= FRESH;
        assert_eq!(address.get(), 1, "an old answer is looked up again");
    }
}
