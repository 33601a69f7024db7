//! The shipped files, in which only the registry, the tag and the namespace are replaced. What
//! else a document changes, it changes with kubectl, as a reader does.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// The namespace that the files and the documents name: the Makefile's default. Names of objects outside of
/// namespaces begin with it.
pub const NAMESPACE: &str = "chesterns";
/// A version that nobody builds, for the lesson in which an image can't be pulled.
const MISSING: &str = "none";

/// Of a line that names an image of this project: what stands before it, and its registry, service
/// and tag.
fn parts(line: &str) -> Option<[&str; 4]> {
    let (before, name) = line.trim_end().split_once("image: ")?;
    let (registry, rest) = name.rsplit_once('/')?;
    let (service, tag) = rest.split_once(':')?;
    let ours = ["oneapi", "twoapi"].contains(&service);
    ours.then_some([before, registry, service, tag])
}

/// The registry and the tag that the shipped files name. `make use` writes them there, so that they
/// are whatever its user has chosen.
pub fn written() -> Result<(String, String)> {
    let file = "k8s/deployment.yaml";
    let text = text(file)?;
    let [_, registry, _, tag] = text
        .lines()
        .find_map(parts)
        .with_context(|| format!("{file} names no image of oneapi or twoapi"))?;
    Ok((registry.to_owned(), tag.to_owned()))
}

/// Where a file of the repository is.
pub fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
}

fn text(file: &str) -> Result<String> {
    fs::read_to_string(path(file)).with_context(|| format!("{file} can't be read"))
}

/// The name of a service's image.
pub fn image(registry: &str, service: &str, tag: &str) -> String {
    format!("{registry}/{service}:{tag}")
}

/// The text of a shipped file, to be run with the images of this registry and tag in this namespace.
pub fn read(file: &str, registry: &str, tag: &str, namespace: &str) -> Result<String> {
    let mut text = with_images(&text(file)?, registry, tag);
    for key in ["namespace: ", "  name: "] {
        let (shipped, used) = (format!("{key}{NAMESPACE}\n"), format!("{key}{namespace}\n"));
        text = text.replace(&shipped, &used);
    }
    Ok(text)
}

