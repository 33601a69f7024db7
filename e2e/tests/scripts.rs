//! The sentences that the Makefile's scripts print when something is missing. Programs such as
//! docker and kubectl are replaced by scripts of a few words, so that nothing of this machine is
//! used or changed.

#![allow(clippy::unwrap_used)] // a test may

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
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
            "sed", "sh", "sleep", "sort", "tail", "uname",
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
        // It may be a link to the real one, and writing would go through it.
        drop(fs::remove_file(&path));
        fs::write(&path, format!("#!/bin/bash\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// Runs a script; returns its exit code and all that it prints.
    fn run(&self, script: &str, environment: &[(&str, &str)]) -> (Option<i32>, String) {
        let output = self
            .command(&["-c", "exec bash \"$0\" 2>&1"], script, environment)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), text)
    }

    /// Runs a script; returns what it prints to either stream.
    fn output(&self, script: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        self.command(&[], script, environment)
            .args(arguments)
            .output()
            .unwrap()
    }

    /// Runs a script that must fail with 1; returns the one line that it prints.
    fn sentence(&self, script: &str, arguments: &[&str], environment: &[(&str, &str)]) -> String {
        let output = self.output(script, arguments, environment);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{script}: {text}");
        assert_eq!(text.lines().count(), 1, "one sentence: {text}");
        text.trim_end().to_owned()
    }

    /// bash with its own arguments and the script.
    fn command(&self, bash: &[&str], script: &str, environment: &[(&str, &str)]) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../scripts")
            .join(script);
        let mut command = Command::new(self.0.join("bash"));
        command
            .args(bash)
            .arg(script)
            .env_clear()
            .env("PATH", &self.0)
            .envs([("REGISTRY", "registry.example.com"), ("TAG", "7")])
            .envs(environment.iter().copied());
        command
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
        // A name that no image can have, for the lesson that shows what becomes of it.
        names.retain(|name| name != "OneAPI:1.0");
        names.sort();
        names.dedup();
        names
    }
}

/// git without this machine's own configuration.
fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@example.com"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

/// As git on Windows is set up by default; the files are often used in WSL or a container.
#[test]
fn a_clone_with_windows_line_ends_has_working_verbs() {
    // make starts some without a shell.
    let programs = doctor("", "")
        .with("awk", "PATH=/usr/bin:/bin exec awk \"$@\"")
        .with("echo", "echo \"$@\"")
        .with("printf", "printf \"$@\"");
    let tree = Tree::new(programs);
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let image = "page-update-light-en.png";
    for (from, to) in [
        (".gitattributes", ".gitattributes"),
        ("rust-toolchain.toml", "rust-toolchain.toml"),
        (&*format!("docs/images/{image}"), image),
    ] {
        fs::copy(repository.join(from), tree.folder.join(to)).unwrap();
    }
    git(&tree.folder, &["init", "-q"]);
    git(&tree.folder, &["add", "."]);
    git(&tree.folder, &["commit", "-q", "-m", "all"]);
    let folder = tree.programs.0.join("clone");
    let [from, to] = [&tree.folder, &folder].map(|path| path.to_str().unwrap());
    git(
        Path::new("/"),
        &["clone", "-q", "-c", "core.autocrlf=true", from, to],
    );

    for file in ["Makefile", "scripts/doctor.sh", "k8s/pod.yaml"] {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        assert!(!text.contains('\r'), "{file} has Windows' line ends");
    }
    let images = [&tree.folder, &folder].map(|folder| fs::read(folder.join(image)).unwrap());
    assert!(images[0] == images[1], "an image is cloned byte for byte");

    let clone = Tree { folder, ..tree };
    let help = clone.make(&["help"], &[]);
    assert!(help.contains("make doctor "), "{help}");
    let [oneapi, twoapi] = free_ports();
    let environment = [
        ("REGISTRY", "registry.example.com"),
        ("TAG", "7"),
        ("DOCTOR_TIMEOUT", "2"),
        ("ONEAPI_PORT", &oneapi),
        ("TWOAPI_PORT", &twoapi),
    ];
    let doctor = clone.make(&["doctor"], &environment);
    assert!(doctor.ends_with("\nNo findings.\n"), "{doctor}");
}

