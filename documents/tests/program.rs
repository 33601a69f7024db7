//! Runs the program itself over small trees: documents that are right, and ones that fail in each way there
//! is. A script in kubectl's place writes down what it was asked for.

#![allow(clippy::unwrap_used)] // a test may

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    process::{Command, Output, Stdio},
};

use cluster::wait::{SOON, until};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Answers as a cluster of one node does; a namespace that a document makes is listed afterwards.
const KUBECTL: &str = r#"#!/bin/bash
echo "$*" >>"$CALLS"
case $* in
  'config view'*) echo 'apiVersion: v1' ;;
  *'get nodes'*) echo vm ;;
  *'get serviceaccount'*)
    if [ "$(grep -c 'get serviceaccount' "$CALLS")" -gt 1 ]; then echo serviceaccount/default; fi ;;
  '-n docs-'*' get pods -o wide') echo 'NAME'; echo 'a-pod on vm' ;;
  *'get namespaces '*) sed -n 's/^create namespace \(chesterns.*\)/Namespace\/\1 /p' "$CALLS" ;;
esac
"#;

struct Tree(TempDir);

impl Tree {
    fn new(documents: &[(&str, &str)]) -> Self {
        let root = TempDir::new().unwrap();
        fs::create_dir(root.path().join("programs")).unwrap();
        fs::create_dir(root.path().join("target")).unwrap();
        let kubectl = root.path().join("programs/kubectl");
        fs::write(&kubectl, KUBECTL).unwrap();
        fs::set_permissions(&kubectl, fs::Permissions::from_mode(0o755)).unwrap();
        let tree = Self(root);
        for (path, text) in documents {
            tree.write(path, text);
        }
        tree
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.0.path().join(path)).unwrap()
    }

    fn program(&self, variables: &[(&str, &str)]) -> Command {
        let path = std::env::var("PATH").unwrap();
        let programs = self.0.path().join("programs");
        let mut command = Command::new(env!("CARGO_BIN_EXE_documents"));
        command
            .arg(self.0.path())
            .env("PATH", format!("{}:{path}", programs.display()))
            .env("CALLS", self.calls())
            // It waits for no run on a real cluster. What is in `target` is no part of the tree.
            .env("TMPDIR", self.0.path().join("target"))
            .envs(["DOCUMENTS", "BLESS", "CONTEXT", "TRIES"].map(|name| (name, "")))
            .env_remove("MAY_SKIP")
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

#[track_caller]
fn says(text: &str, words: &str) {
    assert!(text.contains(words), "{words} isn't in: {text}");
}

fn page(code: &str) -> String {
    format!("# A page\n\n```sh\n{code}\n```\n")
}

#[test]
fn the_documents_in_english_are_run_and_a_table_says_what_became_of_each_at_all_tries() {
    // Fails unless it has been here before.
    let late = "there=${CALLS%calls}there; if ! [ -e $there ]; then touch $there; false; fi";
    let tree = Tree::new(&[
        ("README.md", &page("true")),
        ("docs/cpu.md", &page(late)),
        ("docs/cpu.zh-CN.md", &page("exit 1")),
        ("docs/stopping.md", &page("false")),
        ("docs/words.md", "# Words only\n"),
    ]);
    let (passed, text) = tree.run(&[("TRIES", "2")]);
    assert!(!passed);
    says(&text, "docs/cpu.md:3: The exit code is 1");
    says(&text, "    a-pod on node1\n");
    let row = |path: &str| text.lines().rfind(|line| line.starts_with(path)).unwrap();
    assert!(row("README.md ").ends_with("  ok"), "{text}");
    let why = "The exit code is 1, and 0 is expected.";
    let late = format!("  ok at another try, after docs/cpu.md:3: {why}");
    assert!(row("docs/cpu.md ").ends_with(&late), "{text}");
    let twice = format!("  failed: docs/stopping.md:3: {why}; docs/stopping.md:3: {why}");
    assert!(row("docs/stopping.md ").ends_with(&twice), "{text}");
    says(&text, "\n3 documents, 1 failed, 0 not begun, in ");

    let (_, text) = tree.run(&[]);
    assert!(!text.contains("alone"), "one try is the default: {text}");
    let (_, text) = tree.run(&[("TRIES", "0")]);
    assert_eq!(text, "TRIES is a whole number from 1, and not \"0\".\n");
}

/// DOCUMENTS, whether it passes, how many namespaces are made, what is said, and docs/cpu.md.
const CHOICES: &str = r#"
 | true | 0 | docs/cpu.md:2 is left out: a build | <!-- not run: a build -->⏎```sh⏎make⏎```
 | false | 0 | docs/cpu.md:1: "exti 1" is none of: exit N | <!-- exti 1 -->⏎```sh⏎touch run⏎```
nothing | false | 0 | contains any of: nothing. The documents: cpu, stopping. | ```sh⏎true⏎```
cp page | true | 1 | 1 documents, 0 failed, 0 not begun | ```sh⏎true⏎```
"#;

#[test]
fn words_and_comments_choose_what_is_run() {
    for case in CHOICES.lines().skip(1) {
        let parts: Vec<_> = case.split('|').map(str::trim).collect();
        let [words, passes, namespaces, said, code] = parts[..] else {
            panic!("five parts: {case}");
        };
        let code = code.replace('⏎', "\n");
        let stopping = "<!-- not run: slow -->\n```sh\nfalse\n```\n";
        let tree = Tree::new(&[("docs/cpu.md", &code), ("docs/stopping.md", stopping)]);
        let (passed, text) = tree.run(&[("DOCUMENTS", words)]);
        assert_eq!(passed.to_string(), passes, "{text}");
        says(&text, said);
        let made = tree.asked("create namespace").len();
        assert_eq!(made.to_string(), namespaces, "{text}");
    }
}

/// MAY_SKIP, whether that passes, and what is said.
const SKIPS: &str = "
none | true | docs/page.md:7 is skipped: It needs x to be 2.
page | true | docs/page.md:7 is skipped: It needs x to be 2.
pages stopping | false | docs/page.md:7 is skipped, and MAY_SKIP doesn't name page: It needs x to be 2.
";

#[test]
fn a_section_is_skipped_where_the_command_fails_that_says_what_it_needs() {
    let section = |x, code: &str| {
        format!(
            "## A section\n<!-- needs x to be {x}: echo no; [ $x = {x} ] -->\n```sh\n{code}\n```\n"
        )
    };
    let (skipped, run) = (section(2, "false"), section(1, "[ $x = 1 ]"));
    let page = format!("# A page\n\n```sh\nx=1\n```\n{skipped}{run}");
    let tree = Tree::new(&[("docs/page.md", &page)]);
    for case in SKIPS.trim().lines() {
        let [may_skip, passes, said] = case.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("three parts: {case}");
        };
        let variables = [("MAY_SKIP", may_skip)];
        let variables = &variables[usize::from(may_skip == "none")..];
        let (passed, text) = tree.run(variables);
        assert_eq!(passed.to_string(), passes, "{text}");
        assert_eq!(text.matches(" is skipped").count(), 1, "{text}");
        says(&text, &format!("\n{said}\n"));
        let row = text.lines().find(|line| line.starts_with("docs/page.md  "));
        let result = if passed { "ok" } else { "failed" };
        let result = format!("  {result}, 1 skipped");
        assert!(row.unwrap().ends_with(&result), "{text}");
    }
}

