//! What commands in the documents name exists: verbs and variables of `make`, files that kubectl is
//! given, flags of the programs. And whatever looks like commands is run.

use std::{fs, path::Path, sync::LazyLock};

use regex::Regex;

use super::{Documents, Programs, at};
use crate::page::Kind;

static COMMENT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(^| )#.*").expect("it is tested"));
static SEPARATOR: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[;&|()`]+").expect("it is tested"));
/// Spaces in quotes don't end it.
static WORD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?:"[^"]*"|'[^']*'|\S)+"#).expect("it is tested"));
/// A prompt, or a variable in front of a command.
static BEFORE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?:\$|[A-Z_][A-Z0-9_]*=.*)?$").expect("it is tested"));

/// The verbs and the variables of a Makefile.
#[derive(Debug, Default)]
pub(super) struct Makefile {
    verbs: Vec<String>,
    /// With their defaults.
    pub(super) variables: Vec<(String, String)>,
}

impl Makefile {
    pub(super) fn read(root: &Path) -> Self {
        static RULE: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?m)^(?<verbs>[a-z][a-z0-9_. -]*):(?:[^=]|$)").expect("it is tested")
        });
        static VARIABLE: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?m)^(?<name>[A-Z][A-Z0-9_]*) *[?:]*= *(?<value>.*)$")
                .expect("it is tested")
        });
        // Without one, each verb is a finding.
        let text = fs::read_to_string(root.join("Makefile")).unwrap_or_default();
        let verbs = RULE.captures_iter(&text);
        let verbs = verbs.flat_map(|rule| {
            let verbs = rule["verbs"].split_whitespace().map(str::to_owned);
            verbs.collect::<Vec<_>>()
        });
        let variables = VARIABLE.captures_iter(&text);
        let variables =
            variables.map(|variable| (variable["name"].to_owned(), variable["value"].to_owned()));
        Self {
            verbs: verbs.collect(),
            variables: variables.collect(),
        }
    }
}

pub(super) fn check(
    root: &Path,
    documents: &Documents,
    programs: &Programs,
    findings: &mut Vec<String>,
) {
    let makefile = Makefile::read(root);
    for page in &documents.pages {
        for (line, code) in page.code() {
            let code = COMMENT.replace(&code, "");
            for command in SEPARATOR.split(&code) {
                let words: Vec<&str> = WORD
                    .find_iter(command)
                    .map(|word| word.as_str())
                    .skip_while(|word| BEFORE.is_match(word))
                    .collect();
                let mut sentences = Vec::new();
                match words[..] {
                    ["make", ref words @ ..] => make(&makefile, words, &mut sentences),
                    ["kubectl", ref words @ ..] => kubectl(root, words, &mut sentences),
                    _ => {}
                }
                programs.check_flags(&words, &mut sentences);
                findings.extend(
                    sentences
                        .iter()
                        .map(|sentence| at(&page.path, line, sentence)),
                );
            }
        }
        for element in &page.elements {
            if let Kind::Block(info, text) = &element.kind
                && info == "sh"
            {
                for (index, _) in text
                    .lines()
                    .enumerate()
                    .filter(|(_, line)| has_comment(line))
                {
                    let sentence = "An interactive zsh takes a comment for words of the command: say it \
                                    above the block.";
                    findings.push(at(&page.path, element.line + 1 + index, sentence));
                }
            }
            if let Kind::Block(info, _) = &element.kind
                && let "bash" | "shell" | "console" | "zsh" | "" | "indented" = info.as_str()
            {
                let sentence = "A code block says what is in it: `sh` for commands, which are run, \
                                `text` for their output.";
                findings.push(at(&page.path, element.line, sentence));
            }
        }
    }
}

fn has_comment(line: &str) -> bool {
    WORD.find_iter(line)
        .any(|word| word.as_str().starts_with('#'))
}

fn make(makefile: &Makefile, words: &[&str], sentences: &mut Vec<String>) {
    for word in words {
        if !word.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
            continue;
        }
        if let Some((name, _)) = word.split_once('=') {
            if !makefile.variables.iter().any(|(known, _)| known == name) {
                sentences.push(format!("It sets {name}, which the Makefile doesn't have."));
            }
        } else if !makefile.verbs.iter().any(|verb| verb == word) {
            sentences.push(format!(
                "It says make {word}, which the Makefile doesn't have."
            ));
        }
    }
}

/// Files that these verbs are given are in the repository. (`-f` of `kubectl logs` is another flag.)
const VERBS_WITH_FILES: [&str; 6] = ["apply", "create", "delete", "diff", "patch", "replace"];

fn kubectl(root: &Path, words: &[&str], sentences: &mut Vec<String>) {
    // Behind `--` is a command for a container.
    let end = words.iter().position(|word| *word == "--");
    let words = &words[..end.unwrap_or(words.len())];
    if !words.iter().any(|word| VERBS_WITH_FILES.contains(word)) {
        return;
    }
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let file = match *word {
            "-f" | "-k" | "--filename" | "--kustomize" | "--patch-file" => words.next().copied(),
            word => ["-f=", "--filename=", "--kustomize=", "--patch-file="]
                .iter()
                .find_map(|flag| word.strip_prefix(flag)),
        };
        let file = file.unwrap_or("-").trim_matches(['"', '\'']);
        // Standard input, a URL, a variable, a placeholder.
        if file != "-"
            && !file.contains("://")
            && !file.contains(['$', '<'])
            && !root.join(file).exists()
        {
            sentences.push(format!("It gives {file} to kubectl, which isn't there."));
        }
    }
}
