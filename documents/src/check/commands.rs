//! What commands in the documents name exists: verbs and variables of `make`, files of the repository, flags
//! of the programs. And whatever looks like commands is run.

use std::{fs, path::Path, sync::LazyLock};

use regex::Regex;

use super::tree::{Programs, Tree, at};
use crate::elements::{Kind, code};

fn regex(expression: &str) -> Regex {
    Regex::new(expression).expect("it is tested")
}

static COMMENT: LazyLock<Regex> = LazyLock::new(|| regex(r"(^| )#.*"));
static SEPARATOR: LazyLock<Regex> = LazyLock::new(|| regex(r"[;&|()`]+"));
/// Spaces in quotes don't end it.
static WORD: LazyLock<Regex> = LazyLock::new(|| regex(r#"(?:"[^"]*"|'[^']*'|\S)+"#));
/// A prompt, or a variable in front of a command.
static BEFORE: LazyLock<Regex> = LazyLock::new(|| regex(r"^(?:\$|[A-Z_][A-Z0-9_]*=.*)?$"));
/// A file or a folder of the repository.
static PATH: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"(?:^|[ ='"])(?<path>(?:k8s|scripts|findings)/[\w./-]*\w)"#));
static RULE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?m)^(?<verbs>[a-z][a-z0-9_. -]*):(?:[^=]|$)"));
static VARIABLE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?m)^(?<name>[A-Z][A-Z0-9_]*) *[?:]*= *(?<value>.*)$"));

/// The verbs and the variables of a Makefile.
pub(super) struct Makefile {
    verbs: Vec<String>,
    /// With their defaults.
    pub(super) variables: Vec<(String, String)>,
}

impl Makefile {
    pub(super) fn read(root: &Path) -> Self {
        // Without one, each verb is a finding.
        let text = fs::read_to_string(root.join("Makefile")).unwrap_or_default();
        let rules = RULE
            .captures_iter(&text)
            .map(|rule| rule["verbs"].to_owned());
        let verbs = rules.collect::<Vec<_>>().join(" ");
        let variables = VARIABLE.captures_iter(&text);
        let variables =
            variables.map(|found| (found["name"].to_owned(), found["value"].to_owned()));
        Self {
            verbs: verbs.split_whitespace().map(str::to_owned).collect(),
            variables: variables.collect(),
        }
    }

    fn check(&self, words: &[&str], sentences: &mut Vec<String>) {
        for word in words {
            if !word.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
                continue;
            }
            let sentence = match word.split_once('=') {
                Some((name, _)) if self.variables.iter().any(|(known, _)| known == name) => {
                    continue;
                }
                None if self.verbs.iter().any(|verb| verb == word) => continue,
                Some((name, _)) => format!("It sets {name}, which the Makefile doesn't have."),
                None => format!("It says make {word}, which the Makefile doesn't have."),
            };
            sentences.push(sentence);
        }
    }
}

impl Programs {
    /// Finds flags that the program of a command doesn't have.
    fn check_flags(&self, words: &[&str], sentences: &mut Vec<String>) {
        let command = |at: usize| {
            let program = words.get(at)?.rsplit('/').next()?;
            let mut commands = self.commands.iter();
            let command = commands.find(|command| command.get_name() == program)?;
            Some((command, &words[at + 1..]))
        };
        // The command itself, or the one that `kubectl exec … --` runs.
        let inner = words.iter().position(|word| *word == "--");
        let inner = || inner.and_then(|at| command(at + 1));
        let Some((program, words)) = command(0).or_else(inner) else {
            return;
        };
        let subcommand = words.iter().find_map(|word| program.find_subcommand(word));
        for word in words {
            let flag = word.split('=').next().unwrap_or_default();
            let Some(flag) = flag.strip_prefix("--") else {
                continue;
            };
            let mut arguments = subcommand.unwrap_or(program).get_arguments();
            let known = arguments.any(|argument| argument.get_long() == Some(flag));
            if !known && !matches!(flag, "" | "help" | "version") {
                let subcommand = subcommand.map_or("", clap::Command::get_name);
                let program = format!("{} {subcommand}", program.get_name());
                sentences.push(format!("{} has no flag --{flag}.", program.trim()));
            }
        }
    }
}

pub(super) fn check(tree: &Tree<'_>, findings: &mut Vec<String>) {
    let makefile = Makefile::read(tree.root);
    for document in &tree.documents {
        for (line, code) in code(&document.elements) {
            let mut sentences = Vec::new();
            let code = COMMENT.replace(&code, "");
            for path in PATH.captures_iter(&code) {
                if !tree.root.join(&path["path"]).exists() {
                    sentences.push(format!("It names {}, which isn't there.", &path["path"]));
                }
            }
            for command in SEPARATOR.split(&code) {
                let words = WORD.find_iter(command).map(|word| word.as_str());
                let words: Vec<&str> = words.skip_while(|word| BEFORE.is_match(word)).collect();
                if let ["make", words @ ..] = &words[..] {
                    makefile.check(words, &mut sentences);
                }
                tree.programs.check_flags(&words, &mut sentences);
            }
            let sentences = sentences.iter();
            findings.extend(sentences.map(|sentence| at(document, line, sentence)));
        }
        for element in &document.elements {
            let Kind::Block(block) = &element.kind else {
                continue;
            };
            if let "bash" | "shell" | "console" | "zsh" | "" | "indented" = block.info.as_str() {
                let sentence = "A code block says what is in it: `sh` for commands, which are run, \
                                `text` for their output.";
                findings.push(at(document, element.line, sentence));
            }
            for (index, line) in block.text.lines().enumerate() {
                let mut words = WORD.find_iter(line);
                if block.info == "sh" && words.any(|word| word.as_str().starts_with('#')) {
                    let sentence = "An interactive zsh takes a comment for words of the command: say it \
                                    above the block.";
                    findings.push(at(document, element.line + 1 + index, sentence));
                }
            }
        }
    }
}
