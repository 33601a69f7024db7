//! What the Makefile's scripts say. Programs such as docker and kubectl are replaced by scripts of a few
//! words, so that nothing of this machine is used or changed.

#![allow(clippy::unwrap_used)] // a test may

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// What a command ends with, prints, and complains about.
#[derive(Debug)]
struct Answer {
    code: Option<i32>,
    printed: String,
    complaint: String,
}

/// A folder with the only programs that a script finds, which is deleted afterwards.
struct Programs(PathBuf);

impl Programs {
    fn new(scripts: &[(&str, &str)]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!(
            "scripts-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        ));
        fs::create_dir_all(&folder).unwrap();
        for program in [
            "awk", "bash", "cat", "cmp", "cp", "dirname", "find", "grep", "make", "mkdir",
            "mktemp", "rm", "sed", "sh", "sort", "tail",
        ] {
            let real = ["/bin", "/usr/bin"]
                .map(|folder| Path::new(folder).join(program))
                .into_iter()
                .find(|path| path.exists())
                .expect("it is part of every system");
            std::os::unix::fs::symlink(real, folder.join(program)).unwrap();
        }
        let programs = Self(folder);
        programs.add("uname", "echo Linux");
        programs.add("sleep", "exit 0"); // the stubs need no time
        for (program, script) in scripts {
            programs.add(program, script);
        }
        programs
    }

    fn add(&self, program: &str, script: &str) {
        let path = self.0.join(program);
        // It may be a link to the real one, and writing would go through it.
        drop(fs::remove_file(&path));
        fs::write(&path, format!("#!/bin/bash\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What a program wrote beside itself.
    fn written(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).unwrap()
    }

    /// Runs a program in a folder of the repository, or of a copy.
    fn run(&self, folder: &Path, words: &[&str], environment: &[(&str, &str)]) -> Answer {
        let output = Command::new(self.0.join(words[0]))
            .args(&words[1..])
            .current_dir(folder)
            .env_clear()
            .env("PATH", &self.0)
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        Answer {
            code: output.status.code(),
            printed: String::from_utf8(output.stdout).unwrap(),
            complaint: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a script, with words separated by blanks.
    fn script(&self, command: &str, environment: &[(&str, &str)]) -> Answer {
        let mut words = vec!["bash"];
        words.extend(command.split_whitespace());
        let mut all = vec![
            ("REGISTRY", "registry.example.com"),
            ("TAG", "7"),
            ("NAMESPACE", "chesterns"),
            ("DOCTOR_TIMEOUT", "20"),
        ];
        all.extend_from_slice(environment);
        self.run(&repository().join("scripts"), &words, &all)
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
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
        let copied = Command::new("cp")
            .args(["-R", "Makefile", "k8s", "scripts"])
            .arg(&folder)
            .current_dir(repository())
            .status();
        assert!(copied.unwrap().success());
        // Whatever the repository's own files name: the tests need a known beginning.
        let tree = Self { programs, folder };
        tree.make(&["use", "REGISTRY=localhost:5005", "TAG=1.0"], &[]);
        tree
    }

    /// Runs make; returns what it prints if it ends well, else what it complains about.
    fn try_make(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Result<String, String> {
        let words = [&["make"], arguments].concat();
        let answer = self.programs.run(&self.folder, &words, environment);
        if answer.code == Some(0) {
            assert_eq!(answer.complaint, "", "nothing to complain about");
            Ok(answer.printed)
        } else {
            Err(answer.complaint)
        }
    }

    fn make(&self, arguments: &[&str], environment: &[(&str, &str)]) -> String {
        self.try_make(arguments, environment).unwrap()
    }

    /// The names of all images in the files of k8s, each once.
    fn images(&self) -> Vec<String> {
        let files = Command::new("grep")
            .args(["-rhoE", "image: .*", "k8s"])
            .current_dir(&self.folder)
            .output()
            .unwrap();
        let text = String::from_utf8(files.stdout).unwrap();
        let names = text.lines().map(|line| line.replace("image: ", ""));
        // A name that no image can have, for the lesson that shows what becomes of it.
        let mut names: Vec<_> = names.filter(|name| name != "OneAPI:1.0").collect();
        names.sort();
        names.dedup();
        names
    }
}

/// One block of a table. A line is a command after a dollar sign, or the script that stands for a program
/// after its name and an equals sign, or a variable in capital letters, or the exit code after these two words;
/// the others are expected.
#[derive(Default)]
struct Case<'a> {
    command: &'a str,
    scripts: Vec<(&'a str, &'a str)>,
    environment: Vec<(&'a str, &'a str)>,
    code: Option<i32>,
    expected: String,
}

fn cases(table: &str) -> impl Iterator<Item = Case<'_>> {
    let is = |text: &str, letters: fn(&char) -> bool| text.chars().all(|letter| letters(&letter));
    table.trim_matches('\n').split("\n\n").map(move |block| {
        let mut case = Case::default();
        for line in block.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                case.command = command;
            } else if let Some(code) = line.strip_prefix("exit code ") {
                case.code = Some(code.parse().unwrap());
            } else if let Some((name, script)) = line.split_once(" = ")
                && is(name, |letter| matches!(letter, 'a'..='z' | '0'..='9'))
            {
                case.scripts.push((name, script));
            } else if let Some((name, value)) = line.split_once('=')
                && is(name, |letter| letter.is_ascii_uppercase() || *letter == '_')
            {
                case.environment.push((name, value));
            } else {
                case.expected += line;
                case.expected += "\n";
            }
        }
        case
    })
}

/// A port that nobody has.
fn free_port() -> String {
    let listener = TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0"));
    listener.unwrap().local_addr().unwrap().port().to_string()
}

#[test]
fn scripts_say_what_is_missing_or_wrong_and_what_they_did() {
    for case in cases(include_str!("scripts/said.txt")) {
        let answer = Programs::new(&case.scripts).script(case.command, &case.environment);
        let code = case.code.unwrap_or(i32::from(!answer.complaint.is_empty()));
        assert_eq!(answer.code, Some(code), "{}: {answer:?}", case.command);
        let said = answer.printed + &answer.complaint;
        assert_eq!(said, case.expected, "{}", case.command);
    }
}

#[test]
fn a_port_that_is_taken_is_named_with_the_variable_that_chooses_another() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        // A machine without IPv6 has nothing to take there.
        let Ok(listener) = TcpListener::bind(address) else {
            continue;
        };
        let port = listener.local_addr().unwrap().port().to_string();
        let environment = [("ONEAPI_PORT", &*free_port()), ("TWOAPI_PORT", &port)];
        let said = Programs::new(&[]).script("run.sh", &environment).complaint;
        let taken = format!("Port {port} is taken by another program");
        assert!(said.starts_with(&taken), "{said}");
        assert!(said.contains("make run TWOAPI_PORT="), "{said}");
    }
}

