//! Each finding is found: small trees that are right but for one thing.

#![allow(clippy::unwrap_used)] // a test may

use std::fs;

use clap::{Command, arg};
use documents::check::{Programs, check, tables};
use tempfile::TempDir;

const REFERENCE: &str = "# Reference: all

[中文](reference.zh-CN.md) · [Guide](guide.md#first-steps)

<!-- from the programs: settings -->

| Setting | Default | What it sets |
| --- | --- | --- |
| `LISTEN` | `[::]:5000`, `[::]:5001` | Where to listen |
| `POD_IP` | looked up | The IP |
| `POD_NAMESPACE` | | The namespace |
| `MAX_RATE` | `10000` | `twoapi load`: The highest `--rate` |

<!-- from the programs: subcommands -->

| Command | Default | What it does |
| --- | --- | --- |
| `twoapi load --rate <rate> <url> [how]` | | Sends requests |
| `twoapi load … <url>` | | Where to |
| `twoapi load … [how]` | `fast` | How: `fast`, `slow` |
| `twoapi load … --rate <rate>` | | Requests a second |
| `twoapi load … --fresh` | | Opens connections |

| Service | Request | Answer |
| --- | --- | --- |
| oneapi | `GET /test`, `GET /test?minutes=N` | the IP |
| oneapi | `DELETE /burns/ID` | ends one |
| twoapi | `GET /` | the page |
| both | `GET /livez` | `ok` |
| both | `grpc.health.v1.Health/Check` | serving |

| Variable | Default | What it chooses |
| --- | --- | --- |
| `TAG` | `1.0`, or what was chosen | the version |
| `CHOSEN` | `b` | another |
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
        Command::new(name).args([
            arg!(--listen <LISTEN> "Where to listen")
                .default_value(listen)
                .env("LISTEN"),
            arg!(--ip <IP> "The IP [default: looked up]").env("POD_IP"),
            arg!(--namespace <NAME> "The namespace").env("POD_NAMESPACE"),
        ])
    };
    let most = arg!(--"max-rate" <RATE> "The highest `--rate`").default_value("10000");
    let load = Command::new("load").about("Sends requests").args([
        arg!(<url> "Where to"),
        arg!([how] "How")
            .value_parser(["fast", "slow"])
            .default_value("fast"),
        arg!(--rate <rate> "Requests a second").required(true),
        arg!(--fresh "Opens connections"),
        most.env("MAX_RATE"),
    ]);
    let requests = "oneapi GET /test
oneapi DELETE /burns/{id}
oneapi GET /livez
oneapi POST /grpc.health.v1.Health/Check
twoapi GET /
twoapi GET /page/events
twoapi GET /livez
twoapi POST /grpc.health.v1.Health/Check";
    let requests = requests.lines().filter_map(|line| line.split_once(' '));
    Programs {
        commands: vec![
            serve("oneapi", "[::]:5000"),
            serve("twoapi", "[::]:5001").subcommand(load),
        ],
        requests: requests
            .map(|(service, request)| (service.to_owned(), request.to_owned()))
            .collect(),
    }
}

struct Tree(TempDir);

