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

/// What a document says that must fail.
fn failure(text: &str) -> String {
    report(text).failure.expect("it fails")
}

#[test]
fn variables_and_functions_last_from_block_to_block_in_the_repositorys_folder() {
    let report = report(
        "```sh\nx=1\nexport Y=2\nf() { echo \"f $1\"; }\n```\n\n\
         ```sh\nf $x; bash -c 'echo $Y'; ls docs\n```\n\n```text\nf 1\n2\npage.md\n```\n",
    );
    assert_eq!(report.failure, None);
    assert_eq!((report.run, report.compared), (2, 1));
}

#[test]
fn errors_and_output_come_in_the_order_in_which_they_were_printed() {
    let report =
        report("```sh\necho a; echo b >&2; echo c; echo d >&2\n```\n```text\na\nb\nc\nd\n```\n");
    assert_eq!(report.failure, None);
}

#[test]
fn the_namespace_of_the_run_is_the_documents_in_the_output() {
    let report = report(
        "```sh\nfor n in chesterns; do echo \"$n ${#n}\"; done\n```\n```text\nchesterns 19\n```\n",
    );
    assert_eq!(report.failure, None);
}

#[test]
fn an_output_without_a_newline_matches_and_so_does_no_output() {
    let report = report("```sh\nprintf a\n```\n```text\na\n```\n```sh\ntrue\n```\n```text\n```\n");
    assert_eq!(report.failure, None);
    assert!(failure("```sh\necho a\n```\n```text\n```\n").contains("+ a"));
}

#[test]
fn commands_have_no_input() {
    assert_eq!(report("```sh\ncat\n```\n```text\n```\n").failure, None);
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
fn a_wrong_exit_code_is_shown_with_what_was_printed() {
    let failure = failure("```sh\necho before; (exit 3)\n```\n");
    assert!(
        failure.starts_with("docs/page.md:1: The exit code is 3, and 0 is expected."),
        "{failure}"
    );
    assert!(failure.contains("    before\n"), "{failure}");
}

#[test]
fn an_expected_exit_code_is_no_failure_and_the_shell_goes_on() {
    let report = report(
        "```sh\nx=1\n```\n<!-- exit 1 -->\n```sh\nfalse\n```\n```sh\necho $x\n```\n```text\n1\n```\n",
    );
    assert_eq!(report.failure, None);
    let failure = failure("<!-- exit 1 -->\n```sh\ntrue\n```\n");
    assert!(failure.contains("is 0, and 1 is expected"), "{failure}");
}

#[test]
fn the_first_command_that_fails_ends_its_block() {
    for code in [
        "false\necho never",
        "for i in 1 2; do false; echo never; done",
        "f() { false; echo never; }\nf",
        "(false; echo never)",
        "x=$(false; echo a)\necho never",
        "false && true\n[ a = b ]\necho never",
        "false | cat\necho never",
    ] {
        let failure = failure(&format!("```sh\n{code}\n```\n"));
        assert!(failure.contains("The exit code is 1"), "{code}: {failure}");
        assert!(!failure.contains("    never"), "{code}: {failure}");
    }
}

#[test]
fn a_command_whose_failure_is_handled_does_not_end_its_block() {
    for code in [
        "false || true",
        "if false; then echo no; fi",
        "! true || true",
        "while false; do :; done",
    ] {
        let text = format!("```sh\n{code}\necho after\n```\n```text\nafter\n```\n");
        assert_eq!(report(&text).failure, None, "{code}");
    }
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
fn a_block_that_ends_the_shell_is_a_failure() {
    for code in ["exit 0", "kill -KILL $$", "exec true"] {
        let failure = failure(&format!("```sh\necho before\n{code}\n```\n"));
        assert!(failure.contains("It ended the shell"), "{code}: {failure}");
        assert!(failure.contains("    before\n"), "{code}: {failure}");
    }
}

#[test]
fn a_job_that_is_left_in_the_background_is_a_failure_and_one_that_was_waited_for_is_not() {
    let failure = failure("```sh\nsleep 600 &\n```\n");
    assert!(failure.contains("1 job(s) in the background"), "{failure}");
    let report = report(
        "```sh\nsleep 0.01 &\nwait\n```\n```sh\nsleep 600 &\nkill $!\nwait $! || true\n```\n",
    );
    assert_eq!(report.failure, None);
}

#[test]
fn a_large_output_is_read_whole_and_a_huge_one_is_ended() {
    let report = report("```sh\nseq 20000 | tail -n 1; seq 20000 >&2\n```\n");
    assert_eq!(report.failure, None);
    let failure = failure("```sh\nyes\n```\n");
    assert!(failure.contains("It printed more than 1 MiB"), "{failure}");
}

#[test]
fn until_repeats_a_block_until_its_output_matches() {
    let counts = "n=$((n + 1)); echo $n";
    let report = report(&format!(
        "<!-- until 20s -->\n```sh\n{counts}\n```\n```text\n3\n```\n"
    ));
    assert_eq!(report.failure, None);
    let failure = failure(&format!(
        "<!-- until 1s -->\n```sh\n{counts}\n```\n```text\nnever\n```\n"
    ));
    assert!(failure.contains("For 1 s the output was not"), "{failure}");
}

#[test]
fn until_repeats_a_block_that_fails_at_first() {
    let report = report(
        "<!-- until 20s -->\n```sh\nn=$((n + 1)); [ $n = 3 ]; echo now\n```\n```text\nnow\n```\n",
    );
    assert_eq!(report.failure, None);
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
