//! Runs the program itself over small trees, with a script in kubectl's place that writes down what
//! it was asked for.

#![allow(clippy::unwrap_used)] // a test may

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Answers as a cluster of one node does; a namespace that a document makes is listed afterwards.
const KUBECTL: &str = r#"#!/bin/bash
echo "$*" >>"$CALLS"
case $* in
  'config view'*) echo 'apiVersion: v1' ;;
  *'get nodes'*) echo vm ;;
  *'get serviceaccount'*)
    if [ "$(grep -c 'get serviceaccount' "$CALLS")" -gt 1 ]; then echo serviceaccount/default; fi ;;
  *'get pods --output=wide --namespace docs-'*) echo 'NAME'; echo 'a-pod on vm' ;;
  *'get namespaces -o jsonpath'*) sed -n 's/^create namespace \(chesterns.*\)/\1 /p' "$CALLS" ;;
esac
"#;

struct Tree(TempDir);

impl Tree {
    fn new(documents: &[(&str, &str)]) -> Self {
        let root = TempDir::new().unwrap();
        fs::create_dir_all(root.path().join("docs")).unwrap();
        fs::create_dir(root.path().join("programs")).unwrap();
        let kubectl = root.path().join("programs/kubectl");
        fs::write(&kubectl, KUBECTL).unwrap();
        fs::set_permissions(&kubectl, fs::Permissions::from_mode(0o755)).unwrap();
        for (path, text) in documents {
            fs::write(root.path().join(path), text).unwrap();
        }
        Self(root)
    }

    fn program(&self, variables: &[(&str, &str)]) -> Command {
        let path = std::env::var("PATH").unwrap();
        let programs = self.0.path().join("programs");
        let mut command = Command::new(env!("CARGO_BIN_EXE_documents"));
        command
            .arg(self.0.path())
            .env("PATH", format!("{}:{path}", programs.display()))
            .env("CALLS", self.calls())
            .env_remove("DOCUMENTS")
            .env_remove("BLESS")
            .env_remove("CONTEXT")
            .env_remove("TRIES")
            .env("REGISTRY", "registry.example.com")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, variables: &[(&str, &str)]) -> (bool, String) {
        finished(&self.program(variables).output().unwrap())
    }

    fn calls(&self) -> std::path::PathBuf {
        self.0.path().join("calls")
    }

    /// The calls of kubectl with these words.
    fn asked(&self, words: &str) -> Vec<String> {
        let calls = fs::read_to_string(self.calls()).unwrap_or_default();
        let calls = calls.lines().filter(|call| call.contains(words));
        calls.map(str::to_owned).collect()
    }
}