/// The names that an image can have before its last part.
const REGISTRIES: [&str; 5] = [
    "registry.example.com:5000/team/x",
    "localhost:5006",
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
fn each_kind_of_local_cluster_gets_the_images_by_its_own_tool_and_name() {
    for (node, tool, command) in [
        (
            "kind://docker/mine/mine-worker|",
            "kind",
            "kind load docker-image registry.example.com/oneapi:7 --name mine\n",
        ),
        (
            "k3s://k3d-my-own-server-0|",
            "k3d",
            "k3d image import registry.example.com/twoapi:7 --cluster my-own\n",
        ),
        (
            "k3s://k3d-mine-agent-1|",
            "k3d",
            "k3d image import registry.example.com/oneapi:7 --cluster mine\n",
        ),
        (
            "|mine",
            "minikube",
            "minikube --profile mine image load registry.example.com/twoapi:7\n",
        ),
    ] {
        let programs = Programs::new()
            .with("kubectl", &format!("echo '{node}'"))
            .with(tool, &format!("echo \"{tool} $*\""));
        let (code, said) = programs.run("load.sh", &[]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(command), "{said}");
    }
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
fn a_name_that_no_image_can_have_is_neither_built_nor_deployed() {
    let asked = "echo \"$0 was asked\" >&2";
    let tree = Tree::new(Programs::new().with("docker", asked).with("kubectl", asked));
    for verb in ["image", "deploy"] {
        for (variable, value) in [
            ("REGISTRY", "registry.example.com/"),
            ("REGISTRY", "it's"),
            ("TAG", "feature/x"),
            ("TAG", "none"),
        ] {
            let error = tree
                .try_make(&[verb, &format!("{variable}={value}")], &[])
                .expect_err(value);
            let said = format!("{variable} can't be \"{value}\": ");
            assert!(error.starts_with(&said), "{verb}: {error}");
        }
    }
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

/// What a machine and a cluster in good order answer to `make doctor`, as cases of `case`.
const GOOD_KUBECTL: &str = r#"
    *'config current-context'*) echo mine ;;
    *'config get-contexts'*) ;;
    *'get --raw /readyz'*) ;;
    *'version --client') echo 'Client Version: v1.37.1' ;;
    *version) echo 'Client Version: v1.37.1'; echo 'Server Version: v1.37.2+k3s1' ;;
    *'get nodes --output'*) echo 'node1|amd64|linux|v1.37.2|True|||true true||' ;;
    *'apply --filename -'*) cat >"$0.applied" ;;
    *'get daemonset'*) echo 1 ;;
    *'get pods --namespace chester-doctor'*) echo 'doctor-x|node1|oneapi,,2026-01-02T03:04:05Z;twoapi,,2026-01-02T03:04:05Z;' ;;
    *'get namespace chester-doctor'*) ;;
    *'get namespaces --field-selector'*) echo namespace/chesterns ;;
    *'create --dry-run=server'*) cat >"$0.created" ;;
    *'get endpointslices'*) echo '10.244.0.2 true' ;;
    *' exec '*) echo ok ;;
    *'get apiservice'*) echo 'True|all checks passed' ;;
    *'get nodes.metrics.k8s.io'*) echo nodemetrics/node1 ;;
    *'get horizontalpodautoscalers'*) ;;
    *'delete namespace chester-doctor'*) echo "$*" >>"$0.deleted" ;;
    *) echo "kubectl was not expected to be asked: $*" >&2; exit 1 ;;
"#;
const GOOD_DOCKER: &str = r#"
    version*) echo 27.1.2 27.1.2 amd64 ;;
    'buildx version') echo v0.16 ;;
    'image inspect'*) echo amd64 ;;
"#;

/// A machine and a cluster in good order, except for `kubectl`'s and `docker`'s answers, which come
/// before the good ones.
fn doctor(kubectl: &str, docker: &str) -> Programs {
    Programs::new()
        .with("cc", "while [ \"$1\" != -o ]; do shift; done; : >\"$2\"")
        .with("rustup", "exit 0")
        .with(
            "docker",
            &format!("case \"$*\" in {docker} {GOOD_DOCKER} esac"),
        )
        .with(
            "kubectl",
            &format!("case \"$*\" in {kubectl} {GOOD_KUBECTL} esac"),
        )
}

