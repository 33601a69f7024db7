//! What the Makefile's scripts say. Programs such as docker and kubectl are replaced by scripts of a few
//! words, and the files of k8s by a copy, so that nothing of this machine is used or changed.

#![allow(clippy::unwrap_used)] // a test may

use std::{
    fs, iter,
    net::TcpListener,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// What a command ends with, prints, and complains about.
#[derive(Debug)]
struct Answer {
    code: Option<i32>,
    printed: String,
    complaint: String,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A folder with the only programs that a script finds, and with a copy of what belongs to the scripts.
struct Machine {
    programs: TempDir,
    tree: PathBuf,
}

impl Machine {
    fn new(scripts: &[(&str, &str)]) -> Self {
        let programs = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        for program in [
            "awk", "bash", "cat", "diff", "dirname", "git", "grep", "make", "mkdir", "mktemp",
            "rm", "sed", "sh", "sort", "tail",
        ] {
            let real = ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(program));
            let real = real.into_iter().find(|path| path.exists());
            let real = real.expect("it is part of every system");
            symlink(real, programs.path().join(program)).unwrap();
        }
        let tree = programs.path().join("tree");
        fs::create_dir(&tree).unwrap();
        let copied = Command::new("cp")
            .args(["-R", "Makefile", "k8s", "scripts", ".gitattributes"])
            .arg(&tree)
            .current_dir(repository())
            .status();
        assert!(copied.unwrap().success());
        let machine = Self { programs, tree };
        machine.add("uname", "echo Linux");
        machine.add("sleep", "exit 0"); // the stubs need no time
        for (program, script) in scripts {
            machine.add(program, script);
        }
        machine
    }

    /// Makes a script stand for a program. No kubectl may read what its user likes best.
    fn add(&self, program: &str, script: &str) {
        let guard = match program {
            "kubectl" => r#"[ "$KUBERC" = off ] || { echo "KUBERC is '$KUBERC'" >&2; exit 9; }"#,
            _ => "",
        };
        let path = self.programs.path().join(program);
        // It may be a link to the real one, and writing would go through it.
        drop(fs::remove_file(&path));
        fs::write(&path, format!("#!/bin/bash\n{guard}\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What a program wrote beside itself.
    fn written(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.programs.path().join(file)).ok()
    }

    /// Runs a command as in a shell. A script that is called without make has what make gives it.
    fn run(&self, command: &str) -> Answer {
        let given: &[_] = match command.contains("scripts/") {
            true => &[
                ("REGISTRY", "registry.example.com"),
                ("TAG", "7"),
                ("NAMESPACE", "chesterns"),
                ("DOCTOR_TIMEOUT", "20"),
            ],
            false => &[],
        };
        let output = Command::new(self.programs.path().join("bash"))
            .args(["-c", command])
            .current_dir(&self.tree)
            .env_clear()
            .env("PATH", self.programs.path())
            .envs(given.iter().copied())
            .output()
            .unwrap();
        Answer {
            code: output.status.code(),
            printed: String::from_utf8(output.stdout).unwrap(),
            complaint: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// One block of a table: scripts that stand for programs, each after the program's name and an equals sign; then
/// commands, each after a dollar sign and with the lines that are expected of it. Without one, it is the doctor.
/// What follows a # is for the reader.
struct Case<'a> {
    scripts: Vec<(&'a str, &'a str)>,
    commands: Vec<(&'a str, String)>,
}

fn cases(table: &str) -> impl Iterator<Item = Case<'_>> {
    table.trim_end().split("\n\n").map(|block| {
        let lines = block.lines().filter(|line| !line.starts_with("# "));
        let mut lines = lines.peekable();
        let is_name = |name: &str| !name.contains([' ', '$']);
        let is_script = |line: &&str| {
            line.split_once(" = ")
                .is_some_and(|(name, _)| is_name(name))
        };
        let script = || lines.next_if(is_script)?.split_once(" = ");
        let scripts = iter::from_fn(script).collect();
        let mut commands = Vec::new();
        for line in lines {
            match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push((command, String::new())),
                (None, Some((_, expected))) => *expected += &format!("{line}\n"),
                (None, None) => commands.push(("scripts/doctor.sh", format!("{line}\n"))),
            }
        }
        Case { scripts, commands }
    })
}

#[test]
fn scripts_say_what_is_missing_or_wrong_and_what_they_did() {
    for case in cases(include_str!("scripts/said.txt")) {
        let machine = Machine::new(&case.scripts);
        for (command, expected) in case.commands {
            let answer = machine.run(command);
            let code = match &*answer.complaint {
                "" => 0,
                sentence if sentence.ends_with(" --help says how it is used.\n") => 2,
                _ => 1,
            };
            assert_eq!(answer.code, Some(code), "{command}: {answer:?}");
            assert_eq!(answer.printed + &answer.complaint, expected, "{command}");
        }
    }
}

#[test]
fn a_port_that_is_taken_is_named_with_the_variable_that_chooses_another() {
    let free = TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0"));
    let free = free.unwrap().local_addr().unwrap().port(); // nobody has it any more
    for address in ["127.0.0.1:0", "[::1]:0"] {
        // A machine without IPv6 has nothing to take there.
        let Ok(listener) = TcpListener::bind(address) else {
            continue;
        };
        let port = listener.local_addr().unwrap().port();
        let command = format!("ONEAPI_PORT={free} TWOAPI_PORT={port} scripts/run.sh");
        let said = Machine::new(&[]).run(&command).complaint;
        let taken = format!("Port {port} is taken by another program");
        assert!(said.starts_with(&taken), "{said}");
        assert!(said.contains("make run TWOAPI_PORT="), "{said}");
    }
}

/// What a machine and a cluster in good order answer to `make doctor`, as cases of `case`.
const GOOD_DOCKER: &str =
    "version*) echo amd64 ;; info*) echo 2 ;; 'image inspect'*) echo amd64 ;;";
const GOOD_KUBECTL: &str = r#"
    *'config current-context') echo mine ;;
    *'config get-contexts'*) ;;
    *'config view'*) ;;
    *version) printf '%s Version: v1.37.2\n' Client Server ;;
    *'get --raw /readyz') ;;
    *'get nodes'*) echo 'node1|amd64|containerd://2.1.0|True  ||' ;;
    *'get --raw /api/v1/nodes/node1/proxy/metrics') echo 'kubelet_cgroup_version 2' ;;
    *'create --filename -') cat >"$0.namespace" ;;
    *'create --namespace chester-doctor'*) cat >"$0.pod" ;;
    *'get pods --namespace chester-doctor'*) printf 'node1|%s|\n' oneapi twoapi ;;
    *'create --dry-run=server'*) cat >"$0.admission" ;;
    *'top nodes') ;;
    *'get hpa --namespace chesterns'*) ;;
    *'delete namespace chester-doctor'*) echo "$*" >"$0.deleted" ;;
    *) echo "kubectl was not expected to be asked: $*" >&2; exit 1 ;;
