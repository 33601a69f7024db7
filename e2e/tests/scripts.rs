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
        for program in ["bash", "dirname", "grep", "tail"] {
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
        let output = Command::new(self.0.join("bash"))
            .arg(
                Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join("../scripts")
                    .join(script),
            )
            .args(arguments)
            .env_clear()
            .env("PATH", &self.0)
            .envs([("REGISTRY", "registry.example.com"), ("TAG", "7")])
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{script}: {text}");
        assert_eq!(text.lines().count(), 1, "one sentence: {text}");
        text.trim_end().to_owned()
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

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
