//! Runs small documents without a cluster: right ones, and ones that fail in each way there is.

#![allow(clippy::unwrap_used)] // a test may

use std::{
    fs,
    path::Path,
    sync::atomic::AtomicBool,
    thread,
    time::{Duration, Instant},
};

use documents::{
    bless,
    document::Document,
    names::Names,
    place::Place,
    run::{Report, run},
};
use tempfile::TempDir;

/// Where the document is in the trees of these tests.
const PATH: &str = "docs/page.md";

fn tree(text: &str) -> TempDir {
    let root = TempDir::new().unwrap();
    fs::create_dir(root.path().join("docs")).unwrap();
    fs::write(root.path().join(PATH), text).unwrap();
    root
}

fn run_in(root: &TempDir, bless: bool, interrupted: &AtomicBool) -> (Document, Report) {
    let document = Document::read(root.path(), Path::new(PATH)).unwrap();
    assert_eq!(document.findings, []);
    let names = Names::new("page", "x7k2", "registry.example.com", &[]);
    let place = Place::new(root.path(), "page", names, None).unwrap();
    let report = run(&document, &place, bless, interrupted, &|_| {});
    (document, report)
}

fn report(text: &str) -> Report {
    run_in(&tree(text), false, &AtomicBool::new(false)).1
}

/// Two parts a line; the second one can have lines.
fn cases(text: &str) -> impl Iterator<Item = (String, String)> {
    text.trim().lines().map(|case| {
        let (words, text) = case.split_once(" | ").unwrap();
        (words.to_owned(), text.replace('⏎', "\n"))
    })
}

/// What is right, and the document, in which `⏎` ends a line.
const RIGHT: &str = r#"
variables and functions last | ```sh⏎x=1⏎export Y=2⏎f() { echo "f $1"; }⏎```⏎```sh⏎f $x; bash -c 'echo $Y'⏎```⏎```text⏎f 1⏎2⏎```
it runs in the repository's folder | ```sh⏎ls docs⏎```⏎```text⏎page.md⏎```
errors and output come in order | ```sh⏎echo a; echo b >&2; echo c; echo d >&2⏎```⏎```text⏎a⏎b⏎c⏎d⏎```
the run's namespace is the document's | ```sh⏎for n in chesterns; do echo "$n ${#n}"; done⏎```⏎```text⏎chesterns 19⏎```
an output without a newline | ```sh⏎printf a⏎```⏎```text⏎a⏎```
no output | ```sh⏎true⏎```⏎```text⏎```
commands have no input | ```sh⏎cat⏎```⏎```text⏎```
the shell goes on after an exit code | ```sh⏎x=1⏎```⏎<!-- exit 1 -->⏎```sh⏎false⏎```⏎```sh⏎echo $x⏎```⏎```text⏎1⏎```
failures that are handled | ```sh⏎false || true⏎if false; then echo no; fi⏎! true || true⏎while false; do :; done⏎! false | cat⏎echo after⏎```⏎```text⏎after⏎```
jobs that are waited for | ```sh⏎sleep 0.01 &⏎wait⏎sleep 600 &⏎kill $!⏎wait $! || true⏎```
a large output | ```sh⏎seq 20000 | tail -n 1; seq 20000 >&2⏎```
until the output matches | <!-- until 20s -->⏎```sh⏎n=$((n + 1)); echo $n⏎```⏎```text⏎3⏎```
until it doesn't fail | <!-- until 20s -->⏎```sh⏎n=$((n + 1)); [ $n = 3 ]; echo now⏎```⏎```text⏎now⏎```
"#;

#[test]
fn a_right_document_does_not_fail() {
    for (what, text) in cases(RIGHT) {
        assert_eq!(report(&text).failure, None, "{what}");
    }
}

/// What is said of commands that fail. None of them goes on to `echo never`.
const WRONG: &str = r#"
docs/page.md:1: The exit code is 3, and 0 is expected. | echo before; (exit 3)
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
+ before | echo before⏎```⏎```text
For 1 s the output was not | echo before⏎```⏎<!-- until 1s -->⏎```sh⏎echo before; n=$((n + 1)); echo $n⏎```⏎```text⏎never
is 0, and 1 is expected | true⏎```⏎<!-- exit 1 -->⏎```sh⏎echo before
"#;

#[test]
fn each_failure_is_told_with_what_was_printed() {
    for (words, code) in cases(WRONG) {
        let failure = report(&format!("```sh\n{code}\n```\n")).failure.unwrap();
        assert!(failure.contains(&words), "{code}: {failure}");
        assert!(failure.contains("    before\n"), "{code}: {failure}");
        assert!(!failure.contains("    never"), "{code}: {failure}");
    }
}

#[test]
fn a_wrong_output_is_shown_with_its_line_and_the_rest_is_not_run() {
    let root = tree("# A\n\n```sh\necho seen\n```\n\n```text\nwritten\n```\n\n```sh\ntrue\n```\n");
    let (_, report) = run_in(&root, false, &AtomicBool::new(false));
    let failure = report.failure.unwrap();
    for part in [
        "docs/page.md:3: The output is not the one in the document.",
        "$ echo seen",
        "docs/page.md:7: The difference",
        "- written",
        "+ seen",
    ] {
        assert!(failure.contains(part), "{part}: {failure}");
    }
    assert_eq!(report.run, 1);
}