fn free_ports() -> [String; 2] {
    let ports =
        [(), ()].map(|()| TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0")));
    ports.map(|port| port.unwrap().local_addr().unwrap().port().to_string())
}

/// Runs it with ports that nobody has, and without long waits.
fn examine(programs: &Programs, environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let ports = free_ports();
    let mut all = vec![
        ("ONEAPI_PORT", ports[0].as_str()),
        ("TWOAPI_PORT", ports[1].as_str()),
        ("NAMESPACE", "chesterns"),
        ("DOCTOR_TIMEOUT", "2"),
    ];
    all.extend_from_slice(environment);
    programs.run("doctor.sh", &all)
}

/// The only finding of a run: its kind, its sentence and the commands that mend it.
fn finding(programs: &Programs, environment: &[(&str, &str)]) -> (String, String) {
    let (code, said) = examine(programs, environment);
    assert_eq!(code, Some(1), "{said}");
    let mut lines = said
        .lines()
        .skip_while(|line| !line.starts_with("problem") && !line.starts_with("warning"));
    let sentence = lines.next().expect(&said).to_owned();
    let mend: Vec<_> = lines
        .take_while(|line| line.starts_with("    "))
        .map(str::trim)
        .collect();
    let kind = if sentence.starts_with("problem") {
        "1 problem, 0 warnings"
    } else {
        "0 problems, 1 warning"
    };
    assert!(said.ends_with(&format!("\n1 finding: {kind}.\n")), "{said}");
    assert!(!mend.is_empty(), "what mends it is said: {said}");
    (sentence, mend.join("\n"))
}

#[test]
fn doctor_finds_nothing_where_all_is_well_and_leaves_nothing_behind() {
    let programs = doctor("", "");
    let (code, said) = examine(&programs, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.ends_with("\nNo findings.\n"), "{said}");
    let lines: Vec<_> = said.lines().take_while(|line| !line.is_empty()).collect();
    assert!(lines.len() >= 15, "{said}");
    assert!(lines.iter().all(|line| line.starts_with("ok  ")), "{said}");

    let file = |name: &str| fs::read_to_string(programs.0.join(format!("kubectl.{name}"))).unwrap();
    let applied = file("applied");
    assert!(
        applied.contains("image: registry.example.com/twoapi:7\n"),
        "{applied}"
    );
    let own = applied
        .split_once("  name: ")
        .unwrap()
        .1
        .lines()
        .next()
        .unwrap();
    assert!(
        file("deleted").contains(&format!("delete namespace {own} ")),
        "{own}"
    );
    assert!(
        file("created").contains("\n  name: chester-doctor\n"),
        "not the pod of a learner"
    );
}

#[test]
fn doctor_leaves_nothing_behind_when_it_is_interrupted() {
    // The script itself starts the first of the two, a subshell of it the second.
    let programs = doctor(
        "*'config get-contexts'*) echo $PPID >\"$0.pid\" ;;
         *'get daemonset'*) kill -TERM $(cat \"$0.pid\"); echo 0 ;;",
        "",
    );
    let (code, said) = examine(&programs, &[]);
    assert_eq!(code, Some(130), "{said}");
    let deleted = fs::read_to_string(programs.0.join("kubectl.deleted")).unwrap();
    assert!(
        deleted.contains("delete namespace chester-doctor-"),
        "{deleted}"
    );
}

#[test]
fn doctor_says_in_a_sentence_what_is_wrong_with_the_cluster_and_what_mends_it() {
    const PULL: &str = "*'get pods --namespace chester-doctor'*) echo 'doctor-x|node1|oneapi,ErrImagePull,;twoapi,,2026;' ;;
        *'get events'*) echo 'Failed to pull image \"registry.example.com/oneapi:7\": failed to resolve reference \"registry.example.com/oneapi:7\": dial tcp: no such host' ;;";
    let on = |provider: &str| {
        format!(
            "*'get nodes --output'*) echo 'node1|amd64|linux|v1.37.2|True|||true|{provider}' ;;"
        )
    };
    let autoscaler = |condition: &str| {
        format!("*'get horizontalpodautoscalers'*) echo 'chesterhpa|False|{condition}' ;;")
    };
    let no_metrics = "*'get apiservice'*) echo 'Error: apiservices \"x\" not found' >&2; exit 1 ;;";
    let down = "*'get apiservice'*) echo 'False|failing or missing response' ;;";
    let cases = [
        ("*'config current-context'*) exit 1 ;;".to_owned(), "problem   kubectl has no current context", "kind create cluster"),
        ("*'config get-contexts'*) exit 1 ;;".to_owned(), "problem   There is no kube context mine.", "kubectl config get-contexts"),
        ("*'get --raw /readyz'*) echo 'connection refused' >&2; exit 1 ;;".to_owned(), "problem   The cluster of the kube context mine doesn't answer: connection refused", "minikube start"),
        ("*' version') echo 'Server Version: v1.28.9' ;; *'version --client') echo 'Client Version: v1.28.1' ;;".to_owned(), "warning   The cluster runs Kubernetes 1.28.9; supported is 1.29 or newer", "kind create cluster"),
        ("*'version --client') echo 'Client Version: v1.30.1' ;;".to_owned(), "warning   kubectl is 1.30 and the cluster is 1.37", "how to install kubectl 1.37"),
        ("*'get nodes --output'*) echo 'node1|amd64|windows|v1.37.2|True|||true||' ;;".to_owned(), "problem   The cluster has no node that runs Linux", "kubectl get nodes"),
        ("*'get nodes --output'*) echo 'node1|amd64|linux|v1.37.2|Unknown|||true||' ;;".to_owned(), "problem   No node takes pods, so they stay Pending: node1 is not Ready.", "kubectl describe node node1"),
        ("*'get nodes --output'*) echo 'node1|amd64|linux|v1.37.2|True|true||true||' ;;".to_owned(), "problem   No node takes pods, so they stay Pending: node1 is cordoned.", "kubectl uncordon node1"),
        ("*'get nodes --output'*) echo 'node1|amd64|linux|v1.37.2|True||NoSchedule|true||' ;;".to_owned(), "problem   No node takes pods, so they stay Pending: node1 has a taint", "kubectl taint node node1"),
        ("*'get nodes --output'*) echo 'node1|arm64|linux|v1.37.2|True|||true||' ;;".to_owned(), "problem   The nodes are arm64, and the images on this machine are amd64", "make image push DOCKER_BUILD_FLAGS=--platform=linux/arm64"),
        ("*'get nodes --output'*) echo 'node1|amd64|linux|v1.37.2|True|||true||'; echo 'node2|arm64|linux|v1.37.2|True|||true||' ;; *'get daemonset'*) echo 1 ;;".to_owned(), "warning   The node node2 is arm64", "kubectl cordon node2"),
        ("*'get nodes --output'*) echo 'node1|amd64|linux|v1.29.4|True|||||' ;;".to_owned(), "warning   The kubelet of node1 is v1.29.4: before 1.30", "containerd from 2.0"),
        (PULL.to_owned(), "problem   The node node1 can't pull registry.example.com/oneapi:7: ErrImagePull: dial tcp: no such host", "make image push\nanother registry, which the nodes can reach:\nmake use REGISTRY="),
        (format!("{} {PULL}", on("kind://docker/mine/node1|")), "problem   The node node1 can't pull registry.example.com/oneapi:7", "make image load"),
        (format!("{} {PULL}", on("k3s://k3d-mine-server-0|")), "problem   The node node1 can't pull registry.example.com/oneapi:7", "make image load"),
        (format!("{} {PULL}", on("|mine")), "problem   The node node1 can't pull registry.example.com/oneapi:7", "make image load"),
        ("*'get pods --namespace chester-doctor'*) echo 'doctor-x|node1|oneapi,CrashLoopBackOff,;twoapi,,2026;' ;; *' logs '*) echo 'exec /oneapi: exec format error' ;;".to_owned(), "problem   The image registry.example.com/oneapi:7 is for another architecture than the node node1", "DOCKER_BUILD_FLAGS=--platform=linux/amd64"),
        ("*'get pods --namespace chester-doctor'*) echo 'doctor-x|node1|oneapi,,2026;twoapi,Error,;' ;; *' logs '*) echo 'The port is taken.' ;;".to_owned(), "problem   The container of registry.example.com/twoapi:7 doesn't run on the node node1: Error: The port is taken.", "make image push"),
        ("*'get daemonset'*) ;; *'get pods --namespace chester-doctor'*) ;; *'get events'*) echo 'exceeded quota' ;;".to_owned(), "problem   The cluster doesn't admit our pods: exceeded quota", "kubectl get events"),
        ("*'create --dry-run=server'*'chester-doctor-'*) echo 'forbidden: violates PodSecurity' >&2; exit 1 ;;".to_owned(), "problem   Pods are not admitted under Pod Security restricted: forbidden: violates PodSecurity", "kubectl get validatingwebhookconfigurations"),
        ("*'create --dry-run=server'*'namespace chesterns') echo 'forbidden: exceeded quota' >&2; exit 1 ;;".to_owned(), "problem   The namespace chesterns doesn't admit our pods: forbidden: exceeded quota", "kubectl describe resourcequotas,limitranges --namespace chesterns"),
        ("*'create --dry-run=server --filename -') echo 'forbidden: exceeded quota' >&2; exit 1 ;;".to_owned(), "problem   The context's current namespace doesn't admit our pods: forbidden: exceeded quota", "kubectl config set-context --current --namespace=default"),
        ("*' exec '*) echo 'http://doctor.x:5000/readyz did not answer: failed to lookup address information: Temporary failure in name resolution' >&2; exit 1 ;;".to_owned(), "problem   A pod can't resolve the name of a Service: ", "kubectl rollout restart deployment/coredns"),
        ("*' exec '*) echo 'http://doctor.x:5000/readyz did not answer: it took longer than 1s' >&2; exit 1 ;;".to_owned(), "problem   A pod resolves the name of a Service and doesn't reach it: ", "k8s-app=kube-proxy"),
        (no_metrics.to_owned(), "warning   metrics-server is not installed", "kubectl apply -f https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml"),
        (format!("{} {no_metrics}", on("|mine")), "warning   metrics-server is not installed", "minikube addons enable metrics-server"),
        (format!("{} {no_metrics}", on("kind://docker/mine/node1|")), "warning   metrics-server is not installed", "--kubelet-insecure-tls"),
        (down.to_owned(), "warning   metrics-server is installed and not available: failing or missing response", "--kubelet-insecure-tls"),
        ("*'get nodes.metrics.k8s.io'*) ;;".to_owned(), "warning   metrics-server is available and has no figures yet", "kubectl top nodes"),
        (autoscaler("FailedGetResourceMetric: the HPA was unable to compute the replica count: missing request for cpu in container oneapi of Pod x"), "warning   HorizontalPodAutoscaler chesterhpa says <unknown>: a container has no CPU request", "--requests=cpu=100m"),
        (autoscaler("FailedGetResourceMetric: unable to get metrics for resource cpu: no metrics returned from resource metrics API"), "warning   HorizontalPodAutoscaler chesterhpa says <unknown>: there are no figures of its pods yet", "kubectl wait hpa/chesterhpa"),
        (autoscaler("AmbiguousSelector: pods by selector app=x are controlled by multiple HPAs"), "warning   HorizontalPodAutoscaler chesterhpa does nothing, since another one has the same pods.", "kubectl delete hpa chesterhpa"),
        (autoscaler("ScalingDisabled: scaling is disabled since the replica count of the target is zero"), "warning   HorizontalPodAutoscaler chesterhpa is off, since its target has no replicas.", "--replicas=1"),
        (autoscaler("FailedGetResourceMetric: something else"), "warning   HorizontalPodAutoscaler chesterhpa says <unknown>. FailedGetResourceMetric: something else", "kubectl describe hpa chesterhpa"),
    ];
    for (answers, sentence, mend) in cases {
        let (said, mends) = finding(&doctor(&answers, ""), &[]);
        assert!(said.starts_with(sentence), "{said}\n{sentence}");
        assert!(mends.contains(mend), "{said}: {mends}\n{mend}");
        assert!(!mends.contains(" # "), "words behind a command: {mends}");
    }
    // The autoscaler's reason is metrics-server's then, which is a finding of its own.
    for reason in [no_metrics, down, "*'get nodes.metrics.k8s.io'*) ;;"] {
        let answers = format!("{reason} {}", autoscaler("FailedGetResourceMetric: x"));
        let (code, said) = examine(&doctor(&answers, ""), &[]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("\nwarning   HorizontalPodAutoscaler chesterhpa says <unknown>, for want of metrics-server's figures"), "{said}");
        assert!(
            said.ends_with("\n2 findings: 0 problems, 2 warnings.\n"),
            "{said}"
        );
    }
}