"#;

/// A machine and a cluster in good order, except for these: cases that come before the good ones, programs,
/// and programs that are not there.
fn doctor(scripts: &[(&str, &str)]) -> Machine {
    let machine = Machine::new(&[("cargo", "exit 0")]);
    for (program, good) in [("docker", GOOD_DOCKER), ("kubectl", GOOD_KUBECTL)] {
        let special = scripts.iter().filter(|(name, _)| *name == program);
        let special: String = special.map(|(_, cases)| *cases).collect();
        machine.add(program, &format!("case \"$*\" in {special} {good} esac"));
    }
    for (program, script) in scripts {
        if *script == "missing" {
            fs::remove_file(machine.programs.path().join(program)).unwrap();
        } else if *program == "uname" {
            machine.add(program, script);
        }
    }
    machine
}

#[test]
fn doctor_finds_nothing_where_all_is_well_and_leaves_nothing_behind() {
    let machine = doctor(&[]);
    let answer = machine.run("scripts/doctor.sh");
    assert_eq!((answer.code, &*answer.complaint), (Some(0), ""));
    assert!(
        answer.printed.ends_with("\n\nProblems: 0. Warnings: 0.\n"),
        "{answer:?}"
    );
    assert!(answer.printed.matches("ok  ").count() >= 8, "{answer:?}");

    let pods = ["pod", "admission"].map(|it| machine.written(&format!("kubectl.{it}")).unwrap());
    for (pod, expected) in [
        (&pods[0], "\n  name: node1\n"), // not the pod of a learner
        (&pods[0], "\nspec:\n  nodeName: node1\n"),
        (&pods[0], " image: registry.example.com/twoapi:7\n"),
        (&pods[1], "\n  name: chester-doctor\n"),
    ] {
        assert!(pod.contains(expected), "{pod}");
    }
    assert!(!pods[1].contains("nodeName"), "any node is good enough");
    let resources = [0, 1].map(|pod| pods[pod].contains("resources:"));
    assert_eq!(resources, [false, true], "a full node takes it too");
    let namespace = machine.written("kubectl.namespace").unwrap();
    let name = namespace
        .lines()
        .find_map(|line| line.strip_prefix("  name: "));
    let deleted = machine.written("kubectl.deleted").unwrap();
    assert!(deleted.contains(name.unwrap()), "{deleted}");
}

