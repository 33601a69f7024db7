//! Which cluster, registry and versions a run is about. All of it comes from the environment, so
//! that it is the Makefile that decides. What is missing is reported in one sentence, before any
//! story begins.

use std::{
    env, process,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, bail};

use crate::{
    manifest,
    reach::{Reach, Way},
};

/// The cluster that the stories run on, and the images that they run.
#[derive(Debug)]
pub struct Cluster {
    /// The kube context; none: kubectl's current one.
    context: Option<String>,
    /// The first part of the images' names.
    pub registry: String,
    /// The version to start from.
    pub tag: String,
    /// The version that an update goes to.
    pub next: String,
    /// What the namespaces of this run end in, so that several runs can share a cluster.
    pub run: String,
    /// How pods have been reached so far.
    pub reach: Reach,
}

impl Cluster {
    /// `CONTEXT`, `REGISTRY`, `TAG`, `NEXT`, with the Makefile's defaults, which are in `k8s`; `ASK` is `direct` or
    /// `proxy` to reach pods in that way only.
    ///
    /// # Errors
    /// A sentence when there is no kubectl, when no cluster answers it, or for a wrong `ASK`.
    pub fn from_environment() -> Result<Self> {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let only = match set("ASK").as_deref() {
            None => None,
            Some("direct") => Some(Way::Direct),
            Some("proxy") => Some(Way::Proxy),
            Some(other) => bail!("ASK is direct or proxy, not \"{other}\"."),
        };
        let (registry, tag) = manifest::written()?;
        let cluster = Self {
            context: set("CONTEXT"),
            registry: set("REGISTRY").unwrap_or(registry),
            tag: set("TAG").unwrap_or(tag),
            next: set("NEXT").unwrap_or_else(|| "1.1".to_owned()),
            run: run_suffix(),
            reach: Reach::new(only),
        };
        let ready = cluster
            .kubectl()
            .args(["get", "--raw", "/readyz", "--request-timeout=10s"])
            .output();
        match ready {
            Err(error) => bail!("kubectl can't be started ({error}): is it installed?"),
            Ok(output) if !output.status.success() => bail!(
                "No cluster answers in the {}: {}",
                match &cluster.context {
                    Some(context) => format!("kube context {context}"),
                    None => "current kube context".to_owned(),
                },
                last_line(&output.stderr)
            ),
            Ok(_) => Ok(cluster),
        }
    }

    #[cfg(test)]
    pub(crate) fn with_images(registry: &str, tag: &str) -> Self {
        Self {
            context: None,
            registry: registry.to_owned(),
            tag: tag.to_owned(),
            next: String::new(),
            run: run_suffix(),
            reach: Reach::default(),
        }
    }

    /// kubectl for this cluster, without arguments so far.
    pub fn kubectl(&self) -> Command {
        let mut command = Command::new("kubectl");
        if let Some(context) = &self.context {
            command.args(["--context", context]);
        }
        command
    }

    /// The name of a service's image.
    pub fn image(&self, service: &str, tag: &str) -> String {
        format!("{}/{service}:{tag}", self.registry)
    }
}

/// Five letters and digits that another run, at another time or of another process, won't have.
fn run_suffix() -> String {
    const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    // Mixed, so that two processes that start at the same moment differ in more than the last
    // digit (splitmix64's finalizer).
    let mut mixed = (now as u64) ^ (u64::from(process::id()) << 32);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    (0..5)
        .map(|place| {
            let digit = mixed / 36_u64.pow(place) % 36;
            char::from(DIGITS[usize::try_from(digit).expect("it is below 36")])
        })
        .collect()
}

fn last_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.lines().last().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_of_a_run_can_end_a_namespace_and_differs_from_the_next_one() {
        let suffix = run_suffix();
        assert_eq!(suffix.len(), 5);
        assert!(
            suffix
                .bytes()
                .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit())
        );
        assert_ne!(suffix, run_suffix());
    }
}