#[test]
fn doctor_says_what_is_wrong_with_this_machine_and_what_mends_it() {
    let dead = "version*) echo 'Cannot connect to the Docker daemon.' >&2; exit 1 ;;";
    for (answers, sentence, mend) in [
        (
            dead,
            "problem   docker is installed, but its engine doesn't answer: Cannot connect to the Docker daemon.",
            "sudo systemctl start docker",
        ),
        (
            "'buildx version') exit 1 ;;",
            "problem   docker 27.1.2 is installed without its plugin buildx",
            "docker-buildx",
        ),
        (
            "version*) echo 17.12.1 17.12.1 amd64 ;;",
            "problem   The docker engine is 17.12.1, and BuildKit",
            "https://docs.docker.com/engine/install",
        ),
        (
            "'image inspect'*) exit 1 ;; version*) echo 27.1.2 27.1.2 arm64 ;;",
            "problem   The nodes are amd64, and there are no images at registry.example.com and 7 on this machine, and make image would build them for arm64",
            "DOCKER_BUILD_FLAGS=--platform=linux/amd64",
        ),
    ] {
        let (said, mends) = finding(&doctor("", answers), &[]);
        assert!(said.starts_with(sentence), "{said}\n{sentence}");
        assert!(mends.contains(mend), "{said}: {mends}\n{mend}");
    }

    let without = |program: &str| {
        let programs = doctor("", "");
        fs::remove_file(programs.0.join(program)).unwrap();
        programs
    };
    for (programs, sentence, mend) in [
        (
            without("rustup"),
            "warning   cargo is not installed",
            "https://sh.rustup.rs",
        ),
        (
            without("rustup").with("cargo", "echo 'cargo 1.63.0 (fd9c4297c 2022-07-01)'"),
            "warning   cargo is 1.63.0, and the sources need 1.95.0.",
            "https://sh.rustup.rs",
        ),
        (
            without("cc"),
            "warning   There is no C linker called cc",
            "Install gcc or clang",
        ),
        (
            without("cc").with("uname", "echo Darwin"),
            "warning   There is no C linker called cc",
            "xcode-select --install",
        ),
        (
            without("cc").with("apt-get", ""),
            "warning   There is no C linker called cc",
            "sudo apt-get install gcc libc6-dev",
        ),
        (
            without("cc").with("cc", "echo 'ld: cannot find crt1.o' >&2; exit 1"),
            "warning   The C linker cc can't link a program: ld: cannot find crt1.o",
            "Install gcc or clang",
        ),
        (
            without("docker"),
            "problem   docker is not installed",
            "https://docs.docker.com/engine/install",
        ),
        (
            without("kubectl"),
            "problem   kubectl is not installed",
            "https://kubernetes.io/docs/tasks/tools",
        ),
        (
            without("make"),
            "warning   There is no GNU make here",
            "gmake doctor",
        ),
        (
            without("make").with("make", "echo 'GNU Make 3.80'"),
            "warning   GNU make is 3.80",
            "https://www.gnu.org/software/make",
        ),
    ] {
        let (said, mends) = finding(&programs, &[]);
        assert!(said.starts_with(sentence), "{said}\n{sentence}");
        assert!(mends.contains(mend), "{said}: {mends}\n{mend}");
    }
}