#[test]
fn doctor_deletes_its_namespace_when_it_is_interrupted_and_none_that_it_has_not_made() {
    let interrupted = "*'config get-contexts'*) echo $PPID >\"$0.pid\" ;;
        *'get pods'*) kill -TERM $(cat \"$0.pid\") ;;";
    let refused = "*'create --filename -') echo no >&2; exit 1 ;;";
    for (kubectl, code, deletes) in [(interrupted, 130, true), (refused, 3, false)] {
        let machine = doctor(&[("kubectl", kubectl)]);
        assert_eq!(machine.run("scripts/doctor.sh").code, Some(code));
        let deleted = machine.written("kubectl.deleted").unwrap_or_default();
        assert_eq!(
            deleted.contains("delete namespace chester-doctor-"),
            deletes
        );
    }
}

#[test]
fn doctor_says_what_is_wrong_what_helps_and_where_to_read_more() {
    let page = fs::read_to_string(repository().join("docs/troubleshooting.md")).unwrap();
    let anchor = |heading: &str| {
        let kept = |letter: &char| letter.is_alphanumeric() || [' ', '-'].contains(letter);
        let words: String = heading.to_lowercase().chars().filter(kept).collect();
        words.replace(' ', "-")
    };
    let headings = page.lines().filter_map(|line| line.strip_prefix("## "));
    let anchors: Vec<String> = headings.map(anchor).collect();
    for case in cases(include_str!("scripts/doctor.txt")) {
        let machine = doctor(&case.scripts);
        for (command, expected) in case.commands {
            let Answer {
                code,
                printed,
                complaint,
            } = machine.run(command);
            let (lines, end) = printed.split_once("\n\n").unwrap();
            let said = lines.lines().filter(|line| !line.starts_with("ok  "));
            let said: String = said.map(|line| format!("{line}\n")).collect();
            assert_eq!((&*said, &*complaint), (&*expected, ""));

            let count = |kind: &str| expected.lines().filter(|it| it.starts_with(kind)).count();
            let [problems, warnings, unseen] = ["problem ", "warning ", "unseen "].map(count);
            let expected_code = match (problems, unseen) {
                (0, 0) => 0,
                (0, _) => 3,
                _ => 1,
            };
            let mut counts = format!("Problems: {problems}. Warnings: {warnings}.");
            if unseen > 0 {
                counts += &format!(
                    " Could not be looked at: {unseen}. The exit code is {expected_code}."
                );
            }
            counts += "\n";
            assert_eq!((code, end), (Some(expected_code), &*counts), "{printed}");
            for line in expected.lines() {
                if let Some((_, anchor)) = line.split_once("See docs/troubleshooting.md#") {
                    assert!(anchors.iter().any(|known| known == anchor), "{anchor}");
                } else if let Some(command) = line.strip_prefix("            ") {
                    let quoted = command.replace('\'', r"'\''");
                    let parsed = machine.run(&format!("sh -n -c '{quoted}'"));
                    assert_eq!(parsed.code, Some(0), "{command}");
                    assert!(!command.contains(" #"), "{command}");
                }
            }
        }
    }
}
