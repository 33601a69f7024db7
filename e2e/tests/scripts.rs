//! The sentences that the Makefile's scripts print when something is missing. Programs such as
//! docker and kubectl are replaced by scripts of a few words, so that nothing of this machine is
//! used or changed.

#![allow(clippy::unwrap_used)] // a test may

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// A folder with the only programs that a script finds, which is deleted afterwards.
struct Programs(PathBuf);

impl Programs {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!(
            "scripts-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        ));
        fs::create_dir_all(&folder).unwrap();
        let programs = Self(folder);
        for program in [
            "bash", "cat", "cmp", "cp", "dirname", "find", "grep", "make", "mkdir", "mktemp", "rm",
            "sed", "sh", "sort", "tail",
        ] {
            let real = ["/bin", "/usr/bin"]
                .map(|folder| Path::new(folder).join(program))
                .into_iter()
                .find(|path| path.exists())
                .expect("it is part of every system");
            std::os::unix::fs::symlink(real, programs.0.join(program)).unwrap();
        }
        programs
    }

    fn with(self, program: &str, script: &str) -> Self {
        let path = self.0.join(program);
        fs::write(&path, format!("#!/bin/bash\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// Runs a script that must fail with 1; returns the one line that it prints.
    fn sentence(&self, script: &str, arguments: &[&str], environment: &[(&str, &str)]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../scripts")
            .join(script);
        let output = Command::new(self.0.join("bash"))
            .arg(&script)
            .args(arguments)
            .env_clear()
            .env("PATH", &self.0)
            .envs([("REGISTRY", "registry.example.com"), ("TAG", "7")])
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            output.status.code(),
            Some(1),
            "{}: {text}",
            script.display()
        );
        assert_eq!(text.lines().count(), 1, "one sentence: {text}");
        text.trim_end().to_owned()
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A copy of what the images' names are in, so that the repository's own files stay as they are.
struct Tree {
    programs: Programs,
    folder: PathBuf,
}

impl Tree {
    fn new(programs: Programs) -> Self {
        let folder = programs.0.join("tree");
        fs::create_dir(&folder).unwrap();
        for part in ["Makefile", "k8s", "scripts"] {
            let copied = Command::new("cp")
                .arg("-R")
                .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(part))
                .arg(&folder)
                .status()
                .unwrap();
            assert!(copied.success(), "{part}");
        }
        // Whatever the repository's own files name: the tests need a known beginning.
        let tree = Self { programs, folder };
        tree.make(&["use", "REGISTRY=localhost:5005", "TAG=1.0"], &[]);
        tree
    }

    /// Runs make; returns what it prints if it ends well, else what it complains about.
    fn try_make(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Result<String, String> {
        let output = Command::new(self.programs.0.join("make"))
            .args(arguments)
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", &self.programs.0)
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        if output.status.success() {
            assert_eq!(error, "", "nothing to complain about");
            Ok(String::from_utf8(output.stdout).unwrap())
        } else {
            Err(error)
        }
    }

    fn make(&self, arguments: &[&str], environment: &[(&str, &str)]) -> String {
        self.try_make(arguments, environment).unwrap()
    }

    /// The names of all images in the files of k8s, each once.
    fn images(&self) -> Vec<String> {
        fn collect(folder: &Path, names: &mut Vec<String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    collect(&path, names);
                } else {
                    let text = fs::read_to_string(&path).unwrap();
                    names.extend(
                        text.lines()
                            .filter_map(|line| Some(line.split_once("image: ")?.1.to_owned())),
                    );
                }
            }
        }
        let mut names = Vec::new();
        collect(&self.folder.join("k8s"), &mut names);
        names.sort();
        names.dedup();
        names
    }
}

/// The names that an image can have before its last part.
const REGISTRIES: [&str; 5] = [
    "registry.example.com:5000/team/x",
    "localhost:5050",
    "docker.io/somebody",
    "team",
    "10.0.0.7:5000/oneapi/twoapi",
];

const CLUSTER_OF_OTHERS: &str = "case $* in *nodes*) echo 'aws:///node|' ;; esac";

#[test]
fn a_program_that_is_not_installed_is_named_with_where_to_get_it() {
    for (program, page) in [
        ("cargo", "https://rustup.rs"),
        ("docker", "https://docs.docker.com/engine/install"),
        ("kubectl", "https://kubernetes.io/docs/tasks/tools"),
    ] {
        assert_eq!(
            Programs::new().sentence("need.sh", &[program], &[]),
            format!("{program} is needed and not installed: {page} says how to install it.")
        );
    }
}

#[test]
fn a_docker_engine_that_does_not_answer_gives_its_own_reason() {
    let programs = Programs::new().with(
        "docker",
        "echo 'Cannot connect to the Docker daemon. Is it running?' >&2; exit 1",
    );
    assert_eq!(
        programs.sentence("need.sh", &["docker"], &[]),
        "docker is installed, but its engine doesn't answer; start it, or get access to it: \
         Cannot connect to the Docker daemon. Is it running?"
    );
}

#[test]
fn an_image_that_was_not_built_is_named_with_the_command_that_builds_it() {
    let programs = Programs::new().with("docker", "[ \"$1\" != image ]");
    assert_eq!(
        programs.sentence("need.sh", &["docker", "images"], &[]),
        "There is no image registry.example.com/oneapi:7 on this machine; this builds it: \
         make image REGISTRY=registry.example.com TAG=7"
    );
}

#[test]
fn without_a_kube_context_it_says_how_to_get_and_how_to_choose_one() {
    let programs = Programs::new().with("kubectl", "exit 1");
    let sentence = programs.sentence("need.sh", &["kubectl", "cluster"], &[]);
    assert!(sentence.contains("no current context"), "{sentence}");
    assert!(sentence.contains("kind create cluster"), "{sentence}");
    let sentence = programs.sentence("need.sh", &["cluster"], &[("CONTEXT", "mine")]);
    assert!(sentence.contains("no kube context mine"), "{sentence}");
}

#[test]
fn a_cluster_that_does_not_answer_is_named_by_its_context() {
    let programs = Programs::new().with(
        "kubectl",
        "case $* in config*) echo mine ;; *) echo 'connection refused' >&2; exit 1 ;; esac",
    );
    assert_eq!(
        programs.sentence("need.sh", &["cluster"], &[]),
        "The cluster of the kube context mine doesn't answer; does it run? connection refused"
    );
}

#[test]
fn a_cluster_that_is_neither_kinds_nor_minikubes_needs_a_registry() {
    let programs = Programs::new().with("kubectl", CLUSTER_OF_OTHERS);
    let sentence = programs.sentence("load.sh", &[], &[]);
    assert!(sentence.contains("make push REGISTRY="), "{sentence}");
}

#[test]
fn a_missing_kind_is_named() {
    let programs = Programs::new().with("kubectl", "echo 'kind://docker/mine/node|'");
    assert_eq!(
        programs.sentence("load.sh", &[], &[]),
        "The cluster is kind's, and kind is not installed on this machine."
    );
}

#[test]
fn a_port_that_is_taken_is_named_with_the_variable_that_chooses_another() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        // A machine without IPv6 has nothing to take there.
        let Ok(listener) = TcpListener::bind(address) else {
            continue;
        };
        let port = listener.local_addr().unwrap().port().to_string();
        for variable in ["ONEAPI_PORT", "TWOAPI_PORT"] {
            let other = if variable == "ONEAPI_PORT" {
                "TWOAPI_PORT"
            } else {
                "ONEAPI_PORT"
            };
            // A port that nobody has, so that this finding is not the other port's.
            let free = TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0"));
            let free = free.unwrap().local_addr().unwrap().port().to_string();
            let environment = [(variable, port.as_str()), (other, free.as_str())];
            let sentence = Programs::new().sentence("run.sh", &[], &environment);
            assert!(
                sentence.contains(&format!("Port {port} is taken by another program")),
                "{sentence}"
            );
            assert!(
                sentence.contains(&format!("make run {variable}=")),
                "{sentence}"
            );
        }
    }
}

