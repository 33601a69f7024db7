//! The shipped files, in which only the registry, the tag and the namespace are replaced. What
//! else a lesson changes, it changes with kubectl, as a learner does.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

use crate::cluster::Cluster;

/// As the files have it: the Makefile's default.
const REGISTRY: &str = "localhost:5005";
const TAG: &str = "1.0";
const NAMESPACE: &str = "chesterns";

/// Where a file of the repository is.
pub fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(file)
}

/// The text of a shipped file, to be run with these images in this namespace.
///
/// # Errors
/// When it can't be read.
pub fn read(file: &str, cluster: &Cluster, namespace: &str) -> Result<String> {
    let text = fs::read_to_string(path(file)).with_context(|| format!("{file} can't be read"))?;
    Ok(["oneapi", "twoapi"]
        .iter()
        .fold(text, |text, service| {
            text.replace(
                &format!("{REGISTRY}/{service}:{TAG}"),
                &cluster.image(service, &cluster.tag),
            )
        })
        .replace(
            &format!("namespace: {NAMESPACE}"),
            &format!("namespace: {namespace}"),
        )
        .replace(
            &format!("  name: {NAMESPACE}\n"),
            &format!("  name: {namespace}\n"),
        ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn manifests(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                manifests(&path, found);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "yaml")
            {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.display().to_string(), text));
            }
        }
    }

    fn all() -> Vec<(String, String)> {
        let mut found = Vec::new();
        manifests(&path("k8s"), &mut found);
        assert!(found.len() >= 5, "the manifests are in k8s");
        found
    }

    #[test]
    fn every_image_is_the_one_that_the_makefile_builds_by_default() {
        let mut seen = 0;
        for (file, text) in all() {
            for line in text.lines() {
                if let Some((_, image)) = line.split_once("image: ") {
                    let service = image
                        .strip_prefix(&format!("{REGISTRY}/"))
                        .and_then(|image| image.strip_suffix(&format!(":{TAG}")));
                    // A version that nobody builds, for the lesson in which it can't be pulled.
                    let missing = image == format!("{REGISTRY}/oneapi:none");
                    assert!(
                        missing || matches!(service, Some("oneapi" | "twoapi")),
                        "{file}: {image}"
                    );
                    seen += 1;
                }
            }
        }
        assert!(seen > 0, "there are images in k8s");

        let makefile = fs::read_to_string(path("Makefile")).unwrap();
        for (variable, value) in [
            ("REGISTRY", REGISTRY),
            ("TAG", TAG),
            ("NAMESPACE", NAMESPACE),
        ] {
            assert!(
                makefile
                    .lines()
                    .any(|line| line.split_whitespace().eq([variable, "?=", value])),
                "the Makefile's default of {variable} is {value}, as in k8s"
            );
        }
    }

    #[test]
    fn every_pod_asks_for_no_more_than_pod_security_restricted_gives() {
        let mut seen = 0;
        for (file, text) in all() {
            // A container's image is its first line but for its name; a patch has none.
            let containers = text.matches("image: ").count();
            let restricted =
                text.matches("drop: [ALL]").count() + text.matches("*restricted").count();
            assert_eq!(
                containers, restricted,
                "{file}: each container drops all rights"
            );
            if containers > 0 {
                assert!(
                    text.contains("runAsNonRoot: true"),
                    "{file}: runs as a user"
                );
                assert!(
                    text.contains("type: RuntimeDefault"),
                    "{file}: has a seccomp profile"
                );
                assert!(
                    text.contains("automountServiceAccountToken: false"),
                    "{file}: gets no token"
                );
                seen += 1;
            }
        }
        assert!(seen > 0, "there are containers in k8s");
    }

    #[test]
    fn fault_switches_are_allowed_in_lessons_only() {
        let (lessons, ordinary): (Vec<_>, Vec<_>) = all()
            .into_iter()
            .partition(|(file, _)| file.contains("/lessons/"));
        assert!(
            lessons.iter().any(|(_, text)| text.contains("FAULTS")),
            "there are lessons that need them"
        );
        for (file, text) in ordinary {
            assert!(!text.contains("FAULTS"), "{file}");
        }
    }

    #[test]
    fn a_file_is_run_with_the_images_and_the_namespace_of_the_story() {
        let cluster = Cluster::with_images("registry.example.com/team", "7.8");
        let text = read("k8s/deployment.yaml", &cluster, "chester-story").unwrap();
        assert!(text.contains("image: registry.example.com/team/oneapi:7.8\n"));
        assert!(text.contains("image: registry.example.com/team/twoapi:7.8\n"));
        assert!(text.contains("namespace: chester-story\n"));
        assert!(!text.contains("localhost:5005") && !text.contains(": chesterns"));
        let text = read("k8s/ns.yaml", &cluster, "chester-story").unwrap();
        assert!(text.contains("name: chester-story\n"));
    }
}