fn finished(output: &Output) -> (bool, String) {
    assert_eq!(output.status.signal(), None);
    let text = [&output.stdout[..], &output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

fn page(code: &str) -> String {
    format!("# A page\n\n```sh\n{code}\n```\n")
}

#[test]
fn the_documents_in_english_are_run_and_a_table_says_what_became_of_each() {
    let tree = Tree::new(&[
        ("README.md", &page("true")),
        ("docs/cpu.md", &page("false")),
        ("docs/cpu.zh-CN.md", &page("exit 1")),
        ("docs/words.md", "# Words only\n"),
    ]);
    let (passed, text) = tree.run(&[]);
    assert!(!passed);
    assert!(text.contains("docs/cpu.md:3: The exit code is 1"), "{text}");
    let row = |path: &str| {
        let mut rows = text.lines().filter(|line| line.starts_with(path));
        rows.next_back().map(str::to_owned).unwrap_or_default()
    };
    assert!(row("README.md ").ends_with("ok"), "{text}");
    assert!(
        text.contains("    a-pod on node1\n"),
        "the state is shown: {text}"
    );
    assert!(
        row("docs/cpu.md ").contains("failed: docs/cpu.md:3"),
        "{text}"
    );
    assert!(
        text.ends_with(" s\n") && text.contains("2 documents, 1 failed, 0 not begun"),
        "{text}"
    );
}

#[test]
fn a_document_that_fails_is_tried_again_as_often_as_is_allowed_and_the_table_says_so() {
    // Fails unless it has been here before.
    let late =
        "there=\"${CALLS%calls}there\"; if ! [ -e \"$there\" ]; then touch \"$there\"; false; fi";
    let documents = [
        ("docs/cpu.md", &*page(late)),
        ("docs/stopping.md", &*page("false")),
    ];
    let (passed, text) = Tree::new(&documents).run(&[("TRIES", "2")]);
    assert!(!passed);
    let ends = |end: &str| text.lines().any(|line| line.ends_with(end));
    let why = "The exit code is 1, and 0 is expected.";
    assert!(
        ends(&format!("  ok at another try, after docs/cpu.md:3: {why}")),
        "{text}"
    );
    let twice = format!("docs/stopping.md:3: {why}; docs/stopping.md:3: {why}");
    assert!(ends(&format!("  failed: {twice}")), "{text}");
    assert!(
        text.contains("2 documents, 1 failed, 0 not begun"),
        "{text}"
    );

    let (passed, text) = Tree::new(&documents[..1]).run(&[]);
    assert!(!passed, "one try is the default: {text}");
    let (_, text) = Tree::new(&documents).run(&[("TRIES", "many")]);
    assert_eq!(text, "TRIES is a number from 1 to 5, and not \"many\".\n");
}

/// DOCUMENTS, BLESS, whether it passes, how many namespaces are made, what is said, and docs/cpu.md.
const CHOICES: &str = r#"
 | | true | 0 | docs/cpu.md:2 is left out: a build | <!-- not run: a build -->⏎```sh⏎make⏎```
 | | false | 0 | docs/cpu.md:1: "exti 1" is none of: exit N | <!-- exti 1 -->⏎```sh⏎touch run⏎```
nothing | | false | 0 | contains any of: nothing. The documents: cpu, stopping. | ```sh⏎true⏎```
cp page | | true | 1 | 1 documents, 0 failed, 0 not begun | ```sh⏎true⏎```
cp page | | false | 1 | The output is not the one in the document. | ```sh⏎echo a⏎```⏎```text⏎```
cp page | 1 | true | 1 | docs/cpu.md:4: wrote what was seen. | ```sh⏎echo a⏎```⏎```text⏎```
"#;

#[test]
fn words_and_comments_choose_what_is_run() {
    for case in CHOICES.lines().skip(1) {
        let [words, bless, passes, namespaces, said, code] =
            case.split('|').map(str::trim).collect::<Vec<_>>()[..]
        else {
            panic!("six parts: {case}");
        };
        let code = code.replace('⏎', "\n");
        let stopping = "<!-- not run: slow -->\n```sh\nfalse\n```\n";
        let tree = Tree::new(&[("docs/cpu.md", &code), ("docs/stopping.md", stopping)]);
        let (passed, text) = tree.run(&[("DOCUMENTS", words), ("BLESS", bless)]);
        assert_eq!(passed.to_string(), passes, "{text}");
        assert!(text.contains(said), "{said}: {text}");
        let made = tree.asked("create namespace").len();
        assert_eq!(made.to_string(), namespaces, "{text}");
    }
}

#[test]
fn each_document_has_a_labelled_namespace_which_is_deleted_with_those_it_made() {
    for code in [
        "kubectl create namespace chesterns",
        "kubectl create namespace chesterns; false",
    ] {
        let tree = Tree::new(&[("docs/cpu.md", &page(code))]);
        let (passed, text) = tree.run(&[]);
        assert!(!passed, "what it made is left behind: {text}");
        let left = text.contains("At its end it leaves behind: Namespace/chesterns.");
        assert_ne!(left, code.ends_with("false"), "{text}");
        let tries = tree
            .asked("get serviceaccount default --namespace docs-cpu-")
            .len();
        assert_eq!(tries, 2, "it waits for the account");
        let made = tree.asked("create namespace docs-cpu-");
        let name = made[0].rsplit(' ').next().unwrap();
        let own = name.replace("docs-", "chesterns-");
        assert!(
            text.contains(&format!("cpu: namespaces {name} and {own}")),
            "{text}"
        );
        assert_eq!(
            tree.asked(&format!("label namespace {name} chesterapi-document=cpu"))
                .len(),
            1
        );
        let deleted = tree.asked("delete namespaces --wait=false");
        assert!(
            deleted[0].ends_with(&format!("{own} {name}")),
            "{deleted:?}"
        );
    }
}

#[test]
fn an_interruption_deletes_the_namespaces() {
    let tree = Tree::new(&[(
        "docs/cpu.md",
        &page("touch \"${CALLS%calls}/begun\"; sleep 25"),
    )]);
    let child = tree.program(&[]).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !Path::new(&tree.0.path().join("begun")).exists() {
        assert!(Instant::now() < deadline, "the block has not begun");
        std::thread::yield_now();
    }
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    let (passed, text) = finished(&output);
    assert!(!passed);
    assert!(text.contains("It was interrupted."), "{text}");
    assert_eq!(
        tree.asked("delete namespaces --wait=false").len(),
        1,
        "{text}"
    );
}