/// What is right, and the document, in which `⏎` ends a line.
const RIGHT: &str = r#"
variables-and-functions-last | ```sh⏎x=1⏎export Y=2⏎f() { echo "f $1"; }⏎```⏎```sh⏎f $x; bash -c 'echo $Y'⏎```⏎```text⏎f 1⏎2⏎```
it-runs-in-the-copy | ```sh⏎touch new; ls -d docs new⏎```⏎```text⏎docs⏎new⏎```
errors-and-output-come-in-order | ```sh⏎echo a; echo b >&2; echo c; echo d >&2⏎```⏎```text⏎a⏎b⏎c⏎d⏎```
name | ```sh⏎for n in chesterns; do echo "$n ${n#chesterns-name-}" | wc -w; echo "$n"; done⏎```⏎```text⏎2⏎chesterns⏎```
an-output-without-a-newline | ```sh⏎printf a⏎```⏎```text⏎a⏎```
no-output | ```sh⏎true⏎```⏎```text⏎```
no-input | ```sh⏎cat⏎```⏎```text⏎```
the-shell-goes-on-after-an-exit-code | ```sh⏎x=1⏎```⏎<!-- exit 1 -->⏎```sh⏎false⏎```⏎```sh⏎echo $x⏎```⏎```text⏎1⏎```
handled-failures | ```sh⏎false || true⏎if false; then echo no; fi⏎! true || true⏎while false; do :; done⏎! false | cat⏎echo after⏎```⏎```text⏎after⏎```
jobs-that-are-waited-for | ```sh⏎sleep 0.01 &⏎wait⏎sleep 600 &⏎kill $!⏎wait $! || true⏎```
a-large-output | ```sh⏎seq 20000 | tail -n 1; seq 20000 >&2⏎```
until-the-output-matches | <!-- until 20s -->⏎```sh⏎n=$((n + 1)); echo $n⏎```⏎```text⏎3⏎```
elided | ```sh⏎seq 9; echo a b c⏎```⏎```text⏎1⏎...⏎9⏎a [..] c⏎```
until-it-does-not-fail | <!-- until 20s -->⏎```sh⏎n=$((n + 1)); [ $n = 3 ]; echo now⏎```⏎```text⏎now⏎```
"#;