/// The names that an image can have before its last part.
const REGISTRIES: [&str; 5] = [
    "registry.example.com:5000/team/x",
    "localhost:5006",
    "docker.io/somebody",
    "team",
    "10.0.0.7:5000/oneapi/twoapi",
];

#[test]
fn a_registry_and_a_tag_that_are_chosen_once_are_in_all_files_and_are_all_verbs_defaults() {
    // Prints the overlay where the real one would apply it.
    let kubectl = "case $* in
        *current-context*) echo mine ;;
        *'apply -k '*) cat \"${*: -1}/kustomization.yaml\" ;;
    esac";
    let tree = Tree::new(Programs::new(&[("kubectl", kubectl)]));
    for registry in REGISTRIES {
        let said = tree.make(&["use", &format!("REGISTRY={registry}"), "TAG=7.8"], &[]);
        let [oneapi, twoapi] = ["oneapi", "twoapi"].map(|it| format!("{registry}/{it}:7.8"));
        let end = format!(" files in k8s name {oneapi} and {twoapi} now.\n");
        assert!(said.ends_with(&end), "{said}");
        let nobodys = format!("{registry}/oneapi:none");
        assert_eq!(tree.images(), [oneapi, nobodys, twoapi]);
        let again = tree.make(&["use"], &[]);
        assert!(again.ends_with(" already.\n"), "{again}");

        assert_eq!(tree.make(&["registry"], &[]), format!("{registry}\n"));
        let image = tree.make(&["--dry-run", "image"], &[]);
        assert!(
            image.contains(&format!("'{registry}'/$service:'7.8'")),
            "{image}"
        );
        for (choice, used) in [
            (&[][..], format!("\"{registry}/oneapi\", newTag: \"7.8\"")),
            (
                &["REGISTRY=b.example:1/c", "TAG=9"],
                "\"b.example:1/c/oneapi\", newTag: \"9\"".to_owned(),
            ),
        ] {
            let overlay = tree.make(&[&["deploy"], choice].concat(), &[]);
            let line = format!("  - {{ name: \"{registry}/oneapi\", newName: {used} }}\n");
            assert!(overlay.contains(&line), "{overlay}");
        }
    }
    // One of the two alone leaves the other as it is.
    tree.make(&["use", "TAG=9"], &[]);
    assert_eq!(tree.images()[0], "10.0.0.7:5000/oneapi/twoapi/oneapi:9");
    // The command comes before the environment, which comes before the files.
    let environment = [("REGISTRY", "there.example/x")];
    assert_eq!(tree.make(&["registry"], &environment), "there.example/x\n");
    assert_eq!(
        tree.make(&["registry", "REGISTRY=here"], &environment),
        "here\n"
    );
    let unset = tree.make(&["registry"], &[("REGISTRY", "")]);
    assert_eq!(unset, "10.0.0.7:5000/oneapi/twoapi\n");
    tree.make(&["use"], &environment);
    assert_eq!(tree.images()[0], "there.example/x/oneapi:9");
}

