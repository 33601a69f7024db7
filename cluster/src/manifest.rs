//! The shipped files, in which only the registry, the tag and the namespace are replaced. What
//! else a lesson changes, it changes with kubectl, as a learner does.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

/// As the files have it: the Makefile's default.
const NAMESPACE: &str = "chesterns";
/// A version that nobody builds, for the lesson in which an image can't be pulled.
const MISSING: &str = "none";

/// The name of an image of this project.
struct Image<'a> {
    registry: &'a str,
    service: &'a str,
    tag: &'a str,
}

impl<'a> Image<'a> {
    fn parse(name: &'a str) -> Option<Self> {
        let (registry, rest) = name.trim_end().rsplit_once('/')?;
        let (service, tag) = rest.split_once(':')?;
        ["oneapi", "twoapi"].contains(&service).then_some(Self {
            registry,
            service,
            tag,
        })
    }
}

/// The registry and the tag that the shipped files name. `make use` writes them there, so that they
/// are whatever its user has chosen.
///
/// # Errors
/// When the deployment can't be read, or names no image of this project.
pub fn written() -> Result<(String, String)> {
    let file = "k8s/deployment.yaml";
    let text = fs::read_to_string(path(file)).with_context(|| format!("{file} can't be read"))?;
    let image = text
        .lines()
        .filter_map(|line| Image::parse(line.split_once("image: ")?.1))
        .next()
        .with_context(|| format!("{file} names no image of oneapi or twoapi"))?;
    Ok((image.registry.to_owned(), image.tag.to_owned()))
}

/// Where a file of the repository is.
pub fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(file)
}

/// The name of a service's image.
pub fn image(registry: &str, service: &str, tag: &str) -> String {
    format!("{registry}/{service}:{tag}")
}

/// The text of a shipped file, to be run with the images of this registry and tag in this namespace.
///
/// # Errors
/// When it can't be read.
pub fn read(file: &str, registry: &str, tag: &str, namespace: &str) -> Result<String> {
    let text = fs::read_to_string(path(file)).with_context(|| format!("{file} can't be read"))?;
    Ok(with_images(&text, registry, tag)
        .replace(
            &format!("namespace: {NAMESPACE}"),
            &format!("namespace: {namespace}"),
        )
        .replace(
            &format!("  name: {NAMESPACE}\n"),
            &format!("  name: {namespace}\n"),
        ))
}

/// The text with the images of this registry and tag, whatever it names.
fn with_images(text: &str, registry: &str, tag: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| {
            let Some((before, name)) = line.split_once("image: ") else {
                return line.to_owned();
            };
            let Some(shipped) = Image::parse(name) else {
                return line.to_owned();
            };
            let tag = if shipped.tag == MISSING { MISSING } else { tag };
            let name = image(registry, shipped.service, tag);
            format!("{before}image: {name}\n")
        })
        .collect()
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
    fn every_image_is_of_the_registry_and_the_tag_that_are_in_use() {
        let (registry, tag) = written().unwrap();
        let mut seen = 0;
        for (file, text) in all() {
            for line in text.lines() {
                if let Some((_, name)) = line.split_once("image: ") {
                    seen += 1;
                    // A name that no image can have, for the lesson that shows what becomes of it.
                    if name == "OneAPI:1.0" {
                        continue;
                    }
                    let image = Image::parse(name).unwrap_or_else(|| panic!("{file}: {name}"));
                    assert_eq!(image.registry, registry, "{file}: {name}");
                    let missing = image.service == "oneapi" && image.tag == MISSING;
                    assert!(missing || image.tag == tag, "{file}: {name}");
                }
            }
        }
        assert!(seen > 0, "there are images in k8s");
    }

    #[test]
    fn the_namespace_is_the_one_that_the_makefile_deploys_to_by_default() {
        let makefile = fs::read_to_string(path("Makefile")).unwrap();
        assert!(
            makefile
                .lines()
                .any(|line| line.split_whitespace().eq(["NAMESPACE", "?=", NAMESPACE])),
            "the Makefile's default of NAMESPACE is {NAMESPACE}, as in k8s"
        );
    }

    #[test]
    fn an_image_is_replaced_whatever_registry_and_tag_a_file_names() {
        for registry in [
            "localhost:5005",
            "team",
            "a.example:80/oneapi/b",
            "a/twoapi",
        ] {
            let text = format!(
                "  - image: {registry}/oneapi:1.0\n    image: {registry}/twoapi:other\n    \
                 image: {registry}/oneapi:none\n    image: busybox:1\n  name: image\n"
            );
            assert_eq!(
                with_images(&text, "registry.example.com:5000/team/x", "7.8"),
                "  - image: registry.example.com:5000/team/x/oneapi:7.8\n    \
                 image: registry.example.com:5000/team/x/twoapi:7.8\n    \
                 image: registry.example.com:5000/team/x/oneapi:none\n    \
                 image: busybox:1\n  name: image\n"
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
        let read = |file| read(file, "registry.example.com/team", "7.8", "chester-story").unwrap();
        let text = read("k8s/deployment.yaml");
        assert!(text.contains("image: registry.example.com/team/oneapi:7.8\n"));
        assert!(text.contains("image: registry.example.com/team/twoapi:7.8\n"));
        assert!(text.contains("namespace: chester-story\n"));
        let (registry, _) = written().unwrap();
        assert!(!text.contains(&format!("{registry}/oneapi")) && !text.contains(": chesterns"));
        let text = read("k8s/ns.yaml");
        assert!(text.contains("name: chester-story\n"));
    }
}