#[test]
fn right_documents_do_not_fail() {
    let tree = Tree::new(&[]);
    for case in RIGHT.trim().lines() {
        let (what, text) = case.split_once(" | ").unwrap();
        tree.write(&format!("docs/{what}.md"), &text.replace('⏎', "\n"));
    }
    let (passed, text) = tree.run(&[]);
    assert!(passed, "{text}");
    says(&text, "\n14 documents, 0 failed");
}

/// What is said of commands that fail. None of them goes on to `echo never`.
const WRONG: &str = r#"
docs/00.md:1: The exit code is 3, and 0 is expected. | echo before; (exit 3)
The exit code is 1 | echo before⏎false⏎echo never
The exit code is 1 | echo before⏎for i in 1 2; do false; echo never; done
The exit code is 1 | echo before⏎f() { false; echo never; }⏎f
The exit code is 1 | echo before⏎(false; echo never)
The exit code is 1 | echo before⏎x=$(false; echo a)⏎echo never
The exit code is 1 | echo before⏎false && true⏎[ a = b ]⏎echo never
The exit code is 1 | echo before⏎false | cat⏎echo never
The exit code is 1 | echo before⏎x=$(false | cat)⏎echo never
It ended the shell | echo before⏎exit 0
It ended the shell | echo before⏎kill -KILL $$
It ended the shell | echo before⏎exec true
1 job(s) in the background | echo before⏎sleep 600 &
It printed more than 1 MiB | echo before⏎yes
The output is not the one in line 4 | echo before⏎```⏎```text⏎written⏎```⏎```sh⏎echo never
+ before | echo before⏎```⏎```text
10.9.9.8 is in place of 10.0.0.1 | echo before; echo 10.9.9.9⏎```⏎```text⏎before⏎10.0.0.1⏎```⏎```sh⏎echo before; echo 10.9.9.8⏎```⏎```text⏎before⏎10.0.0.1
For 1 s the output is not | echo before⏎```⏎<!-- until 1s -->⏎```sh⏎echo before; n=$((n + 1)); echo $n⏎```⏎```text⏎never
is 0, and 1 is expected | true⏎```⏎<!-- exit 1 -->⏎```sh⏎echo before
"#;

#[test]
fn each_failure_is_told_with_what_was_printed() {
    let tree = Tree::new(&[]);
    let cases: Vec<_> = WRONG.trim().lines().enumerate().collect();
    for (number, case) in &cases {
        let (_, code) = case.split_once(" | ").unwrap();
        let text = format!("```sh\n{}\n```\n", code.replace('⏎', "\n"));
        tree.write(&format!("docs/{number:02}.md"), &text);
    }
    let (passed, text) = tree.run(&[]);
    assert!(!passed, "{text}");
    for (number, case) in &cases {
        let begin = text.find(&format!("\ndocs/{number:02}.md:")).expect(&text);
        let failure = &text[begin..];
        let failure = &failure[..failure.find("The pods and events then:").unwrap()];
        let (words, code) = case.split_once(" | ").unwrap();
        assert!(failure.contains(words), "{code}: {failure}");
        assert!(failure.contains("\n    before\n"), "{code}: {failure}");
        assert!(!failure.contains("\n    never"), "{code}: {failure}");
    }
    says(&text, "- written\n");
}

#[test]
#[cfg(target_os = "linux")] // by /proc
fn a_block_that_takes_too_long_is_ended_with_its_processes() {
    // The first block waits for the shell, which has only its own words to run in the second.
    let text = "```sh\ntrue\n```\n<!-- within 1s -->\n```sh\nsleep 600 & echo id $!; wait\n```\n";
    let (_, text) = Tree::new(&[("README.md", text)]).run(&[]);
    says(&text, "It took longer than 1 s, and was ended");
    let id = text.lines().find_map(|line| line.strip_prefix("    id "));
    let id = id.unwrap();
    // Killed; its parent was killed with it, so another process has to collect it.
    let line = || fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let gone = || Ok(line().is_empty().then_some(()));
    until(&format!("process {id} has ended"), SOON, gone).unwrap();
}