#[test]
fn a_name_that_no_image_can_have_is_neither_written_nor_built_nor_deployed() {
    let asked = "echo \"$0 was asked\" >&2";
    let tree = Tree::new(Programs::new(&[("docker", asked), ("kubectl", asked)]));
    let before = tree.images();
    let wrong = |variable: &str, value: &str, verbs: &[&str]| {
        for verb in verbs {
            let error = tree.try_make(&[verb, &format!("{variable}={value}")], &[]);
            let said = format!("{variable} can't be \"{value}\": ");
            assert!(
                error.as_ref().is_err_and(|it| it.starts_with(&said)),
                "{verb}: {error:?}"
            );
        }
    };
    for registry in [
        "https://registry.example.com",
        "registry.example.com/",
        "registry.example.com/Team",
        "a b",
        "x&y",
        "x#y",
        "x:port",
        "x//y",
        "-x",
        "it's",
        "é",
    ] {
        wrong("REGISTRY", registry, &["use", "image", "deploy"]);
    }
    for tag in [
        ".1",
        "-1",
        "a b",
        "1:2",
        "x/y",
        "1&2",
        "none",
        &"x".repeat(129),
    ] {
        wrong("TAG", tag, &["use", "image", "deploy"]);
    }
    wrong("REGISTRY", "", &["use"]);
    wrong("TAG", "", &["use"]);
    assert_eq!(tree.images(), before);
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
fn a_clone_with_windows_line_ends_has_scripts_that_work() {
    let tree = Tree::new(Programs::new(&[]));
    let image = "page-update-light-en.png";
    for (from, to) in [
        (".gitattributes", ".gitattributes"),
        (&*format!("docs/images/{image}"), image),
    ] {
        fs::copy(repository().join(from), tree.folder.join(to)).unwrap();
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
fn doctor(scripts: &[(&str, &str)]) -> Programs {
    let programs = Programs::new(&[("cargo", "exit 0")]);
    for (program, good) in [("docker", GOOD_DOCKER), ("kubectl", GOOD_KUBECTL)] {
        let special = scripts.iter().filter(|(name, _)| *name == program);
        let special: String = special.map(|(_, cases)| *cases).collect();
        programs.add(program, &format!("case \"$*\" in {special} {good} esac"));
    }
    for (program, script) in scripts {
        if *script == "missing" {
            fs::remove_file(programs.0.join(program)).unwrap();
        } else if *program == "uname" {
            programs.add(program, script);
        }
    }
    programs
}

#[test]
fn doctor_finds_nothing_where_all_is_well_and_leaves_nothing_behind() {
    let programs = doctor(&[]);
    let answer = programs.script("doctor.sh", &[]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert_eq!(answer.complaint, "");
    let (lines, end) = answer.printed.split_once("\n\n").unwrap();
    assert!(lines.lines().count() >= 8, "{lines}");
    assert!(
        lines.lines().all(|line| line.starts_with("ok  ")),
        "{lines}"
    );
    assert_eq!(end, "Findings: 0.\n");

    let pod = programs.written("kubectl.pod");
    assert!(
        pod.contains("\n  name: node1\n"),
        "not the pod of a learner"
    );
    assert!(pod.contains("\nspec:\n  nodeName: node1\n"), "{pod}");
    assert!(
        pod.contains(" image: registry.example.com/twoapi:7\n"),
        "{pod}"
    );
    let pod = programs.written("kubectl.admission");
    assert!(pod.contains("\n  name: chester-doctor\n"), "{pod}");
    assert!(!pod.contains("nodeName"), "any node is good enough: {pod}");
    let namespace = programs.written("kubectl.namespace");
    let (_, name) = namespace.split_once("\n  name: ").unwrap();
    let name = name.lines().next().unwrap();
    assert!(programs.written("kubectl.deleted").contains(name), "{name}");
}

#[test]
fn doctor_leaves_nothing_behind_when_it_is_interrupted() {
    let programs = doctor(&[(
        "kubectl",
        "*'config get-contexts'*) echo $PPID >\"$0.pid\" ;; *'get pods'*) kill -TERM $(cat \"$0.pid\") ;;",
    )]);
    let answer = programs.script("doctor.sh", &[]);
    assert_eq!(answer.code, Some(130), "{answer:?}");
    let deleted = programs.written("kubectl.deleted");
    assert!(
        deleted.contains("delete namespace chester-doctor-"),
        "{deleted}"
    );
}

#[test]
fn doctor_deletes_no_namespace_that_it_has_not_made() {
    let refused = "*'create --filename -') echo no >&2; exit 1 ;;";
    let programs = doctor(&[("kubectl", refused)]);
    programs.script("doctor.sh", &[]);
    assert!(!programs.0.join("kubectl.deleted").exists());
}

#[test]
fn doctor_counts_what_it_could_not_look_at() {
    let refused = "*'get nodes'* | *'get hpa'*) echo no >&2; exit 1 ;;";
    let printed = doctor(&[("kubectl", refused)])
        .script("doctor.sh", &[])
        .printed;
    let end = "\nFindings: 0; 2 things could not be looked at.\n";
    assert!(printed.ends_with(end), "{printed}");
}

#[test]
fn doctor_says_what_is_wrong_what_helps_and_where_to_read_more() {
    let page = fs::read_to_string(repository().join("docs/troubleshooting.md")).unwrap();
    let anchors: Vec<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|heading| {
            let kept = |letter: &char| letter.is_alphanumeric() || [' ', '-'].contains(letter);
            let words: String = heading.to_lowercase().chars().filter(kept).collect();
            words.replace(' ', "-")
        })
        .collect();
    for case in cases(include_str!("scripts/doctor.txt")) {
        let programs = doctor(&case.scripts);
        let Answer {
            code,
            printed,
            complaint,
        } = programs.script("doctor.sh", &case.environment);
        let (findings, end) = if case.expected.starts_with("unseen") {
            (0, "0; 1 thing could not be looked at")
        } else {
            (1, "1")
        };
        assert!(
            printed.contains(&case.expected),
            "{}{printed}",
            case.expected
        );
        assert!(
            printed.ends_with(&format!("\nFindings: {end}.\n")),
            "{printed}"
        );
        assert_eq!((code, &*complaint), (Some(findings), ""), "{printed}");
        for line in case.expected.lines() {
            if let Some((_, anchor)) = line.split_once("See docs/troubleshooting.md#") {
                assert!(anchors.iter().any(|known| known == anchor), "{anchor}");
            } else if let Some(command) = line.strip_prefix("            ") {
                let parsed = programs.run(&repository(), &["sh", "-n", "-c", command], &[]);
                assert_eq!(parsed.code, Some(0), "{command}");
                assert!(!command.contains(" #"), "{command}");
            }
        }
    }
}

#[test]
fn an_error_of_the_pod_is_told_in_the_pods_own_words() {
    let script = r#"echo 'I1125 13:40:45.414941       1 helpers.go:246] server response object: %s[{
  "message": "the server rejected our request for an unknown reason",
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
exit 1"#;
    let question = "ask.sh PUT pods/a:5000/faults/liveness?mode=x";
    assert_eq!(
        Programs::new(&[("kubectl", script)])
            .script(question, &[])
            .complaint,
        "pods/a:5000/faults/liveness?mode=x answered 400: \"mode\" cannot be <\\x>: it is fail\n"
    );
}
