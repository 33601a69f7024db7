//! The commands of a document arrive as they are written when a reader pastes them: an interactive zsh, macOS's
//! default, and an interactive bash give each command the same words and the same input as the bash does in which
//! `make docs` runs them. An interactive shell expands `!`, and zsh takes `# …` for words, `?` and `[` for files
//! that have to be there and `=word` for a path. No command is run: each is a stub that writes down what arrives.
//! Left out is what only a terminal does.

#![allow(clippy::unwrap_used)] // a test may

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use documents::{
    document::{documents, is_chinese},
    elements::Kind,
};
use tempfile::TempDir;

/// What both shells read first. Without a PATH each command is unknown, and the stub is what shells have for
/// those. It reads what isn't the pasted text itself, and prints a word, or what blocks wait for:
/// that no fault switch is set.
const STUBS: &str = r#"
PATH=/nonexistent
ulimit -t 20
arrived() {
  local input=
  [ /dev/stdin -ef "$PASTED" ] || IFS= read -r -d '' input
  printf '%s\0' "$(printf '<%s>' "$@" "$input")" >>"$ARRIVED"
  case $* in */faults) echo '[]' ;; *) echo word ;; esac
}
command_not_found_handle() { arrived "$@"; }
command_not_found_handler() { arrived "$@"; }
kill() { arrived kill; }
"#;

/// The shells, and how they are told to be interactive and to read the stubs. The first one is not interactive.
const SHELLS: [(&str, &[&str]); 3] = [
    ("bash", &[]),
    ("bash", &["--noprofile", "--rcfile", ".zshrc", "-i"]),
    ("zsh", &["-d", "-i"]),
];

/// What arrives from a text in a shell, sorted, since the commands of a pipe run side by side.
fn arrived(text: &str, (shell, arguments): (&str, &[&str])) -> Vec<String> {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path(".zshrc"), STUBS).unwrap();
    fs::create_dir(path("scripts")).unwrap();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts");
    for script in fs::read_dir(scripts).unwrap() {
        let name = format!("scripts/{}", script.unwrap().file_name().to_string_lossy());
        let stub = format!("#!/bin/bash\n. \"$HOME/.zshrc\"\narrived {name} \"$@\"\n");
        fs::write(path(&name), stub).unwrap();
        fs::set_permissions(path(&name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(path("pasted"), text).unwrap();
    fs::write(path("arrived"), "").unwrap();
    Command::new(shell)
        .args(arguments)
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", folder.path())
        .env("BASH_ENV", path(".zshrc"))
        .env("PASTED", path("pasted"))
        .env("ARRIVED", path("arrived"))
        .stdin(File::open(path("pasted")).unwrap())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let arrived = fs::read_to_string(path("arrived")).unwrap();
    let mut arrived: Vec<String> = arrived.split('\0').map(str::to_owned).collect();
    arrived.sort();
    arrived
}

/// Whether there is zsh. That a test is skipped is said past cargo's capture.
fn zsh(test: &str) -> bool {
    let found = Command::new("zsh").arg("--version").output().is_ok();
    if !found {
        let _ = writeln!(std::io::stderr(), "{test} is skipped: there is no zsh");
    }
    found
}

/// The shells in which something else arrives than in the first one, and the first thing of each that doesn't.
fn differences(text: &str) -> Vec<String> {
    let expected = arrived(text, SHELLS[0]);
    let others = SHELLS[1..].iter().filter_map(|shell| {
        let found = arrived(text, *shell);
        let lost = expected.iter().find(|command| !found.contains(command));
        let other = found.iter().find(|command| !expected.contains(command));
        let same = found == expected;
        (!same).then(|| format!("{} lost {lost:?} and got {other:?}", shell.0))
    });
    others.collect()
}

#[test]
fn what_is_pasted_into_an_interactive_shell_arrives() {
    if !zsh("what_is_pasted_into_an_interactive_shell_arrives") {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut findings = Vec::new();
    for document in documents(&root).unwrap() {
        // The blocks of both languages are the same.
        let blocks = document.elements.iter().filter_map(|it| match &it.kind {
            Kind::Block(info, code) if info == "sh" && !is_chinese(&document.path) => Some(code),
            _ => None,
        });
        let text: String = blocks.map(String::as_str).collect();
        let found = differences(&text).into_iter();
        findings.extend(found.map(|it| format!("{}: {it}", document.path.display())));
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn what_does_not_arrive_is_found() {
    if !zsh("what_does_not_arrive_is_found") {
        return;
    }
    for (text, shells) in [
        ("kubectl get pods # all", "zsh"),
        ("curl localhost:5000/test?a=b", "zsh"),
        ("kubectl get pod -o jsonpath={.items[0]}", "zsh"),
        ("kubectl =word", "zsh"),
        ("kubectl a!b", "bash zsh"),
        ("kubectl \"it works!\" | grep it", "zsh"),
        (
            "kubectl 'a # b?[0]!' \"c\" && make <<'END'\nd # !e\nEND",
            "",
        ),
    ] {
        let found = differences(text);
        let found: Vec<_> = found.iter().filter_map(|it| it.split(' ').next()).collect();
        assert_eq!(found.join(" "), shells, "{text}");
    }
}
