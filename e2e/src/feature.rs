//! What a lesson needs of the cluster: a version of Kubernetes, or a feature gate that is on. A story
//! that needs more than the cluster has is skipped, which the run prints with the reason.

use std::fmt;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::namespace::Namespace;

/// Why a story can't run on this cluster: one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped(pub String);

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skipped {}

/// Skips the story unless the API server and all kubelets are of Kubernetes 1.`minor` or newer.
///
/// # Errors
/// [`Skipped`] when one is older; when kubectl fails.
pub fn since(namespace: &Namespace<'_>, minor: u32, feature: &str) -> Result<()> {
    let server = namespace.json("version")?["serverVersion"]["gitVersion"].take();
    let nodes = namespace.json("get nodes")?;
    let kubelets = nodes["items"].as_array().into_iter().flatten();
    let versions = kubelets
        .map(|node| ("a kubelet", &node["status"]["nodeInfo"]["kubeletVersion"]))
        .chain([("the API server", &server)]);
    for (who, version) in versions {
        let has = minor_of(version).with_context(|| format!("{who} has the version {version}"))?;
        if has < minor {
            return Err(Skipped(format!(
                "{feature} needs Kubernetes 1.{minor}, and {who} of this cluster is 1.{has}."
            ))
            .into());
        }
    }
    Ok(())
}

/// Skips the story unless a field that belongs to a feature is there: the API server drops the
/// fields of a feature whose gate is off. `field` is a JSON pointer.
///
/// # Errors
/// [`Skipped`] when it isn't there.
pub fn has_field(object: &Value, field: &str, gate: &str) -> Result<()> {
    match object.pointer(field) {
        Some(value) if !value.is_null() => Ok(()),
        _ => Err(Skipped(format!(
            "The feature gate {gate} is off on this cluster: {field} is not kept."
        ))
        .into()),
    }
}

/// 35 of `v1.35.4` and of `v1.35.4-gke.100`.
fn minor_of(version: &Value) -> Option<u32> {
    let mut parts = version.as_str()?.trim_start_matches('v').split('.');
    parts.next().filter(|major| *major == "1")?;
    parts.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_version_is_read_whatever_a_distribution_appends() {
        for (version, minor) in [
            ("v1.35.4", Some(35)),
            ("v1.9.0", Some(9)),
            ("v1.34.1-gke.1829001", Some(34)),
            ("v1.33.5+k3s1", Some(33)),
            ("unknown", None),
        ] {
            assert_eq!(minor_of(&json!(version)), minor, "{version}");
        }
        assert_eq!(minor_of(&Value::Null), None);
    }

    #[test]
    fn a_dropped_field_skips_and_a_kept_one_does_not() {
        let object = json!({"spec": {"tolerance": 0, "empty": null}});
        assert!(has_field(&object, "/spec/tolerance", "Some").is_ok());
        for field in ["/spec/other", "/spec/empty"] {
            let error = has_field(&object, field, "SomeGate").unwrap_err();
            let skipped = error.downcast_ref::<Skipped>().expect("it is skipped");
            assert!(skipped.0.contains("SomeGate"), "{skipped}");
        }
    }
}
