//! Which cluster, registry and versions a run is about. All of it comes from the environment, so
//! that it is the Makefile that decides. What is missing is reported in one sentence, before any
//! test begins.

use std::{
    env,
    hash::{BuildHasher as _, RandomState},
};

use anyhow::{Context, Result};

use crate::{kubectl::Kubectl, manifest};

/// A cluster, and the images that are run on it.
#[derive(Debug)]
pub struct Cluster {
    /// kubectl for it.
    pub kubectl: Kubectl,
    /// The first part of the images' names.
    pub registry: String,
    /// The version to start from.
    pub tag: String,
    /// The version that an update goes to.
    pub next: String,
    /// What the namespaces of this run end in, so that several runs can share a cluster.
    pub run: String,
}

impl Cluster {
    /// From `CONTEXT`, `REGISTRY`, `TAG` and `NEXT`, with the Makefile's defaults, which are in `k8s`.
    /// That there is no kubectl, or that no cluster answers it, is one sentence.
    pub fn from_environment() -> Result<Self> {
        let (registry, tag) = manifest::written()?;
        let cluster = Self {
            kubectl: Kubectl::of_context(&set("CONTEXT").unwrap_or_default()),
            registry: set("REGISTRY").unwrap_or(registry),
            tag: set("TAG").unwrap_or(tag),
            next: set("NEXT").unwrap_or_else(|| "1.1".to_owned()),
            run: suffix(),
        };
        cluster.kubectl.check()?;
        Ok(cluster)
    }

    /// The name of a service's image.
    pub fn image(&self, service: &str, tag: &str) -> String {
        manifest::image(&self.registry, service, tag)
    }

    /// The version of the API server: `v1.37.0`.
    pub fn version(&self) -> Result<String> {
        let answer = self.kubectl.run(&["get", "--raw", "/version"])?;
        let mut answer: serde_json::Value = serde_json::from_str(&answer)?;
        Ok(serde_json::from_value(answer["gitVersion"].take())?)
    }
}

/// A variable of the environment, unless it is empty.
pub fn set(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The same for a whole number from 1.
pub fn number(name: &str, default: u32) -> Result<u32> {
    let Some(value) = set(name) else {
        return Ok(default);
    };
    let number = value.parse().ok().filter(|number| *number > 0);
    number.with_context(|| format!("{name} is a whole number from 1, and not \"{value}\"."))
}

/// Whether something may be skipped: it is among the names, if there are any.
pub fn may_be_skipped(names: Option<&str>, name: &str) -> bool {
    names.is_none_or(|names| names.split_whitespace().any(|it| it == name))
}

/// Five letters and digits that another run won't have.
pub fn suffix() -> String {
    let random = RandomState::new().hash_one(());
    let digit = |place| (random / 36_u64.pow(place) % 36) as u32;
    (0..5)
        .map(|place| char::from_digit(digit(place), 36).expect("it is below 36"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_of_a_run_can_end_a_namespace_and_differs_from_the_next_one() {
        let first = suffix();
        let fits = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
        assert!(first.len() == 5 && first.bytes().all(fits), "{first}");
        assert_ne!(first, suffix());
    }
}
