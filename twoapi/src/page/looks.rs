//! Which look pods have on the page: a number that stands for a colour and a pattern. Pods of one ReplicaSet
//! have one, and so have pods of one version whose names don't tell their ReplicaSet.
//!
//! Each ReplicaSet has a look that it would take, the same on every server. If another one has taken that, it
//! takes the next one that is free. A viewer who comes from another pod tells what was taken there, so that a
//! ReplicaSet keeps its look while its pods live.

use std::time::{Duration, Instant};

/// As many as the style sheet has.
const LOOKS: usize = 8;

/// So long after it was last seen, a ReplicaSet gives its look up: no request of it is shown any more.
const KEEP: Duration = Duration::from_mins(3);

/// The letters of generated names.
/// <https://github.com/kubernetes/apimachinery/blob/v0.37.0/pkg/util/rand/rand.go>
const LETTERS: &str = "bcdfghjklmnpqrstvwxz2456789";

/// What may be told of by a viewer: a hash, or a short version.
const MAX_KEY: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Looks([Option<Taken>; LOOKS]);

#[derive(Debug)]
struct Taken {
    key: String,
    seen: Instant,
}

impl Looks {
    /// The look of a pod of that name and version; `None` if neither tells anything.
    pub(super) fn of(&mut self, pod: &str, version: &str) -> Option<usize> {
        let key = replica_set(pod).unwrap_or(version);
        (!key.is_empty()).then(|| {
            let own = key
                .bytes()
                .fold(0, |sum, byte| sum * 31 % 1021 + usize::from(byte))
                % LOOKS;
            self.take(key, own).unwrap_or(own)
        })
    }

    /// What a viewer has seen at another pod, as `5d79c7596*3~1.0*1`. What this server knows itself holds.
    pub(super) fn learn(&mut self, seen: &str) {
        for (key, look) in seen
            .split('~')
            .take(LOOKS)
            .filter_map(|each| each.split_once('*'))
        {
            let look = look.parse().ok().filter(|look| *look < LOOKS);
            let is_free = |look: &usize| self.0[*look].is_none();
            if let Some(look) = look.filter(is_free)
                && !key.is_empty()
                && key.len() <= MAX_KEY
            {
                self.take(key, look);
            }
        }
    }

    /// The look that this key has, or the next free one from `own` on, which it has from now on. `None` if all
    /// are taken.
    fn take(&mut self, key: &str, own: usize) -> Option<usize> {
        let seen = Instant::now();
        let has = |taken: &Option<Taken>| taken.as_ref().is_some_and(|taken| taken.key == key);
        let look = self.0.iter().position(has).or_else(|| {
            let is_free = |look: &usize| {
                self.0[*look]
                    .as_ref()
                    .is_none_or(|taken| taken.seen + KEEP < seen)
            };
            (own..LOOKS).chain(0..own).find(is_free)
        })?;
        self.0[look] = Some(Taken {
            key: key.to_owned(),
            seen,
        });
        Some(look)
    }
}

/// The hash of the ReplicaSet in a pod's name: `5d79c7596` of `chesterdeployment-5d79c7596-lgds2`.
pub(super) fn replica_set(pod: &str) -> Option<&str> {
    let (rest, end) = pod.rsplit_once('-')?;
    let (deployment, hash) = rest.rsplit_once('-')?;
    let is_generated = |text: &str| text.chars().all(|char| LETTERS.contains(char));
    let fits = !deployment.is_empty() && end.len() == 5 && (6..=10).contains(&hash.len());
    (fits && is_generated(end) && is_generated(hash)).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_set_is_told_by_the_names_of_its_pods() {
        assert_eq!(
            replica_set("chesterdeployment-5d79c7596-lgds2"),
            Some("5d79c7596")
        );
        for name in [
            "chesterpage",
            "web-0",
            "my-daemon-lgds2",
            "a-5d79c7596-p001",
            "-5d79c7596-lgds2",
            "",
        ] {
            assert_eq!(replica_set(name), None, "{name}");
        }
    }

    #[test]
    fn pods_of_a_replica_set_look_alike_and_those_of_eight_differ() {
        let mut looks = Looks::default();
        let of = |looks: &mut Looks, n: u8| looks.of(&format!("web-5d79c759{n}-lgds2"), "1.0");
        let first: Vec<_> = "245678".bytes().map(|n| of(&mut looks, n - b'0')).collect();
        let mut all = first.clone();
        all.extend(["1.0", "1.1"].map(|version| looks.of("chesterpage", version)));
        all.sort_unstable();
        assert_eq!(all, (0..LOOKS).map(Some).collect::<Vec<_>>());
        // A ninth one has to share, and takes nobody's.
        assert!(looks.of("a-9999999-lgds2", "").is_some());
        let again: Vec<_> = "245678".bytes().map(|n| of(&mut looks, n - b'0')).collect();
        assert_eq!(again, first);
        assert_eq!(looks.of("chesterpage", ""), None);
    }

    #[test]
    fn another_server_gives_the_same_looks_and_those_that_a_viewer_has_seen() {
        let pods = |look| {
            let name = |n: usize| {
                format!(
                    "web-bcdfg{}-lgds2",
                    n.to_string().replace(['0', '1', '3'], "z")
                )
            };
            let own = |n: &usize| Looks::default().of(&name(*n), "") == Some(look);
            (0..10_000)
                .filter(own)
                .map(name)
                .take(2)
                .collect::<Vec<_>>()
        };
        // Two that would take the same one.
        let [first, second] = &pods(3)[..] else {
            panic!()
        };
        let mut here = Looks::default();
        assert_eq!(here.of(first, ""), Some(3));
        assert_eq!(here.of(second, ""), Some(4));
        let mut there = Looks::default();
        let keys = [first, second].map(|pod| replica_set(pod).unwrap());
        there.learn(&format!("{}*3~{}*4~*5~x*8~y*-1~z", keys[0], keys[1]));
        assert_eq!(there.of(second, ""), Some(4));
        // And what a server knows itself holds.
        there.learn(&format!("{}*6~other*3", keys[1]));
        assert_eq!(
            (there.of(first, ""), there.of(second, "")),
            (Some(3), Some(4))
        );
    }
}
