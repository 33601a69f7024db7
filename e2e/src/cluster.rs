//! Which cluster, registry and versions a run is about: all from the environment, so that it is
//! the Makefile that says them. What isn't there is told in a sentence, before any story begins.

use std::{env, process::Command, sync::OnceLock};

use anyhow::{Result, bail};

use crate::ask::Way;

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
    pub(crate) way: OnceLock<Way>,
}

impl Cluster {
    /// `CONTEXT`, `REGISTRY`, `TAG`, `NEXT`; the defaults are the Makefile's.
    ///
    /// # Errors
    /// A sentence when there is no kubectl, or no cluster that answers it.
    pub fn from_environment() -> Result<Self> {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let cluster = Self {
            context: set("CONTEXT"),
            registry: set("REGISTRY").unwrap_or_else(|| "localhost:5005".to_owned()),
            tag: set("TAG").unwrap_or_else(|| "1.0".to_owned()),
            next: set("NEXT").unwrap_or_else(|| "1.1".to_owned()),
            way: OnceLock::new(),
        };
        let asked = cluster
            .kubectl()
            .args(["get", "--raw", "/readyz", "--request-timeout=10s"])
            .output();
        match asked {
            Err(error) => bail!("kubectl can't be started ({error}): is it installed?"),
            Ok(output) if !output.status.success() => bail!(
                "No cluster answers in the kube context {}: {}",
                cluster.context.as_deref().unwrap_or("that is current"),
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
            way: OnceLock::new(),
        }
    }

    /// kubectl, told which cluster.
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

fn last_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.lines().last().unwrap_or_default().to_owned()
}
