//! Looks names up, for every client of twoapi and not only for loads. Left out: a
//! cache, since a cached answer would hide that pods come and go.
//!
//! A look-up takes a thread until the system gives it up, which can be half a minute after the caller has
//! given up. So a [`Resolver`] has one look-up under way for each name, and all callers wait for that one.

use std::{
    collections::HashMap,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use chassis::config::{complain, localhost};
use tokio::{
    net::lookup_host,
    sync::watch,
    time::{sleep, timeout},
};

/// How long a program that was just started waits for its first look-up. The system asks again after
/// 5 s by default, so one lost packet costs as much; this is enough for two.
const FIRST_LOOKUP_TIMEOUT: Duration = Duration::from_secs(15);

/// After that long a person wonders whether anything happens.
const SAY_AFTER: Duration = Duration::from_secs(2);

/// All addresses of a name, each once, in the system's order of preference; at least one.
///
/// # Errors
/// The reason why there is no address, without the name.
pub async fn lookup(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
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

/// [`lookup`] for a program that was just started: it waits longer, and says so.
///
/// # Errors
/// A sentence that names the host.
pub async fn first_lookup(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
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

/// Keeps the IPv4 addresses alone, if there are any: a pod with addresses of both families is one pod.
pub fn prefer_ipv4<A>(addresses: &mut Vec<A>, is_ipv4: impl Fn(&A) -> bool) {
    if addresses.iter().any(&is_ipv4) {
        addresses.retain(is_ipv4);
    }
}

type Found = Result<Vec<SocketAddr>, String>;

/// The look-ups that are under way. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Resolver(Arc<Mutex<UnderWay>>);

/// By name; `None` until something is found.
type UnderWay = HashMap<String, watch::Receiver<Option<Found>>>;

impl Resolver {
    /// As [`lookup`], without a second look-up of a name that is being looked up.
    pub async fn lookup(&self, host: &str, port: u16) -> Found {
        let name = host.to_owned();
        let found = self
            .share(host, async move { lookup(&name, 0).await })
            .await?;
        let with_port = |address: SocketAddr| SocketAddr::new(address.ip(), port);
        Ok(found.into_iter().map(with_port).collect())
    }

    /// What the look-up finds that is under way for this name, or else what this one finds.
    async fn share(
        &self,
        host: &str,
        look_up: impl Future<Output = Found> + Send + 'static,
    ) -> Found {
        let mut found = {
            let mut under_way = self.under_way();
            match under_way.get(host) {
                Some(found) => found.clone(),
                None => {
                    let (sender, found) = watch::channel(None);
                    under_way.insert(host.to_owned(), found.clone());
                    let ends = Ends(self.clone(), host.to_owned());
                    tokio::spawn(async move {
                        let answer = look_up.await;
                        drop(ends);
                        sender.send_replace(Some(answer));
                    });
                    found
                }
            }
        };
        let answer = found.wait_for(Option::is_some).await;
        let broken = || Err("the look-up broke off".to_owned());
        answer.map_or_else(|_| broken(), |answer| answer.clone().unwrap_or_else(broken))
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        chassis::base::lock(&self.0)
    }
}

/// A look-up that is under way until this is dropped, also by a panic.
struct Ends(Resolver, String);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.under_way().remove(&self.1);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use tokio::{sync::Semaphore, time::timeout};

    use super::*;

    #[tokio::test]
    async fn a_name_is_looked_up_once_however_often_it_is_asked_for_meanwhile() {
        let resolver = Resolver::default();
        let begun = Arc::new(AtomicUsize::new(0));
        let answers = Arc::new(Semaphore::new(0));
        let ask = |name: &'static str| {
            let (resolver, begun) = (resolver.clone(), Arc::clone(&begun));
            let answers = Arc::clone(&answers);
            async move {
                let look_up = async move {
                    let number = begun.fetch_add(1, Ordering::Relaxed);
                    answers.acquire().await.unwrap().forget();
                    Err(format!("no {number}"))
                };
                resolver.share(name, look_up).await.unwrap_err()
            }
        };
        for _ in 0..20 {
            let given_up = timeout(Duration::from_millis(1), ask("a")).await;
            assert!(given_up.is_err(), "nothing has been found yet");
        }
        assert_eq!(begun.load(Ordering::Relaxed), 1, "one for all of them");
        let other = tokio::spawn(ask("b"));
        let last = tokio::spawn(ask("a"));
        while begun.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        answers.add_permits(2);
        assert_eq!(last.await.unwrap(), "no 0", "who waits gets the answer");
        assert_eq!(other.await.unwrap(), "no 1", "each name has its own");
        answers.add_permits(1);
        assert_eq!(ask("a").await, "no 2", "an answer isn't kept");
        let panics = async { panic!("on purpose") };
        let broken = resolver.share("a", panics).await.unwrap_err();
        assert_eq!(broken, "the look-up broke off");
        answers.add_permits(1);
        assert_eq!(ask("a").await, "no 3");
    }
}
