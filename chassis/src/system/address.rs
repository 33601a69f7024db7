//! The pod's IP: that of the setting `POD_IP`, which the downward API fills in, else the first IPv4 of the
//! machine's interfaces that is neither loopback nor link-local, else the first such IPv6, else a
//! link-local one, else loopback.
//! It is not looked up anew on every request, and yet follows a laptop that changes networks.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Mutex, PoisonError, RwLock, TryLockError},
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
    /// It is final.
    Setting(T),
    Interfaces(Known<T>),
}

/// Whoever finds the answer too old looks up, outside of `made`: the others take the old answer meanwhile,
/// and none waits.
#[derive(Debug)]
struct Known<T> {
    /// It holds for a while from then.
    made: RwLock<(Instant, T)>,
    looking_up: Mutex<()>,
}

impl<T: Clone> Address<T> {
    /// The IP of a setting, else that of the interfaces.
    pub fn new(setting: Option<IpAddr>, make: fn(IpAddr) -> T) -> Self {
        let source = match setting {
            Some(ip) => Source::Setting(make(ip)),
            None => Source::Interfaces(Known {
                made: RwLock::new((Instant::now(), make(look_up()))),
                looking_up: Mutex::new(()),
            }),
        };
        Self { make, source }
    }

    /// What was made of the IP that holds now.
    pub fn get(&self) -> T {
        match &self.source {
            Source::Setting(made) => made.clone(),
            Source::Interfaces(known) => known.get(|| (self.make)(look_up())),
        }
    }
}

impl<T: Clone> Known<T> {
    fn get(&self, make: impl FnOnce() -> T) -> T {
        let (since, made) = self.read();
        if since.elapsed() < FRESH {
            return made;
        }
        let _looking_up = match self.looking_up.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(error)) => error.into_inner(), // it holds nothing
            Err(TryLockError::WouldBlock) => return made,
        };
        // Another thread may have looked up since.
        let (since, made) = self.read();
        if since.elapsed() < FRESH {
            return made;
        }
        let made = make();
        let known = (Instant::now(), made.clone());
        *self.made.write().unwrap_or_else(PoisonError::into_inner) = known;
        made
    }

    fn read(&self) -> (Instant, T) {
        let made = self.made.read();
        made.unwrap_or_else(PoisonError::into_inner).clone()
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
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering},
            mpsc,
        },
        thread,
    };

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
    fn the_ip_of_a_setting_is_final() {
        let address = Address::new(Some("10.244.36.66".parse().unwrap()), |ip| ip.to_string());
        assert_eq!(address.get(), "10.244.36.66");
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
        let Source::Interfaces(known) = &address.source else {
            unreachable!()
        };
        known.made.write().unwrap().0 -= FRESH;
        assert_eq!(address.get(), 1, "an old answer is looked up again");
    }

    #[test]
    fn nobody_waits_for_a_look_up_and_there_is_one_at_a_time() {
        let known = Arc::new(Known {
            made: RwLock::new((Instant::now() - FRESH, "old")),
            looking_up: Mutex::new(()),
        });
        let made = known.get(|| {
            let (send, receive) = mpsc::channel();
            let other = Arc::clone(&known);
            thread::spawn(move || send.send(other.get(|| unreachable!("it is being looked up"))));
            let answer = receive.recv_timeout(Duration::from_secs(10));
            assert_eq!(answer, Ok("old"), "during the look-up");
            "new"
        });
        assert_eq!(
            (made, known.get(|| unreachable!("it is new"))),
            ("new", "new")
        );
    }
}