#[test]
fn a_port_that_is_none_and_a_port_for_both_are_refused() {
    for wrong in ["0", "65536", "99999", "abc", "5000x", "-1", "100000"] {
        assert_eq!(
            Programs::new().sentence("run.sh", &[], &[("ONEAPI_PORT", wrong)]),
            format!("ONEAPI_PORT is a port from 1 to 65535, not \"{wrong}\".")
        );
    }
    assert_eq!(
        Programs::new().sentence("run.sh", &[], &[("ONEAPI_PORT", "5001")]),
        "ONEAPI_PORT and TWOAPI_PORT are both 5001: each service needs a port of its own."
    );
}

#[test]
fn a_namespace_that_can_be_none_is_refused_before_the_cluster_is_asked() {
    let programs = Programs::new().with("kubectl", "echo 'kubectl was asked' >&2");
    let long = "x".repeat(64);
    // With no name at all kustomize keeps the one in the manifests, and with a comma a name
    // would be a selector of others.
    for namespace in [
        "",
        "Bad_Name",
        "a b",
        "x\"y",
        "-n",
        "default,metadata.name=default",
        &long,
    ] {
        for verb in ["apply", "delete"] {
            let sentence = programs.sentence("deploy.sh", &[verb], &[("NAMESPACE", namespace)]);
            assert_eq!(
                sentence,
                format!(
                    "NAMESPACE can't be \"{namespace}\": a namespace's name has 1 to 63 lower-case \
                     letters, digits and hyphens, with no hyphen at its start or end."
                )
            );
        }
    }
}