#[test]
fn a_block_that_takes_too_long_is_ended_with_its_processes() {
    // The first block waits for the shell, which has only its own words to run in the second.
    let root = tree(
        "```sh\ntrue\n```\n<!-- within 1s -->\n```sh\necho before; sleep 600 & echo $!; wait\n```\n",
    );
    let (_, report) = run_in(&root, false, &AtomicBool::new(false));
    let failure = report.failure.unwrap();
    assert!(
        failure.contains("It took longer than 1 s, and was ended"),
        "{failure}"
    );
    assert!(failure.contains("    before\n"), "{failure}");
    let id = failure.lines().last().unwrap().trim();
    let deadline = Instant::now() + Duration::from_secs(10);
    // Killed; its parent was killed with it, so another process has to collect it.
    while fs::read_to_string(format!("/proc/{id}/cmdline")).is_ok_and(|line| !line.is_empty()) {
        assert!(Instant::now() < deadline, "process {id} still runs");
        thread::yield_now();
    }
}

#[test]
fn blocks_and_outputs_that_are_left_out_are_counted_with_their_reasons() {
    let report = report(
        "<!-- not run: it needs kind -->\n```sh\nfalse\n```\n```sh\necho a\n```\n\
         <!-- not run: a picture -->\n```text\nb\n```\n",
    );
    assert_eq!(report.failure, None);
    assert_eq!((report.run, report.compared), (1, 0));
    assert_eq!(
        report.left_out,
        [
            (1 + 1, "it needs kind".to_owned()),
            (9, "a picture".to_owned())
        ]
    );
}

#[test]
fn an_interruption_ends_the_block_at_once() {
    let root = tree("<!-- within 10m -->\n```sh\nsleep 600\n```\n");
    let (_, report) = run_in(&root, false, &AtomicBool::new(true));
    assert!(report.failure.unwrap().contains("It was interrupted."));
}

#[test]
fn blessing_writes_what_was_seen_into_both_languages_where_it_differs() {
    let blocks = "```sh\necho 10.1.2.3\n```\n\n```text\n10.9.9.9\n```\n\n\
                  - item\n\n  ```sh\n  printf 'a\\n  b'\n  ```\n  ```text\n  old\n  ```\n\n\
                  ```sh\necho nobody asks\n```\n";
    let root = tree(&format!("# English\n\n{blocks}"));
    let chinese = root.path().join("docs/page.zh-CN.md");
    fs::write(&chinese, format!("# 中文\n\n句子。\n\n{blocks}")).unwrap();
    let (document, report) = run_in(&root, true, &AtomicBool::new(false));
    assert_eq!(report.failure, None);
    let written = bless::write(root.path(), &document, &report.blessed).unwrap();
    assert_eq!(
        written,
        [
            "docs/page.md:16: wrote what was seen.",
            "docs/page.zh-CN.md:18: wrote what was seen."
        ]
    );
    let blocks = blocks.replace("  old\n", "  a\n    b\n");
    let text = |path: &Path| fs::read_to_string(path).unwrap();
    assert_eq!(
        text(&root.path().join(PATH)),
        format!("# English\n\n{blocks}")
    );
    assert_eq!(text(&chinese), format!("# 中文\n\n句子。\n\n{blocks}"));
    let (_, again) = run_in(&root, false, &AtomicBool::new(false));
    assert_eq!((again.failure, again.compared), (None, 2));
}

#[test]
fn nothing_is_written_if_the_languages_have_other_commands() {
    let root = tree("```sh\necho a\n```\n```text\n```\n");
    fs::write(
        root.path().join("docs/page.zh-CN.md"),
        "```sh\necho b\n```\n```text\n```\n",
    )
    .unwrap();
    let (document, report) = run_in(&root, true, &AtomicBool::new(false));
    let error = bless::write(root.path(), &document, &report.blessed).unwrap_err();
    assert!(
        error.to_string().contains("their `sh` blocks differ"),
        "{error}"
    );
}

#[test]
fn the_copy_has_the_registry_and_the_namespace_of_the_run_and_the_tree_is_not_touched() {
    let root = tree("```sh\ncat k8s/pod.yaml; echo changed >k8s/pod.yaml; ls\n```\n");
    let manifest = "namespace: chesterns\nimage: localhost:5005/oneapi:1.0\n";
    let path = root.path().join("k8s/pod.yaml");
    fs::create_dir(root.path().join("k8s")).unwrap();
    fs::create_dir(root.path().join("target")).unwrap();
    fs::write(&path, manifest).unwrap();
    fs::write(
        root.path().join("k8s/ns.yaml"),
        "metadata:\n  name: chesterns\n  labels:\n    a: b\n",
    )
    .unwrap();
    let verb =
        "use:\n\tsed 's|localhost:5005|$(REGISTRY)|' k8s/pod.yaml >new\n\tmv new k8s/pod.yaml\n";
    fs::write(root.path().join("Makefile"), verb).unwrap();
    let (_, report) = run_in(&root, false, &AtomicBool::new(false));
    assert_eq!(report.failure, None);
    assert_eq!(fs::read_to_string(&path).unwrap(), manifest);

    let names = Names::new("page", "x7k2", "registry.example.com", &[]);
    let place = Place::new(root.path(), "page", names, None).unwrap();
    assert_eq!(
        fs::read_to_string(place.tree().join("k8s/pod.yaml")).unwrap(),
        "namespace: chesterns-page-x7k2\nimage: registry.example.com/oneapi:1.0\n"
    );
    assert!(!place.tree().join("target").exists(), "it is not copied");
    assert_eq!(
        fs::read_to_string(place.tree().join("k8s/ns.yaml")).unwrap(),
        "metadata:\n  name: chesterns-page-x7k2\n  labels:\n    chesterapi-document: page\n    a: b\n"
    );
}
