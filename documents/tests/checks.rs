//! Each finding is found: small trees that are right but for one thing.

#![allow(clippy::unwrap_used)] // a test may

use std::{fs, path::Path};

use clap::{Arg, ArgAction, Command};
use documents::check::{Programs, check, tables::Endpoint};
use tempfile::TempDir;

const REFERENCE: &str = "# A

[中文](reference.zh-CN.md) · [Guide](guide.md#first-steps)

| Setting | Default | What it sets |
| --- | --- | --- |
| `LISTEN` | `[::]:5000`, `[::]:5001` | where to listen |
| `POD_IP` | looked up | the IP |
| `POD_NAMESPACE` | | the namespace |
| `MAX_RATE` | `10000` | the highest `--rate` |
| `TAG` | `1.0` | the version |

| Command | What it does |
| --- | --- |
| `twoapi load URL --rate N` | sends requests |
| `twoapi load … --fresh` | opens connections |

| Service | Request | Answer |
| --- | --- | --- |
| oneapi | `GET /test`, `GET /test?minutes=N` | the IP |
| oneapi | `DELETE /burns/ID` | ends one |
| twoapi | `GET /` | the page |
| both | `GET /livez` | `ok` |
| both | `grpc.health.v1.Health`, `Check` | serving |
";

const GUIDE: &str = "# Guide

## First steps

- one `make run TAG=1.1`
- two

```sh
kubectl apply -n a -f k8s/pod.yaml
```

```text
pod/a created
```

> Ready after 12.5 ms<!-- measured: docs/bench.json, starts, name=oneapi, values, in ms -->.
";

fn programs() -> Programs {
    let serve = |name: &'static str, listen: &'static str| {
        let setting = |name: &'static str, flag: &'static str| Arg::new(name).env(name).long(flag);
        Command::new(name)
            .arg(setting("LISTEN", "listen").default_value(listen))
            .arg(setting("POD_IP", "pod-ip").help("The IP [default: looked up]"))
            .arg(setting("POD_NAMESPACE", "pod-namespace"))
    };
    let load = Command::new("load")
        .arg(Arg::new("rate").long("rate"))
        .arg(Arg::new("fresh").long("fresh").action(ArgAction::SetTrue))
        .arg(
            Arg::new("most")
                .long("max-rate")
                .env("MAX_RATE")
                .default_value("10000"),
        );
    let endpoints = [
        ("oneapi", "GET", "/test"),
        ("oneapi", "DELETE", "/burns/{id}"),
        ("oneapi", "GET", "/livez"),
        ("oneapi", "POST", "/grpc.health.v1.Health/Check"),
        ("twoapi", "GET", "/"),
        ("twoapi", "GET", "/page/events"),
        ("twoapi", "GET", "/livez"),
        ("twoapi", "POST", "/grpc.health.v1.Health/Check"),
    ];
    Programs {
        commands: vec![
            serve("oneapi", "[::]:5000"),
            serve("twoapi", "[::]:5001").subcommand(load),
        ],
        endpoints: endpoints
            .map(|(service, method, template)| Endpoint {
                service: service.to_owned(),
                method: method.to_owned(),
                template: template.to_owned(),
            })
            .to_vec(),
    }
}

struct Tree(TempDir);

impl Tree {
    /// In which nothing is wrong.
    fn new() -> Self {
        let tree = Self(TempDir::new().unwrap());
        tree.write(
            "Makefile",
            "TAG ?= 1.0\nCHOSEN ?= $(shell echo a)\n\nrun test: ## runs it\n\techo\n",
        );
        tree.write("k8s/pod.yaml", "kind: Pod\n");
        tree.write(
            "docs/bench.json",
            r#"{"starts": [{"name": "pause", "values": [1]}, {"name": "oneapi", "values": [0.014, 0.01254, 0.011]}, {"name": "twoapi", "values": [3, 1]}]}"#,
        );
        let chinese = |text: &str| {
            text.replace("(guide.md#first-steps)", "(guide.zh-CN.md#第一步)")
                .replace("(reference.zh-CN.md)", "(reference.md)")
                .replace("## First steps", "## 第一步")
                .replace("both", "两者")
                .replace("looked up", "自动查找")
        };
        for (path, text) in [("docs/reference.md", REFERENCE), ("docs/guide.md", GUIDE)] {
            tree.write(path, text);
            tree.write(&path.replace(".md", ".zh-CN.md"), &chinese(text));
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

    /// Replaces a text that is there, in one document.
    fn change(self, path: &str, from: &str, to: &str) -> Self {
        let text = self.read(path);
        assert!(text.contains(from), "{path} has no {from}");
        self.write(path, &text.replacen(from, to, 1));
        self
    }

    /// Replaces a text in both languages.
    fn change_both(self, path: &str, from: &str, to: &str) -> Self {
        self.change(path, from, to)
            .change(&path.replace(".md", ".zh-CN.md"), from, to)
    }

    fn findings(&self) -> Vec<String> {
        self.findings_of(&programs())
    }

    fn findings_of(&self, programs: &Programs) -> Vec<String> {
        check(self.0.path(), programs).unwrap()
    }

    /// Finds this, and nothing else.
    fn finds(&self, expected: &[&str]) {
        assert_eq!(self.findings(), expected);
    }
}

#[test]
fn a_tree_in_which_nothing_is_wrong_has_no_findings() {
    Tree::new().finds(&[]);
}

#[test]
fn a_tree_without_documents_is_a_finding() {
    let empty = TempDir::new().unwrap();
    let findings = check(empty.path(), &Programs::default()).unwrap();
    assert_eq!(
        findings,
        [
            "There are no documents here.",
            "There is no docs/reference.md, which has the tables of settings and endpoints.",
        ]
    );
}

#[test]
fn a_document_without_its_twin_is_found_in_either_language() {
    let tree = Tree::new();
    tree.write("docs/more/new.md", "# New\n");
    tree.write("docs/old.zh-CN.md", "# 旧\n");
    tree.write("CHANGELOG.md", "# It has no twin\n");
    tree.finds(&[
        "docs/more/new.md has no twin docs/more/new.zh-CN.md.",
        "docs/old.zh-CN.md has no twin docs/old.md.",
    ]);
}

#[test]
fn each_difference_of_shape_is_found_with_its_lines() {
    for (from, to, finding) in [
        (
            "# Guide",
            "## Guide",
            "docs/guide.md:1: A heading of level 1 differs from docs/guide.zh-CN.md:1: A heading of level 2.",
        ),
        (
            "- two\n",
            "",
            "docs/guide.md:6: An item of a list differs from docs/guide.zh-CN.md:7: A code block (sh).",
        ),
        (
            "-n a",
            "-n b",
            "docs/guide.md:9: The line of code \"kubectl apply -n a -f k8s/pod.yaml\" differs from \
             docs/guide.zh-CN.md:9: The line of code \"kubectl apply -n b -f k8s/pod.yaml\".",
        ),
        (
            "pod/a",
            "pod/b",
            "docs/guide.md:13: The line of code \"pod/a created\" differs from docs/guide.zh-CN.md:13: \
             The line of code \"pod/b created\".",
        ),
        (
            "```text",
            "```yaml",
            "docs/guide.md:12: A code block (text) differs from docs/guide.zh-CN.md:12: A code block (yaml).",
        ),
        (
            "```sh",
            "<!-- exit 1 -->\n```sh",
            "docs/guide.md:8: A code block (sh) differs from docs/guide.zh-CN.md:8: The comment \"exit 1\".",
        ),
        (
            "\n> Ready after",
            "\nReady after",
            "docs/guide.md:16: A quotation has no counterpart in docs/guide.zh-CN.md.",
        ),
    ] {
        Tree::new()
            .change("docs/guide.zh-CN.md", from, to)
            .finds(&[finding]);
    }
}

#[test]
fn what_one_language_has_more_at_its_end_is_found() {
    Tree::new()
        .change("docs/guide.md", " ms<", " ms<!-- a --><")
        .change("docs/guide.md", "in ms -->.\n", "in ms -->.\n\n<details>\n")
        .change("docs/guide.zh-CN.md", " ms<", " ms<!-- a --><")
        .finds(&["docs/guide.md:18: The tag <details> has no counterpart in docs/guide.zh-CN.md."]);
    Tree::new()
        .change(
            "docs/guide.zh-CN.md",
            "in ms -->.\n",
            "in ms -->.\n\n## 更多\n",
        )
        .finds(&[
            "docs/guide.zh-CN.md:18: A heading of level 2 has no counterpart in docs/guide.md.",
        ]);
}

#[test]
fn tables_with_other_cells_or_other_code_in_them_are_found() {
    let findings = Tree::new()
        .change(
            "docs/reference.zh-CN.md",
            "| `TAG` | `1.0` | the version |",
            "| `TAG` | `1.0` |",
        )
        .findings();
    assert!(
        findings[0].starts_with("docs/reference.md:11: A row of 3 cells"),
        "{findings:?}"
    );
    let findings = Tree::new()
        .change(
            "docs/reference.zh-CN.md",
            "the highest `--rate`",
            "最高的 `--fresh`",
        )
        .findings();
    assert!(
        findings[0].contains("`") || findings[0].contains("--fresh"),
        "{findings:?}"
    );
    assert!(
        findings[0].starts_with("docs/reference.md:10: "),
        "{findings:?}"
    );
}

#[test]
fn a_diagram_may_have_other_words() {
    let tree = Tree::new().change_both(
        "docs/guide.md",
        "- two\n",
        "- two\n\n```mermaid\nwords\n```\n",
    );
    tree.change("docs/guide.zh-CN.md", "words", "文字")
        .finds(&[]);
}

#[test]
fn a_link_that_one_language_has_is_found_and_kubernetes_io_has_a_page_in_each() {
    Tree::new()
        .change("docs/guide.zh-CN.md", "- two", "- two [a](../k8s/pod.yaml)")
        .finds(&["docs/guide.zh-CN.md links to ../k8s/pod.yaml, and docs/guide.md doesn't, or less often."]);
    Tree::new()
        .change("docs/guide.md", "- two", "- two [a](https://example.com/)")
        .finds(&["docs/guide.md links to https://example.com/, and docs/guide.zh-CN.md doesn't, or less often."]);
    Tree::new()
        .change(
            "docs/guide.md",
            "- two",
            "- [a](https://kubernetes.io/docs/a)",
        )
        .change(
            "docs/guide.zh-CN.md",
            "- two",
            "- [a](https://kubernetes.io/zh-cn/docs/a)",
        )
        .finds(&[]);
}

#[test]
fn a_picture_may_be_another_one_in_each_language() {
    let tree = Tree::new();
    tree.write("docs/page-en.png", "");
    tree.write("docs/page-zh.png", "");
    tree.change("docs/guide.md", "- two", "- two ![a](page-en.png)")
        .change("docs/guide.zh-CN.md", "- two", "- two ![a](page-zh.png)")
        .finds(&[]);
}

#[test]
fn a_link_to_nothing_is_found_in_markdown_and_in_html() {
    Tree::new()
        .change_both("docs/guide.md", "- two", "- two [a](../none.md)")
        .finds(&[
            "docs/guide.md:6: It links to ../none.md, which isn't there.",
            "docs/guide.zh-CN.md:6: It links to ../none.md, which isn't there.",
        ]);
    Tree::new()
        .change_both(
            "docs/guide.md",
            "> Ready",
            "<img src=\"none.svg\">\n\n> Ready",
        )
        .finds(&[
            "docs/guide.md:16: It links to none.svg, which isn't there.",
            "docs/guide.zh-CN.md:16: It links to none.svg, which isn't there.",
        ]);
}

#[test]
fn a_link_to_a_heading_that_is_not_there_is_found() {
    Tree::new()
        .change("docs/reference.md", "#first-steps", "#last-steps")
        .finds(&["docs/reference.md:3: It links to guide.md#last-steps, and docs/guide.md has no such heading."]);
    Tree::new()
        .change("docs/reference.zh-CN.md", "#第一步", "#first-steps")
        .finds(&[
            "docs/reference.zh-CN.md:3: It links to guide.zh-CN.md#first-steps, and docs/guide.zh-CN.md has no such heading.",
        ]);
    Tree::new()
        .change_both("docs/guide.md", "- two", "- two [a](#none)")
        .finds(&[
            "docs/guide.md:6: It links to #none, and docs/guide.md has no such heading.",
            "docs/guide.zh-CN.md:6: It links to #none, and docs/guide.zh-CN.md has no such heading.",
        ]);
}

/// Puts commands into a document of which there is one language.
fn with_commands(commands: &str) -> Vec<String> {
    let tree = Tree::new();
    tree.write("NOTES.md", &format!("# Notes\n\n```sh\n{commands}\n```\n"));
    tree.findings()
}

#[test]
fn verbs_and_variables_that_the_makefile_does_not_have_are_found() {
    for (commands, finding) in [
        (
            "make fly",
            "NOTES.md:4: It says make fly, which the Makefile doesn't have.",
        ),
        (
            "A=1 make run WIDTH=2",
            "NOTES.md:4: It sets WIDTH, which the Makefile doesn't have.",
        ),
        (
            "cd a && make run fly",
            "NOTES.md:4: It says make fly, which the Makefile doesn't have.",
        ),
        (
            "export A=$(make fly)",
            "NOTES.md:4: It says make fly, which the Makefile doesn't have.",
        ),
        (
            "true\nmake run \\\n  fly",
            "NOTES.md:5: It says make fly, which the Makefile doesn't have.",
        ),
    ] {
        assert_eq!(with_commands(commands), [finding], "{commands}");
    }
    let tree = Tree::new();
    tree.write("NOTES.md", "# Notes\n\nSay `make fly`.\n");
    tree.finds(&["NOTES.md:3: It says make fly, which the Makefile doesn't have."]);
    assert_eq!(
        with_commands("make -j2 test TAG=\"2 fly\"\nA=make\necho make fly"),
        [""; 0]
    );
}

#[test]
fn files_that_kubectl_is_given_and_that_are_not_there_are_found() {
    for verb in ["apply", "create", "delete", "diff", "patch", "replace"] {
        for flag in [
            "-f ",
            "-k ",
            "--patch-file ",
            "--filename=",
            "-f k8s/pod.yaml -f ",
        ] {
            assert_eq!(
                with_commands(&format!("kubectl {verb} {flag}none.yaml")),
                ["NOTES.md:4: It gives none.yaml to kubectl, which isn't there."],
                "{verb} {flag}"
            );
        }
    }
    assert_eq!(
        with_commands("sed s/a/b/ k8s/pod.yaml | kubectl -n a apply -f none.yaml"),
        ["NOTES.md:4: It gives none.yaml to kubectl, which isn't there."]
    );
    for fine in [
        "kubectl apply -f k8s/pod.yaml",
        "kubectl apply -f -",
        "kubectl apply -f https://example.com/a.yaml",
        "kubectl apply -f \"$FILE\"",
        "kubectl logs -f pod/a",
    ] {
        assert_eq!(with_commands(fine), [""; 0], "{fine}");
    }
}

#[test]
fn flags_that_the_programs_do_not_have_are_found() {
    for (command, finding) in [
        (
            "twoapi load URL --speed 5",
            "NOTES.md:4: twoapi load has no flag --speed.",
        ),
        (
            "kubectl exec a -- /twoapi load URL --speed=5",
            "NOTES.md:4: twoapi load has no flag --speed.",
        ),
        ("oneapi --fresh", "NOTES.md:4: oneapi has no flag --fresh."),
    ] {
        assert_eq!(with_commands(command), [finding], "{command}");
    }
    for fine in [
        "twoapi load URL --rate 5 --fresh",
        "oneapi --listen a --help",
        "kubectl logs oneapi --tail=5",
    ] {
        assert_eq!(with_commands(fine), [""; 0], "{fine}");
    }
}

#[test]
fn blocks_that_nothing_runs_are_found() {
    for language in ["bash", "console", ""] {
        let tree = Tree::new();
        tree.write("NOTES.md", &format!("```{language}\nls\n```\n"));
        tree.finds(&["NOTES.md:1: A code block says what is in it: `sh` for commands, which are run, `text` for their output."]);
    }
    let tree = Tree::new();
    tree.write(
        "NOTES.md",
        "<!-- not run: -->\n```sh\nls\n```\n\n# A\n\n```text\nb\n```\n\n```sh\nls",
    );
    tree.finds(&[
        "NOTES.md:1: `not run:` needs a reason.",
        "NOTES.md:8: This `text` block follows no `sh` block, so it isn't compared; say why above it: <!-- not run: reason -->.",
        "NOTES.md:12: This code block has no end.",
    ]);
}

#[test]
fn words_behind_a_command_are_found_in_blocks_that_are_copied() {
    let comment =
        "An interactive zsh takes a comment for words of the command: say it above the block.";
    let tree = Tree::new();
    let commands = "ls\nls # all\ngrep '# b' a#b \"c #d\"\n# nothing else\n";
    tree.write("NOTES.md", &format!("```sh\n{commands}```\n"));
    tree.finds(&[
        &format!("NOTES.md:3: {comment}"),
        &format!("NOTES.md:5: {comment}"),
    ]);
}

#[test]
fn settings_that_one_side_does_not_have_are_found_in_both_languages() {
    Tree::new()
        .change_both(
            "docs/reference.md",
            "| `POD_NAMESPACE` | | the namespace |\n",
            "",
        )
        .finds(&[
            "docs/reference.md has no row for the setting POD_NAMESPACE.",
            "docs/reference.zh-CN.md has no row for the setting POD_NAMESPACE.",
        ]);
    Tree::new()
        .change_both("docs/reference.md", "`TAG`", "`GAT`")
        .finds(&[
            "docs/reference.md:11: GAT is neither a setting of a program nor a variable of the Makefile.",
            "docs/reference.zh-CN.md:11: GAT is neither a setting of a program nor a variable of the Makefile.",
        ]);
}

#[test]
fn defaults_that_are_not_the_programs_are_found() {
    for (from, to, finding) in [
        ("`10000`", "`1000`", "10: The default of MAX_RATE is 10000."),
        (
            "`[::]:5000`, ",
            "",
            "7: The default of LISTEN is [::]:5000, [::]:5001.",
        ),
        (
            "`TAG` | `1.0`",
            "`TAG` | `1.1`",
            "11: The default of TAG is 1.0.",
        ),
    ] {
        Tree::new()
            .change_both("docs/reference.md", from, to)
            .finds(&[
                &format!("docs/reference.md:{finding}"),
                &format!("docs/reference.zh-CN.md:{finding}"),
            ]);
    }
    for (from, to, finding) in [
        (
            "| looked up |",
            "| guessed |",
            "docs/reference.md:8: The default of POD_IP is \"looked up\" in its help.",
        ),
        (
            "`POD_NAMESPACE` | |",
            "`POD_NAMESPACE` | none |",
            "docs/reference.md:9: The default of POD_NAMESPACE is \"\" in its help.",
        ),
    ] {
        Tree::new()
            .change("docs/reference.md", from, to)
            .finds(&[finding]);
    }
}

#[test]
fn a_default_that_the_makefile_finds_out_is_not_compared() {
    Tree::new()
        .change_both(
            "docs/reference.md",
            "| `TAG` | `1.0` |",
            "| `CHOSEN` | `b` |",
        )
        .finds(&[]);
}

#[test]
fn subcommands_and_flags_without_a_row_are_found() {
    Tree::new()
        .change_both(
            "docs/reference.md",
            "| `twoapi load … --fresh` | opens connections |\n",
            "",
        )
        .finds(&[
            "docs/reference.md doesn't say in the rows of twoapi load that it has the flag --fresh.",
            "docs/reference.zh-CN.md doesn't say in the rows of twoapi load that it has the flag --fresh.",
        ]);
    let mut programs = programs();
    programs.commands[0] = programs.commands[0]
        .clone()
        .subcommand(Command::new("probe"));
    assert_eq!(
        Tree::new().findings_of(&programs),
        [
            "docs/reference.md has no row for oneapi probe.",
            "docs/reference.zh-CN.md has no row for oneapi probe.",
        ]
    );
}

#[test]
fn endpoints_that_nobody_serves_and_those_without_a_row_are_found() {
    for (from, to, served, unnamed) in [
        (
            "`GET /test`,",
            "`GET /tests`, `GET /test`,",
            "20: oneapi doesn't serve GET /tests.",
            "",
        ),
        (
            "`DELETE /burns/ID`",
            "`PUT /burns/ID`",
            "21: oneapi doesn't serve PUT /burns/ID.",
            " has no row for DELETE /burns/{id} of oneapi.",
        ),
        (
            "`DELETE /burns/ID`",
            "`DELETE /burns/id`",
            "21: oneapi doesn't serve DELETE /burns/id.",
            " has no row for DELETE /burns/{id} of oneapi.",
        ),
        (
            "`Check`",
            "`Watch`",
            "24: oneapi doesn't serve POST /grpc.health.v1.Health/Watch.",
            " has no row for POST /grpc.health.v1.Health/Check of oneapi.",
        ),
    ] {
        let findings = Tree::new()
            .change_both("docs/reference.md", from, to)
            .findings();
        let find =
            |finding: String| assert!(findings.contains(&finding), "{finding}: {findings:?}");
        for file in ["docs/reference.md", "docs/reference.zh-CN.md"] {
            find(format!("{file}:{served}"));
            if !unnamed.is_empty() {
                find(format!("{file}{unnamed}"));
            }
        }
    }
}

#[test]
fn a_figure_that_was_not_measured_is_found() {
    for (from, to, finding) in [
        (
            "12.5 ms",
            "12.4 ms",
            "It says 12.4, and 12.5 was measured (docs/bench.json).",
        ),
        (
            "12.5 ms",
            "12 ms",
            "It says 12, and 13 was measured (docs/bench.json).",
        ),
        (
            "name=oneapi",
            "name=other",
            "There is no name=other in docs/bench.json where `measured` says.",
        ),
        (
            "in ms",
            "in inches",
            "\"inches\" is none of the units: ns, µs, ms, s, kB, MB, kiB, MiB, %, thousand.",
        ),
        (
            "docs/bench.json",
            "docs/guide.md",
            "docs/guide.md is not JSON: expected value at line 1 column 1.",
        ),
        ("12.5 ms", "soon", "There is no number before `measured`."),
        (
            "name=oneapi, values",
            "name=oneapi, name",
            "There is no number in docs/bench.json where `measured` says.",
        ),
    ] {
        Tree::new().change_both("docs/guide.md", from, to).finds(&[
            &format!("docs/guide.md:16: {finding}"),
            &format!("docs/guide.zh-CN.md:16: {finding}"),
        ]);
    }
}

#[test]
fn two_figures_may_come_in_another_order_in_another_language_and_none_may_lack() {
    let fewest = "11 ms<!-- measured: docs/bench.json, starts, 1, values, in ms, minimum -->";
    let tree = || {
        Tree::new()
            .change("docs/guide.md", "- two", &format!("- two {fewest}"))
            .change("docs/guide.zh-CN.md", "-->.", &format!("--> {fewest}."))
            .change("docs/guide.md", "> Ready", "Ready")
            .change("docs/guide.zh-CN.md", "> Ready", "Ready")
    };
    tree().finds(&[]);
    tree().change("docs/guide.zh-CN.md", fewest, "11 ms").finds(&[
        "docs/guide.md has the comment measured: docs/bench.json, starts, 1, values, in ms, minimum, and \
         docs/guide.zh-CN.md doesn't, or less often.",
    ]);
}

#[test]
fn a_figure_is_the_median_or_an_extreme_and_one_number_as_well() {
    for (figure, steps) in [
        ("14", "starts, name=oneapi, values, in ms, maximum"),
        ("0.011", "starts, 1, values, minimum"),
        ("1,000", "starts, 0, values, in ms"),
        ("1", "starts, 0, values, 0"),
        ("3", "starts, name=twoapi, values"),
    ] {
        Tree::new()
            .change_both("docs/guide.md", "12.5", figure)
            .change_both("docs/guide.md", "starts, name=oneapi, values, in ms", steps)
            .finds(&[]);
    }
}

#[test]
fn folders_of_tools_are_not_read() {
    let tree = Tree::new();
    for folder in ["target", "node_modules", ".git"] {
        tree.write(&format!("{folder}/a.md"), "[a](none.md)\n");
    }
    assert!(Path::new(&tree.0.path().join("target/a.md")).exists());
    tree.finds(&[]);
}