impl Tree {
    /// In which nothing is wrong.
    fn new() -> Self {
        let tree = Self(TempDir::new().unwrap());
        let makefile =
            "TAG ?= 1.0# what\nCHOSEN ?= $(shell echo a)\n\nrun test: ## runs it\n\techo\n";
        tree.write("Makefile", makefile);
        tree.write("k8s/pod.yaml", "kind: Pod\n");
        tree.write("docs/page-en.png", "");
        tree.write("docs/page-zh.png", "");
        tree.write(
            "docs/bench.json",
            r#"{"starts": [{"name": "pause", "values": [1]}, {"name": "oneapi", "values": [0.014, 0.01254, 0.011]}, {"name": "large", "cores": 2, "values": 3200000}]}"#,
        );
        for (path, text) in [("docs/reference.md", REFERENCE), ("docs/guide.md", GUIDE)] {
            tree.write(path, text);
            let chinese = text
                .replace("(guide.md#first-steps)", "(guide.zh-CN.md#第一步)")
                .replace("(reference.zh-CN.md)", "(reference.md)")
                .replace("## First steps", "## 第一步")
                .replace("both", "两者")
                .replace("looked up", "自动查找")
                .replace("The namespace", "命名空间");
            tree.write(&counterpart(path), &chinese);
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

    fn findings(&self) -> Vec<String> {
        check(self.0.path(), &programs()).unwrap()
    }
}

fn counterpart(path: &str) -> String {
    path.replace(".md", ".zh-CN.md")
}

/// A case is two lines: a document with what is replaced in it, and the finding then.
fn cases(text: &str) -> Vec<[String; 4]> {
    let lines: Vec<&str> = text.trim().lines().collect();
    let cases = lines.chunks(2).map(|case| {
        let (path, change) = case[0].split_once(": ").unwrap();
        let (from, to) = change.split_once(" ⇒").unwrap();
        [path, from, to.trim_start(), case[1]].map(|part| part.replace("\\n", "\n"))
    });
    cases.collect()
}

#[test]
fn a_tree_in_which_nothing_is_wrong_has_no_findings() {
    let tree = Tree::new();
    for folder in ["target", "node_modules", ".git"] {
        tree.write(&format!("{folder}/a.md"), "[a](none.md)\n");
    }
    tree.write("CHANGELOG.md", "# It has no counterpart\n");
    assert_eq!(tree.findings(), [""; 0]);
}

#[test]
fn missing_documents_are_found() {
    let empty = TempDir::new().unwrap();
    let findings = check(empty.path(), &Programs::default()).unwrap();
    let expected = [
        "There are no documents here.",
        "There is no docs/reference.md, which has the tables.",
        "There is no docs/reference.zh-CN.md, which has the tables.",
    ];
    assert_eq!(findings, expected);
    let tree = Tree::new();
    tree.write("docs/more/new.md", "# New\n");
    tree.write("docs/old.zh-CN.md", "# 旧\n");
    let expected = [
        "docs/more/new.md has no counterpart docs/more/new.zh-CN.md.",
        "docs/old.zh-CN.md has no counterpart docs/old.md.",
    ];
    assert_eq!(tree.findings(), expected);
}

const DIFFERENCES: &str = r#"
docs/guide.zh-CN.md: # Guide ⇒ ## Guide
docs/guide.md:1: A heading of level 1 differs from docs/guide.zh-CN.md:1: A heading of level 2.
docs/guide.zh-CN.md: - two\n ⇒
docs/guide.md:6: An item of a list differs from docs/guide.zh-CN.md:7: A code block (sh).
docs/guide.zh-CN.md: -n a ⇒ -n b
docs/guide.md:9: The line of code "kubectl apply -n a -f k8s/pod.yaml" differs from docs/guide.zh-CN.md:9: The line of code "kubectl apply -n b -f k8s/pod.yaml".
docs/guide.zh-CN.md: pod/a ⇒ pod/b
docs/guide.md:13: The line of code "pod/a created" differs from docs/guide.zh-CN.md:13: The line of code "pod/b created".
docs/guide.zh-CN.md: ```text ⇒ ```yaml
docs/guide.md:12: A code block (text) differs from docs/guide.zh-CN.md:12: A code block (yaml).
docs/guide.zh-CN.md: ```sh ⇒ <!-- exit 1 -->\n```sh
docs/guide.md:8: A code block (sh) differs from docs/guide.zh-CN.md:8: The comment "exit 1".
docs/guide.zh-CN.md: \n> Ready after ⇒ \nReady after
docs/guide.md:16: A quotation differs from docs/guide.zh-CN.md:16: The comment "measured: docs/bench.json, starts, name=oneapi, values, in ms".
docs/guide.zh-CN.md: in ms -->.\n ⇒ in ms -->.\n\n<details>\n
docs/guide.md:16: The comment "measured: docs/bench.json, starts, name=oneapi, values, in ms" differs from docs/guide.zh-CN.md:18: The tag <details>.
docs/guide.zh-CN.md: 12.5 ms<!-- measured: docs/bench.json, starts, name=oneapi, values, in ms --> ⇒ 12.5 ms
docs/guide.md:16: The comment "measured: docs/bench.json, starts, name=oneapi, values, in ms" differs from the end of docs/guide.zh-CN.md.
docs/guide.zh-CN.md: - two ⇒ - two [a](../k8s/pod.yaml)
docs/guide.md:16: The comment "measured: docs/bench.json, starts, name=oneapi, values, in ms" differs from docs/guide.zh-CN.md:6: A link to ../k8s/pod.yaml.
docs/guide.md: - two ⇒ - two [a](https://example.com/)
docs/guide.md:6: A link to https://example.com/ differs from docs/guide.zh-CN.md:16: The comment "measured: docs/bench.json, starts, name=oneapi, values, in ms".
docs/reference.md: #first-steps ⇒ #last-steps
docs/reference.md:3: It links to guide.md#last-steps, and docs/guide.md has no such heading.
docs/reference.zh-CN.md: #第一步 ⇒ #first-steps
docs/reference.zh-CN.md:3: It links to guide.zh-CN.md#first-steps, and docs/guide.zh-CN.md has no such heading.
docs/reference.zh-CN.md: | `CHOSEN` | `b` | another | ⇒ | `CHOSEN` | `b` |
docs/reference.md:35: A row with the code "CHOSEN | b | " differs from docs/reference.zh-CN.md:35: A row with the code "CHOSEN | b | empty".
docs/reference.zh-CN.md: the version ⇒ `--fresh`
docs/reference.md:34: A row with the code "TAG | 1.0 | " differs from docs/reference.zh-CN.md:34: A row with the code "TAG | 1.0 | --fresh".
"#;

#[test]
fn each_difference_between_the_languages_is_found() {
    for [path, from, to, finding] in cases(DIFFERENCES) {
        let findings = Tree::new().change(&path, &from, &to).findings();
        assert_eq!(findings, [finding], "{from}");
    }
}

/// What follows an item of a list in English and in Chinese.
const MAY_DIFFER: &str = r#"
\n\n```mermaid\nwords\n```\n ⇒ \n\n```mermaid\n文字\n```\n
\n\n<!-- not run: a formula -->\n```text\na > b\n```\n ⇒ \n\n<!-- not run: a formula -->\n```text\n甲 > 乙\n```\n
 [a](https://kubernetes.io/docs/a) ⇒  [a](https://kubernetes.io/zh-cn/docs/a)
 ![a](page-en.png) ⇒  ![a](page-zh.png)
 a [reference](reference.md), [reference.md](reference.md) ⇒  [Reference: all](reference.zh-CN.md) [reference](reference.zh-CN.md)
 3.2 MB<!-- LARGE --> 1,000 ms<!-- PAUSE --> ⇒  1,000 ms<!-- PAUSE --> 3.2 MB<!-- LARGE -->
"#;

#[test]
fn what_may_differ_between_the_languages_is_not_found() {
    for case in MAY_DIFFER.trim_matches('\n').lines() {
        let large = "measured: docs/bench.json, starts, cores=2, values, in MB";
        let pause = "measured: docs/bench.json, starts, name=pause, values, in ms";
        let case = case.replace("\\n", "\n");
        let case = case.replace("LARGE", large).replace("PAUSE", pause);
        let (english, chinese) = case.split_once(" ⇒ ").unwrap();
        let tree = Tree::new().change("docs/guide.md", "- two", &format!("- two{english}"));
        let tree = tree.change("docs/guide.zh-CN.md", "- two", &format!("- two{chinese}"));
        assert_eq!(tree.findings(), [""; 0], "{case}");
    }
}

/// PATH is the document.
const IN_BOTH: &str = r#"
docs/guide.md: - two ⇒ - two [a](../none.md)
:6: It links to ../none.md, which isn't there.
docs/guide.md: - two ⇒ - two [page](reference.md), [the page](reference.md#reference-all)
:6: It calls reference.md "page", whose title is "Reference: all".
docs/guide.md: > Ready ⇒ <img src="none.svg">\n\n> Ready
:16: It links to none.svg, which isn't there.
docs/guide.md: - two ⇒ - two [a](#none)
:6: It links to #none, and PATH has no such heading.
docs/guide.md: 12.5 ms ⇒ 12.4 ms
:16: It says 12.4, and 12.5 was measured (docs/bench.json).
docs/guide.md: 12.5 ms ⇒ 12 ms
:16: It says 12, and 13 was measured (docs/bench.json).
docs/guide.md: 12.5 ms ⇒ soon
:16: There is no number before `measured`.
docs/guide.md: name=oneapi ⇒ name=other
:16: There is no name=other in docs/bench.json where `measured` says.
docs/guide.md: in ms ⇒ in inches
:16: There is no in inches in docs/bench.json where `measured` says.
docs/guide.md: docs/bench.json ⇒ docs/guide.md
:16: docs/guide.md is not JSON: expected value at line 1 column 1.
docs/guide.md: values, in ⇒ name, in
:16: There is no number in docs/bench.json where `measured` says.
docs/guide.md: pod/a created ⇒ at 2026-01-01T00:00:00Z\n...\nat 2026-01-01T00:20:00.5Z
:12: A time here is later than a run takes since the first, which is in line 12.
docs/guide.md: pod/a created ⇒ a\n```\n```sh\nask pods/a:5000/test\n```\n```text\n10.0.0.1\n```\n```sh\nask services/a:5000/test\n```\n```text\n10.0.0.2
:24: The IP of a is 10.0.0.2, and in line 18 it is 10.0.0.1.
docs/reference.md: `10000` ⇒ `1000`
: Its tables are out of date: `BLESS=1 cargo test -p documents --test repository` writes them.
docs/reference.md: | `twoapi load … --fresh` | | Opens connections |\n ⇒
: Its tables are out of date: `BLESS=1 cargo test -p documents --test repository` writes them.
docs/reference.md: <!-- from the programs: settings --> ⇒
 has no table below <!-- from the programs: settings -->.
docs/reference.md: `TAG` | `1.0` ⇒ `TAG` | `1.1`
:34: The default of TAG is 1.0.
docs/reference.md: `GET /test`, ⇒ `GET /tests`, `GET /test`,
 names GET /tests, which oneapi doesn't serve.
docs/reference.md: | oneapi | `DELETE /burns/ID` | ends one |\n ⇒
 has no row for DELETE /burns/* of oneapi.
docs/reference.md: | twoapi | `GET /` ⇒ | twoapi | `GET /`, `grpc.health.v1.Health/Watch`
 names POST /grpc.health.v1.Health/Watch, which twoapi doesn't serve.
"#;

#[test]
fn what_is_wrong_in_both_languages_is_found_in_both() {
    for [path, from, to, finding] in cases(IN_BOTH) {
        let counterpart = counterpart(&path);
        let tree = Tree::new().change(&path, &from, &to);
        let findings = tree.change(&counterpart, &from, &to).findings();
        // The words of a row that is lost are lost too.
        let findings = findings
            .iter()
            .filter(|finding| !finding.contains("It doesn't say what"));
        let expected =
            [&path, &counterpart].map(|path| format!("{path}{}", finding.replace("PATH", path)));
        assert!(findings.eq(&expected), "{from}: {expected:?}");
    }
}

#[test]
fn tables_are_written_and_keep_their_chinese_words() {
    let tree = Tree::new();
    let missing = "| `MAX_RATE` | `10000` | `twoapi load`: The highest `--rate` |\n";
    for path in ["docs/reference.md", "docs/reference.zh-CN.md"] {
        let text = tree.read(path).replace(missing, "");
        let (before, after) = text.split_once("| `POD_IP`").unwrap();
        let (ip, after) = after.split_once('\n').unwrap();
        let (namespace, after) = after.split_once('\n').unwrap();
        let text = format!("{before}{namespace}\n| `OLD` | | words |\n| `POD_IP`{ip}\n{after}");
        tree.write(path, &text);
    }
    tables::write(tree.0.path(), &programs()).unwrap();
    assert_eq!(tree.read("docs/reference.md"), REFERENCE);
    let chinese = Tree::new().read("docs/reference.zh-CN.md");
    let chinese = chinese.replace(missing, "| `MAX_RATE` | `10000` | |\n");
    assert_eq!(tree.read("docs/reference.zh-CN.md"), chinese);
    let unsaid = "docs/reference.zh-CN.md: It doesn't say what `MAX_RATE` is.";
    let findings = tree.findings();
    assert!(findings.contains(&unsaid.to_owned()), "{findings:?}");
}

/// Two lines each: commands, and the finding or none.
const COMMANDS: &str = r#"make fly
:4: It says make fly, which the Makefile doesn't have.
cd a && make run fly
:4: It says make fly, which the Makefile doesn't have.
export A=$(make fly)
:4: It says make fly, which the Makefile doesn't have.
true\nA=b make fly
:5: It says make fly, which the Makefile doesn't have.
A=1 make run WIDTH=2
:4: It sets WIDTH, which the Makefile doesn't have.
sed s/a/b/ k8s/none.yaml | kubectl apply -f -
:4: It names k8s/none.yaml, which isn't there.
kubectl apply -f k8s/pod.yaml --patch-file=scripts/a
:4: It names scripts/a, which isn't there.
ls # all\ngrep '# b' a#b "c #d"
:4: An interactive zsh takes a comment for words of the command: say it above the block.
```\n\nSay `make fly`.\n\n```sh
:6: It says make fly, which the Makefile doesn't have.
```\n```\nls
:5: A code block says what is in it: `sh` for commands, which are run, `text` for their output.
```\n<!-- not run: -->\n```sh
:5: "not run:" is none of: exit N, within D, until D, any order, numbers within P%, numbers vary, not run: reason.
make -j2 test TAG="2 fly"\nA=make\necho make fly

kubectl apply -f https://example.com/k8s/a.yaml
"#;

#[test]
fn what_is_wrong_with_commands_is_found() {
    let lines: Vec<&str> = COMMANDS.lines().collect();
    for case in lines.chunks(2) {
        let (commands, finding) = (
            case[0].replace("\\n", "\n"),
            case.get(1).copied().unwrap_or_default(),
        );
        let tree = Tree::new();
        tree.write("NOTES.md", &format!("# Notes\n\n```sh\n{commands}\n```\n"));
        let found = tree.findings().join("\n").replace("NOTES.md", "");
        assert_eq!(found, finding, "{commands}");
    }
}