#[test]
fn blessing_writes_all_outputs_of_a_run_into_both_languages() {
    let blocks = "```sh\necho 10.1.2.3\n```\n\n```text\n10.9.9.9\n```\n\n\
                  - item\n\n  ```sh\n  printf 'a\\n  b'\n  ```\n  ```text\n  old\n  ```\n\n\
                  ```sh\nseq 5; echo 10.1.2.3 a\n```\n```text\n1\n...\n10.9.9.8 [..]\n```\n\n\
                  ```sh\necho nobody asks\n```\n";
    let english = |blocks: &str| format!("# English\n\n{blocks}");
    let chinese = |blocks: &str| format!("# 中文\n\n句子。\n\n{blocks}");
    let tree = Tree::new(&[
        ("docs/page.md", &english(blocks)),
        ("docs/page.zh-CN.md", &chinese(blocks)),
    ]);
    let (passed, text) = tree.run(&[("BLESS", "1")]);
    assert!(passed, "{text}");
    for place in ["docs/page.md:16:", "docs/page.zh-CN.md:18:"] {
        says(&text, &format!("\n{place} wrote what was seen.\n"));
    }
    let written = blocks.replace("  old\n", "  a\n    b\n");
    let written = written
        .replace("10.9.9.9", "10.1.2.3")
        .replace("10.9.9.8", "10.1.2.3");
    assert_eq!(tree.read("docs/page.md"), english(&written));
    assert_eq!(tree.read("docs/page.zh-CN.md"), chinese(&written));
    assert!(tree.run(&[]).0, "it is right now");

    for (from, to, why) in [
        ("nobody asks", "another", "their `sh` blocks differ"),
        ("echo nobody asks", "exit 1", "It ended the shell"),
    ] {
        let other = chinese(&blocks.replace(from, to));
        let ours = if from == "nobody asks" {
            english(blocks)
        } else {
            english(&blocks.replace(from, to))
        };
        let tree = Tree::new(&[("docs/page.md", &ours), ("docs/page.zh-CN.md", &other)]);
        let (passed, text) = tree.run(&[("BLESS", "1")]);
        assert!(!passed);
        says(&text, why);
        assert_eq!(tree.read("docs/page.md"), ours);
        assert_eq!(tree.read("docs/page.zh-CN.md"), other);
    }
}

/// What the copy is, as a document sees it: the label and the registry of the run are there.
const COPY: &str = "\
metadata:
  name: chesterns
  labels:
    chesterapi-document: page
    a: b
image: localhost:5005/oneapi:1.0
image: other
calls
docs
k8s
programs
";

#[test]
fn the_copy_has_the_names_of_the_run_and_the_tree_is_not_touched() {
    let code = "grep -q chester[n]s-page- k8s/ns.yaml\ngrep -q registry.example.com k8s/lessons/pod.yaml\n\
                cat k8s/ns.yaml k8s/lessons/pod.yaml\necho changed >k8s/ns.yaml\nls";
    let page = page(&format!("{code}\n```\n```text\n{COPY}"));
    let tree = Tree::new(&[("docs/page.md", &page)]);
    let manifest = "metadata:\n  name: chesterns\n  labels:\n    a: b\n";
    let images = "image: chosen.example.com/a/oneapi:7\nimage: other\n";
    tree.write("k8s/ns.yaml", manifest);
    tree.write("k8s/lessons/pod.yaml", images);
    tree.write("target/a", "");
    let (passed, text) = tree.run(&[]);
    assert!(passed, "{text}");
    assert_eq!(tree.read("k8s/ns.yaml"), manifest);
}

#[test]
fn each_document_has_a_labelled_namespace_which_is_deleted_with_those_it_made() {
    let tree = Tree::new(&[("docs/cpu.md", &page("kubectl create namespace chesterns"))]);
    let (passed, text) = tree.run(&[]);
    assert!(!passed);
    says(&text, "At its end it leaves behind: Namespace/chesterns.");
    let made = tree.asked("create namespace docs-cpu-");
    let name = made[0].rsplit(' ').next().unwrap();
    let own = name.replace("docs-", "chesterns-");
    says(&text, &format!("cpu: namespaces {name} and {own}"));
    let tries = tree.asked("get serviceaccount default");
    assert_eq!(tries.len(), 2, "it waits for the account");
    let label = format!("label namespace {name} chesterapi-document=cpu");
    assert_eq!(tree.asked(&label).len(), 1);
    let deleted = tree.asked("delete --wait=false");
    let both = format!("Namespace/{own} Namespace/{name}");
    assert!(deleted[0].ends_with(&both), "{deleted:?}");
}

#[test]
fn an_interruption_deletes_the_namespaces() {
    let code = "touch ${CALLS%calls}/begun; sleep 25";
    let tree = Tree::new(&[("docs/cpu.md", &page(code))]);
    let child = tree.program(&[]).spawn().unwrap();
    let begun = || Ok(tree.0.path().join("begun").exists().then_some(()));
    until("the block has begun", SOON, begun).unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let (passed, text) = finished(&child.wait_with_output().unwrap());
    assert!(!passed);
    says(&text, "It was interrupted.");
    assert_eq!(tree.asked("delete --wait=false").len(), 1, "{text}");
}