/// The text with the images of this registry and tag, whatever it names.
pub fn with_images(text: &str, registry: &str, tag: &str) -> String {
    let lines = text.split_inclusive('\n').map(|line| match parts(line) {
        Some([before, _, service, written]) => {
            let tag = if written == MISSING { MISSING } else { tag };
            format!("{before}image: {}\n", image(registry, service, tag))
        }
        None => line.to_owned(),
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The manifests of a folder and of those in it, with their texts.
    fn manifests(folder: &Path) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(manifests(&path));
            } else if path.extension().is_some_and(|it| it == "yaml") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.display().to_string(), text));
            }
        }
        assert!(!found.is_empty(), "there are manifests in {folder:?}");
        found
    }

    #[test]
    fn every_image_is_of_the_registry_and_the_tag_that_are_in_use() {
        let (registry, tag) = written().unwrap();
        for (file, text) in manifests(&path("k8s")) {
            // One has a name that no image can have, for the lesson that shows what becomes of it.
            let images = |line: &&str| line.contains("image: ") && !line.ends_with(" OneAPI:1.0");
            for line in text.lines().filter(images) {
                let [_, of, service, at] = parts(line).unwrap_or_else(|| panic!("{file}: {line}"));
                assert_eq!(of, registry, "{file}: {line}");
                let missing = service == "oneapi" && at == MISSING;
                assert!(missing || at == tag, "{file}: {line}");
            }
        }
    }

    #[test]
    fn the_namespace_is_the_one_that_the_makefile_deploys_to_by_default() {
        let makefile = text("Makefile").unwrap();
        let default = format!("\nNAMESPACE ?= {NAMESPACE}#");
        assert!(makefile.contains(&default), "as in k8s");
    }

    #[test]
    fn an_image_is_replaced_whatever_registry_and_tag_a_file_names() {
        for (shipped, used) in [
            ("localhost:5005/oneapi:1.0", "example.com:5000/x/oneapi:7.8"),
            ("team/oneapi:other", "example.com:5000/x/oneapi:7.8"),
            (
                "a.example:80/oneapi/b/twoapi:1.0",
                "example.com:5000/x/twoapi:7.8",
            ),
            ("a/twoapi/oneapi:none", "example.com:5000/x/oneapi:none"),
            ("busybox:1", "busybox:1"),
        ] {
            let text = |name| format!("  - image: {name}\n    name: image\n");
            let replaced = with_images(&text(shipped), "example.com:5000/x", "7.8");
            assert_eq!(replaced, text(used));
        }
    }

    #[test]
    fn every_pod_asks_for_no_more_than_pod_security_restricted_gives() {
        for (file, text) in manifests(&path("k8s")) {
            // A container's image is its first line but for its name; a patch has none.
            let containers = text.matches("image: ").count();
            let restricted = text.matches("drop: [ALL]").count();
            assert_eq!(containers, restricted, "{file}: each drops all rights");
            let pod = "runAsNonRoot: true|type: RuntimeDefault|automountServiceAccountToken: false";
            for needed in pod.split('|') {
                assert!(containers == 0 || text.contains(needed), "{file}: {needed}");
            }
        }
    }

    #[test]
    fn images_are_built_with_the_compiler_of_the_tests() {
        let toolchain = text("rust-toolchain.toml").unwrap();
        let (_, channel) = toolchain.split_once("\nchannel = \"").unwrap();
        let (version, _) = channel.split_once('"').unwrap();
        let rust = format!("\nARG RUST={version}\n");
        assert!(text("Dockerfile").unwrap().contains(&rust), "{version}");
    }

    #[test]
    fn every_pod_runs_as_the_user_of_its_image() {
        let dockerfile = text("Dockerfile").unwrap();
        assert_eq!(dockerfile.matches("\nUSER 65532:65532\n").count(), 2);
        for (file, text) in manifests(&path("k8s")) {
            let count = |needed| text.matches(needed).count();
            let pods = count("runAsNonRoot: true");
            assert_eq!(count("runAsUser: 65532"), pods, "{file}");
            assert_eq!(count("runAsGroup: 65532"), pods, "{file}: else it is 0");
        }
    }

    #[test]
    fn manifests_are_spelled_out_to_be_copied_from() {
        let mut files = manifests(&path("k8s"));
        files.push(("the last one".into(), "  a: &b { c: d }\n  <<: *b\n".into()));
        let short = |word: &&str| {
            let flow_map = word.starts_with('{') && *word != "{}";
            flow_map || word.starts_with(['&', '*']) || *word == "<<:"
        };
        let found = files.iter().flat_map(|(file, text)| {
            let lines = text.lines().filter_map(|line| line.split('#').next());
            let words = lines.flat_map(str::split_whitespace).filter(short);
            words.map(move |word| format!("{file}: {word}"))
        });
        let found: Vec<String> = found.collect();
        let expected = ["&b", "{", "<<:", "*b"].map(|word| format!("the last one: {word}"));
        assert_eq!(found, expected, "no anchor, merge key or flow map");
    }

    #[test]
    fn a_patch_names_containers_that_there_are() {
        let mut patches = manifests(&path("k8s"));
        patches.retain(|(file, _)| file.ends_with(".patch.yaml"));
        for (file, text) in patches {
            let names = text
                .lines()
                .filter_map(|line| line.trim().strip_prefix("- name: "));
            // The others are variables.
            for name in names.filter(|name| name.contains(char::is_lowercase)) {
                // Another name would add a container, without an image.
                assert!(["oneapi", "twoapi"].contains(&name), "{file}: {name}");
            }
        }
    }

    #[test]
    fn fault_switches_are_allowed_in_the_manifests_of_lessons_only() {
        let mut all = manifests(&path("k8s"));
        all.retain(|(_, text)| text.contains("FAULTS"));
        assert!(!all.is_empty(), "there are lessons that need them");
        for (file, _) in all {
            assert!(file.contains("/lessons/"), "{file}");
        }
    }

    #[test]
    fn network_policies_let_clients_in_to_the_pods_of_each_service() {
        let policies = fs::read_to_string(path("k8s/networkpolicies.yaml")).unwrap();
        let allowed: Vec<&str> = policies
            .lines()
            .filter_map(|line| line.trim().strip_prefix("values: "))
            .collect();
        let mut all = manifests(&path("k8s"));
        all.retain(|(_, text)| text.contains("namespace: chesterns"));
        let services = all.iter().flat_map(|(_, text)| text.split("\n---\n"));
        let mut apps: Vec<&str> = services
            .filter(|it| it.contains("kind: Service\n"))
            .filter_map(|it| it.split_once("  selector:\n    app: ")?.1.lines().next())
            .collect();
        apps.sort_unstable();
        apps.dedup();
        let apps = format!("[{}]", apps.join(", "));
        assert_eq!(allowed, [&apps; 2], "clients, and the page");
    }

    #[test]
    fn a_file_is_run_with_the_images_and_the_namespace_of_the_run() {
        let read = |file| read(file, "example.com", "7.8", "elsewhere").unwrap();
        let text = read("k8s/ns.yaml") + &read("k8s/deployment.yaml");
        for used in [
            "  name: elsewhere\n",
            "  namespace: elsewhere\n",
            "image: example.com/oneapi:7.8\n",
            "image: example.com/twoapi:7.8\n",
        ] {
            assert!(text.contains(used), "{used}");
        }
        let (registry, _) = written().unwrap();
        assert!(!text.contains(&format!("{registry}/")));
        assert!(!text.contains(&format!(": {NAMESPACE}")));
    }
}