#[test]
fn a_registry_and_a_tag_that_are_chosen_once_are_in_all_files_and_are_all_verbs_defaults() {
    let tree = Tree::new(Programs::new());
    assert_eq!(tree.make(&["registry"], &[]), "localhost:5005\n");
    for registry in REGISTRIES {
        let choice = [format!("REGISTRY={registry}"), "TAG=7.8".to_owned()];
        let said = tree.make(&["use", &choice[0], &choice[1]], &[]);
        assert!(
            said.ends_with(&format!(
                " files in k8s name {registry}/oneapi:7.8 and {registry}/twoapi:7.8 now.\n"
            )),
            "{said}"
        );
        assert_eq!(
            tree.images(),
            [
                format!("{registry}/oneapi:7.8"),
                format!("{registry}/oneapi:none"),
                format!("{registry}/twoapi:7.8"),
            ]
        );
        assert_eq!(tree.make(&["registry"], &[]), format!("{registry}\n"));
        let dry = tree.make(&["--dry-run", "image"], &[]);
        assert!(
            dry.contains(&format!("'{registry}'/$service:'7.8'")),
            "{dry}"
        );

        let again = tree.make(&["use"], &[]);
        assert!(
            again.ends_with(&format!(
                " name {registry}/oneapi:7.8 and {registry}/twoapi:7.8 already.\n"
            )),
            "{again}"
        );
    }
    // One of the two alone leaves the other as it is.
    tree.make(&["use", "TAG=9"], &[]);
    assert_eq!(tree.images()[0], "10.0.0.7:5000/oneapi/twoapi/oneapi:9");
    tree.make(&["use"], &[("REGISTRY", "other")]);
    assert_eq!(tree.images()[0], "other/oneapi:9");
}

#[test]
fn a_registry_in_the_environment_or_the_command_comes_before_the_files() {
    let tree = Tree::new(Programs::new());
    let environment = [("REGISTRY", "there.example/x")];
    assert_eq!(tree.make(&["registry"], &environment), "there.example/x\n");
    assert_eq!(
        tree.make(&["registry", "REGISTRY=here"], &environment),
        "here\n"
    );
    assert_eq!(
        tree.make(&["registry"], &[("REGISTRY", "")]),
        "localhost:5005\n"
    );
}

#[test]
fn a_registry_or_a_tag_that_no_image_can_have_changes_nothing() {
    let tree = Tree::new(Programs::new());
    let before = tree.images();
    for registry in [
        "",
        "https://registry.example.com",
        "registry.example.com/",
        "registry.example.com/Team",
        "a b",
        "x&y",
        "x#y",
        "x:port",
        "x//y",
        "-x",
        "é",
    ] {
        let error = tree
            .try_make(&["use", &format!("REGISTRY={registry}")], &[])
            .expect_err(registry);
        let said = format!("REGISTRY can't be \"{registry}\": it is a host");
        assert!(error.starts_with(&said), "{error}");
    }
    for tag in ["", ".1", "-1", "a b", "1:2", "x/y", "1&2", &"x".repeat(129)] {
        let error = tree
            .try_make(&["use", &format!("TAG={tag}")], &[])
            .expect_err(tag);
        let said = format!("TAG can't be \"{tag}\": an image's tag has 1 to 128");
        assert!(error.starts_with(&said), "{error}");
    }
    let error = tree.try_make(&["use", "TAG=none"], &[]).unwrap_err();
    assert!(error.starts_with("TAG can't be \"none\""), "{error}");
    assert_eq!(tree.images(), before);
}

#[test]
fn deploy_replaces_the_images_that_the_files_name() {
    // Prints the overlay where the real one would apply it.
    let kubectl = "case $* in
        *current-context*) echo mine ;;
        'apply -k '*) cat \"$3/kustomization.yaml\" ;;
    esac";
    let tree = Tree::new(Programs::new().with("kubectl", kubectl));
    for registry in REGISTRIES {
        tree.make(&["use", &format!("REGISTRY={registry}"), "TAG=7.8"], &[]);
        for (given, used) in [
            (vec![], format!("\"{registry}/oneapi\", newTag: \"7.8\"")),
            (
                vec!["REGISTRY=b.example:1/c", "TAG=9"],
                "\"b.example:1/c/oneapi\", newTag: \"9\"".to_owned(),
            ),
        ] {
            let mut arguments = vec!["deploy"];
            arguments.extend(given);
            let overlay = tree.make(&arguments, &[]);
            let line = format!("  - {{ name: \"{registry}/oneapi\", newName: {used} }}\n");
            assert!(overlay.contains(&line), "{overlay}");
        }
    }
}

#[test]
fn load_copies_the_images_that_the_files_name() {
    let tree = Tree::new(
        Programs::new()
            .with("kubectl", "echo 'kind://docker/mine/node|'")
            .with("docker", "exit 0")
            .with("kind", "echo \"$@\""),
    );
    tree.make(
        &[
            "use",
            "REGISTRY=registry.example.com:5000/team/x",
            "TAG=7.8",
        ],
        &[],
    );
    let said = tree.make(&["load"], &[]);
    assert!(
        said.contains(
            "load docker-image registry.example.com:5000/team/x/twoapi:7.8 --name mine\n"
        ),
        "{said}"
    );
}
