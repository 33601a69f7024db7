//! What commands in the documents name exists: verbs and variables of `make`, files of the repository. And
//! whatever looks like commands is run, also in an interactive zsh.

use std::{fs, path::Path, sync::LazyLock};

use regex::Regex;

use super::tree::Tree;
use crate::{
    compare::regex,
    elements::{Element, Kind},
};

static COMMENT: LazyLock<Regex> = LazyLock::new(|| regex(r"(?:^|\s)#.*"));
static QUOTED: LazyLock<Regex> = LazyLock::new(|| regex(r#""[^"]*"|'[^']*'"#));
/// A call of `make`, after variables of its own or a prompt, up to where the command ends.
static MAKE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?:^|[;&|(`$]) *(?:[A-Z_]+=\S* +)*make(?<words>(?: [^;&|()`]*)?)"));
/// A file or a folder of the repository.
static PATH: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"(?:^|[ ='"])(?<path>(?:k8s|scripts|findings)/[\w./-]*\w)"#));
static RULE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?m)^(?<verbs>[a-z][a-z0-9_. -]*):(?:[^=]|$)"));
static VARIABLE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?m)^(?<name>[A-Z][A-Z0-9_]*) *[?:]*= *(?<value>[^#\n]*)"));

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
        let mut verbs = Vec::new();
        for rule in RULE.captures_iter(&text) {
            verbs.extend(rule["verbs"].split_whitespace().map(str::to_owned));
        }
        let variables = VARIABLE.captures_iter(&text);
        let variables = variables.map(|found| (found["name"].into(), found["value"].into()));
        Self {
            verbs,
            variables: variables.collect(),
        }
    }

    /// What is wrong with a word after `make`.
    fn check(&self, word: &str) -> Option<String> {
        if !word.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
            return None;
        }
        let (what, known) = match word.split_once('=') {
            Some((name, _)) => {
                let known = self.variables.iter().any(|(known, _)| known == name);
                (format!("sets {name}"), known)
            }
            None => {
                let known = self.verbs.iter().any(|verb| verb == word);
                (format!("says make {word}"), known)
            }
        };
        (!known).then(|| format!("It {what}, which the Makefile doesn't have."))
    }
}

pub(super) fn check(tree: &Tree<'_>, findings: &mut Vec<String>) {
    let makefile = Makefile::read(tree.root);
    for document in &tree.documents {
        for Element { line, kind } in &document.elements {
            let (info, code, first) = match kind {
                Kind::Code(code) => (None, code, *line),
                Kind::Block(info, code) => (Some(info.as_str()), code, line + 1),
                _ => continue,
            };
            if let Some("bash" | "shell" | "console" | "zsh" | "" | "indented") = info {
                let sentence = "A code block says what is in it: `sh` for commands, which are run, \
                                `text` for their output.";
                findings.push(document.at(*line, sentence));
            }
            for (index, code) in code.lines().enumerate() {
                let sentences = check_line(tree.root, &makefile, code, info == Some("sh"));
                let found = sentences.iter().map(|it| document.at(first + index, it));
                findings.extend(found);
            }
        }
    }
}

/// What is wrong in a line of code, which may be one that is run.
fn check_line(root: &Path, makefile: &Makefile, line: &str, is_run: bool) -> Vec<String> {
    let mut sentences = Vec::new();
    // What is in quotes is one word.
    let unquoted = QUOTED.replace_all(line, "quoted");
    if is_run && COMMENT.is_match(&unquoted) {
        let sentence = "An interactive zsh takes a comment for words of the command: say it above the \
                        block.";
        sentences.push(sentence.to_owned());
    }
    for path in PATH.captures_iter(&COMMENT.replace(line, "")) {
        if !root.join(&path["path"]).exists() {
            sentences.push(format!("It names {}, which isn't there.", &path["path"]));
        }
    }
    for call in MAKE.captures_iter(&COMMENT.replace(&unquoted, "")) {
        let words = call["words"].split_whitespace();
        sentences.extend(words.filter_map(|word| makefile.check(word)));
    }
    sentences
}