#[test]
fn doctor_says_who_has_a_port() {
    for (answer, sentence) in [
        (
            "HTTP/1.1 403 Forbidden\r\nServer: AirTunes/775.3.1\r\nContent-Length: 0\r\n\r\n",
            Some("AirPlay Receiver of macOS"),
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", Some("another program")),
        (
            "HTTP/1.1 200 OK\r\n\r\n{\"service\":\"oneapi\",\"version\":\"1.0\"}",
            None,
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        // One connection to see whether the port is taken, and one to ask whose it is.
        let server = std::thread::spawn(move || {
            for _ in 0..2 {
                let (mut connection, _) = listener.accept().unwrap();
                // To the end of the request: what is left unread resets the connection.
                let lines = BufReader::new(&connection).lines();
                let request = lines.take_while(|line| line.as_ref().is_ok_and(|it| !it.is_empty()));
                if request.count() > 0 {
                    connection.write_all(answer.as_bytes()).unwrap();
                }
            }
        });
        let programs = doctor("", "");
        if let Some(who) = sentence {
            let (said, mends) = finding(&programs, &[("ONEAPI_PORT", &port)]);
            assert!(
                said.starts_with(&format!(
                    "warning   Port {port} of this machine is taken by {who}:"
                )),
                "{said}"
            );
            assert!(mends.contains("make run ONEAPI_PORT="), "{mends}");
        } else {
            let (code, said) = examine(&programs, &[("ONEAPI_PORT", &port)]);
            assert_eq!(code, Some(0), "{said}");
            assert!(
                said.contains(&format!(
                    "ok        Port {port} of this machine is oneapi's"
                )),
                "{said}"
            );
        }
        server.join().unwrap();
    }
}

#[test]
fn doctor_says_what_it_could_not_look_at() {
    let refused = "echo 'Error from server (Forbidden): no' >&2; exit 1 ;;";
    for (answers, what, count) in [
        (
            format!("*'get nodes --output'*) {refused}"),
            "Nodes, their architecture and hostUsers can't be looked at: Error from server (Forbidden): no",
            4,
        ),
        (
            format!(
                "*'apply --filename -'*) {refused} *'get namespace chester-doctor'*) exit 1 ;;"
            ),
            "Whether nodes can pull and run the images can't be looked at",
            3,
        ),
        (
            format!("*' exec '*) {refused}"),
            "Whether pods resolve names can't be looked at: kubectl exec fails: Error from server (Forbidden): no",
            1,
        ),
        (
            format!("*'get apiservice'*) {refused}"),
            "metrics-server can't be looked at: Error from server (Forbidden): no",
            1,
        ),
        (
            format!("*'get horizontalpodautoscalers'*) {refused}"),
            "HorizontalPodAutoscalers in chesterns can't be looked at: Error from server (Forbidden): no",
            1,
        ),
        (
            format!("*'get endpointslices'*) {refused}"),
            "The cluster's DNS Service can't be looked at: Error from server (Forbidden): no",
            1,
        ),
        (
            format!("*' version') {refused}"),
            "The cluster's version can't be looked at: Error from server (Forbidden): no",
            1,
        ),
    ] {
        let (code, said) = examine(&doctor(&answers, ""), &[]);
        assert!(said.contains(&format!("\nunseen    {what}")), "{said}");
        assert!(said.contains(&format!("\n{count} thing")), "{said}");
        assert_eq!(code, Some(0), "nothing was found: {said}");
    }
    let (_, said) = examine(&doctor("*'config current-context'*) exit 1 ;;", ""), &[]);
    assert!(said.contains("\nunseen    The cluster: its version, nodes, images, Pod Security, DNS, metrics-server and HorizontalPodAutoscalers can't be looked at: kubectl has no current context."), "{said}");
}

const HOW_TO_ASK: &str = "scripts/ask.sh [-n NAMESPACE] [GET|POST|PUT|DELETE] pods/NAME:PORT/PATH, or \
                          services/ instead of pods/";

#[test]
fn a_question_that_cannot_be_asked_is_refused_with_the_form_before_the_cluster_is_asked() {
    let programs = Programs::new().with("kubectl", "echo 'kubectl was asked' >&2");
    for (arguments, wrong) in [
        (&[][..], "Whom to ask, and for what, is missing"),
        (&["GET"], "Whom to ask, and for what, is missing"),
        (&["-n"], "-n needs the name of a namespace"),
        (
            &["PATCH", "pods/a:5000/test"],
            "There is one thing to ask for, not 2",
        ),
        (
            &["nodes/a:5000/test"],
            "\"nodes/a:5000/test\" begins with neither pods/ nor services/",
        ),
        (
            &["pods/a:5000"],
            "\"pods/a:5000\" has no path, such as /test",
        ),
        (
            &["pods/a/test"],
            "\"pods/a/test\" has no port, such as NAME:5000",
        ),
        (
            &["pods/a:http/test"],
            "\"pods/a:http/test\" has no port, such as NAME:5000",
        ),
        (
            &["services/:5000/test"],
            "\"services/:5000/test\" has no port, such as NAME:5000",
        ),
    ] {
        assert_eq!(
            programs.sentence("ask.sh", arguments, &[]),
            format!("{wrong}: {HOW_TO_ASK}")
        );
    }
}

#[test]
fn a_question_goes_to_the_pod_or_service_of_the_namespace_and_context_that_are_told() {
    // What kubectl is called with is the answer here.
    let programs = Programs::new().with(
        "kubectl",
        "case $* in *config*view*) printf current ;; *) printf '%s' \"$*\" ;; esac",
    );
    let answer = |arguments: &[&str], environment: &[(&str, &str)]| {
        let output = programs.output("ask.sh", arguments, environment);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(
        answer(&["pods/a:5000/test"], &[]),
        "get -v=4 --raw /api/v1/namespaces/current/pods/a:5000/proxy/test\n"
    );
    assert_eq!(
        answer(
            &["-n", "other", "service/b:5001/test/calloneapi"],
            &[("CONTEXT", "mine")]
        ),
        "--context mine get -v=4 --raw \
         /api/v1/namespaces/other/services/b:5001/proxy/test/calloneapi\n"
    );
    assert_eq!(
        answer(&["POST", "pods/a:5000/burns?minutes=1"], &[]),
        "create -v=4 -f - --raw \
         /api/v1/namespaces/current/pods/a:5000/proxy/burns?minutes=1\n"
    );
    assert_eq!(
        answer(
            &["PUT", "pod/a:5000/faults/readiness?mode=fail&for=30s"],
            &[]
        ),
        "replace -v=4 -f - --raw \
         /api/v1/namespaces/current/pods/a:5000/proxy/faults/readiness?mode=fail&for=30s\n"
    );
    assert_eq!(
        answer(&["DELETE", "pods/a:5000/burns"], &[]),
        "delete -v=4 --raw /api/v1/namespaces/current/pods/a:5000/proxy/burns\n"
    );
}

#[test]
fn an_error_of_the_pod_is_told_in_the_pods_own_words() {
    let programs = Programs::new().with(
        "kubectl",
        r#"echo 'I1125 13:40:45.414941       1 helpers.go:246] server response object: %s[{
  "metadata": {},
  "status": "Failure",
  "message": "the server rejected our request for an unknown reason",
  "reason": "BadRequest",
  "details": {
    "causes": [
      {
        "reason": "UnexpectedServerResponse",
        "message": "\"mode\" cannot be \u003c\\x\u003e: it is fail\n"
      }
    ]
  },
  "code": 400
}]
Error from server (BadRequest): the server rejected our request for an unknown reason' >&2
exit 1"#,
    );
    assert_eq!(
        programs.sentence(
            "ask.sh",
            &["PUT", "pods/a:5000/faults/liveness?mode=x"],
            &[]
        ),
        "pods/a:5000/faults/liveness?mode=x answered 400: \"mode\" cannot be <\\x>: it is fail"
    );
}

#[test]
fn a_pod_that_cannot_be_asked_is_named_with_its_namespace_and_the_reason() {
    let programs = Programs::new().with(
        "kubectl",
        r#"echo 'Error from server (NotFound): pods "a" not found' >&2; exit 1"#,
    );
    assert_eq!(
        programs.sentence("ask.sh", &["-n", "other", "pods/a:5000/test"], &[]),
        "pods/a:5000/test could not be asked in the namespace other: pods \"a\" not found"
    );
}
