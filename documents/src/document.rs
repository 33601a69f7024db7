//! What a document has to be run: its `sh` blocks in order, the output that follows each, and what
//! hidden comments say about them. It doesn't run anything.

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};

use crate::elements::{CodeBlock, Element, Kind, elements};

/// How long a block may take unless it says `within`. Commands that wait have time-outs of their own, of
/// two minutes at most; a block that takes longer hangs.
pub const DEFAULT_LIMIT: Duration = Duration::from_secs(150);

/// Folders that are large, or have nothing to do with what the documents say.
pub const NOT_OURS: [&str; 3] = ["target", ".git", "node_modules"];

/// A document, and the blocks in it.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its path, from the repository's root.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// What it is made of.
    pub elements: Vec<Element>,
    /// Its `sh` blocks, in order.
    pub blocks: Vec<Block>,
    /// Whether it measures, and so needs the cluster for itself: `<!-- runs alone -->`.
    pub alone: bool,
    /// What is wrong with its blocks and comments.
    pub findings: Vec<Finding>,
}

/// Something wrong in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, in a sentence.
    pub sentence: String,
}

/// An `sh` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The line of its fence, from 1.
    pub line: usize,
    /// Its commands.
    pub code: String,
    /// The exit code that is expected: `<!-- exit 1 -->`.
    pub exit: i32,
    /// How long it may take: `<!-- within 60s -->`.
    pub limit: Duration,
    /// Whether it is repeated until its output matches, for at most `limit`: `<!-- until 60s -->`.
    pub repeated: bool,
    /// Why it isn't run: `<!-- not run: reason -->`.
    pub not_run: Option<String>,
    /// What it prints; none: whatever it prints is fine.
    pub output: Option<Output>,
}

/// The `text` block that follows an `sh` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The line of its fence, from 1.
    pub line: usize,
    /// What it says.
    pub text: String,
    /// Where that stands in the document's text.
    pub range: Range<usize>,
    /// What stands before its fence in the line.
    pub indent: String,
    /// How it is compared.
    pub rule: Rule,
    /// Why it isn't compared: `<!-- not run: reason -->`.
    pub not_compared: Option<String>,
}

/// How an output is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rule {
    /// Whether lines may come in any order: `<!-- any order -->`.
    pub any_order: bool,
    /// How exactly numbers are compared.
    pub numbers: Numbers,
}

impl Eq for Rule {}

/// How exactly numbers are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Numbers {
    /// They are the same.
    #[default]
    Equal,
    /// They differ by so much of the expected number at most: `<!-- numbers within 20% -->`.
    Within(f64),
    /// There is a number: `<!-- numbers vary -->`.
    Vary,
}

/// What one comment says. Several are separated by commas.
#[derive(Clone, Debug, PartialEq)]
enum Directive {
    Exit(i32),
    Within(Duration),
    Until(Duration),
    AnyOrder,
    Numbers(Numbers),
    NotRun(String),
}

impl Document {
    /// Reads the document at a path from the repository's root.
    pub fn read(root: &Path, path: &Path) -> Result<Self> {
        let text = fs::read_to_string(root.join(path))
            .with_context(|| format!("{} can't be read", path.display()))?;
        Ok(Self::parse(path, text))
    }

    /// Finds the blocks in a text.
    pub fn parse(path: &Path, text: String) -> Self {
        let elements = elements(&text);
        let mut reader = Reader::default();
        for element in &elements {
            reader.element(element);
        }
        reader.end();
        let Reader {
            blocks,
            alone,
            findings,
            ..
        } = reader;
        Self {
            path: path.to_owned(),
            text,
            elements,
            blocks,
            alone,
            findings,
        }
    }

    /// The name by which it is chosen, which is also part of its namespaces' names:
    /// `docs/states/pending.md` is `states-pending`, and a part of the tutorial is named by its file.
    pub fn name(&self) -> String {
        let path = self
            .path
            .with_extension("")
            .to_string_lossy()
            .to_lowercase();
        let path = path.strip_prefix("docs/").unwrap_or(&path);
        let path = path.strip_prefix("tutorial/").unwrap_or(path);
        path.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-")
    }
}

/// The paths of all documents below a folder, in all languages, sorted.
pub fn paths(root: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(root.join(&folder))
            .with_context(|| format!("{} can't be read", root.join(&folder).display()))?;
        for entry in entries {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                if !NOT_OURS.iter().any(|name| path.ends_with(name)) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    Ok(paths)
}

/// Whether a path is that of a document in Chinese.
pub fn is_chinese(path: &Path) -> bool {
    path.to_string_lossy().ends_with(".zh-CN.md")
}

/// The counterpart in the other language.
pub fn twin(path: &Path) -> PathBuf {
    if is_chinese(path) {
        path.with_extension("").with_extension("md")
    } else {
        path.with_extension("zh-CN.md")
    }
}

/// Finds the blocks among the elements.
#[derive(Default)]
struct Reader<'a> {
    /// Comments that no block has taken: their first and last lines, and what they say.
    comments: Vec<(usize, usize, &'a str)>,
    /// Whether the last block can still get its output.
    open: bool,
    blocks: Vec<Block>,
    alone: bool,
    findings: Vec<Finding>,
}

impl<'a> Reader<'a> {
    fn finding(&mut self, line: usize, sentence: impl Into<String>) {
        let sentence = sentence.into();
        self.findings.push(Finding { line, sentence });
    }

    fn element(&mut self, element: &'a Element) {
        match &element.kind {
            Kind::Comment(comment, _) if comment == "runs alone" => self.alone = true,
            Kind::Comment(comment, before) if before.is_empty() => {
                self.comments.push((element.line, element.last, comment));
            }
            Kind::Block(block) => self.block(element.line, block),
            Kind::Comment(..) | Kind::Code(_) | Kind::Link(_) => {}
            _ => self.open = false,
        }
    }

    fn block(&mut self, line: usize, block: &CodeBlock) {
        if !block.closed {
            self.finding(line, "This code block has no end.");
            return;
        }
        match block.info.split_whitespace().next() {
            Some("sh") => self.commands(line, block),
            Some("text") => self.output(line, block),
            _ => self.open = false,
        }
    }

    /// What the comments directly above a line say.
    fn directives(&mut self, mut line: usize) -> Vec<Directive> {
        let mut directives = Vec::new();
        while let Some((begin, _, comment)) = self.comments.pop_if(|(_, last, _)| *last + 1 == line)
        {
            match parse_directives(comment) {
                Ok(found) => directives.extend(found),
                Err(sentence) => self.finding(begin, sentence),
            }
            line = begin;
        }
        directives
    }

    fn commands(&mut self, line: usize, block: &CodeBlock) {
        let directives = self.directives(line);
        let mut block = Block {
            line,
            code: block.text.clone(),
            exit: 0,
            limit: DEFAULT_LIMIT,
            repeated: false,
            not_run: None,
            output: None,
        };
        for directive in directives {
            match directive {
                Directive::Exit(code) => block.exit = code,
                Directive::Within(limit) => block.limit = limit,
                Directive::Until(limit) => (block.limit, block.repeated) = (limit, true),
                Directive::NotRun(reason) => block.not_run = Some(reason),
                Directive::AnyOrder | Directive::Numbers(_) => self.finding(
                    line,
                    "`any order` and `numbers …` belong above a `text` block, not above an `sh` block.",
                ),
            }
        }
        self.blocks.push(block);
        self.open = true;
    }

    fn output(&mut self, line: usize, block: &CodeBlock) {
        let mut output = Output {
            line,
            text: block.text.clone(),
            range: block.range.clone(),
            indent: block.indent.clone(),
            rule: Rule::default(),
            not_compared: None,
        };
        for directive in self.directives(line) {
            match directive {
                Directive::AnyOrder => output.rule.any_order = true,
                Directive::Numbers(numbers) => output.rule.numbers = numbers,
                Directive::NotRun(reason) => output.not_compared = Some(reason),
                _ => self.finding(
                    line,
                    "`exit`, `within` and `until` belong above an `sh` block, not above a `text` block.",
                ),
            }
        }
        match self.blocks.last_mut() {
            Some(block) if self.open => block.output = Some(output),
            _ if output.not_compared.is_some() => {}
            _ => self.finding(
                line,
                "This `text` block follows no `sh` block, so it isn't compared; say why above it: <!-- not run: reason -->.",
            ),
        }
        self.open = false;
    }

    /// Finds what has no effect: comments that no block has taken, and `until` without an output.
    fn end(&mut self) {
        for (line, _, comment) in std::mem::take(&mut self.comments) {
            if parse_directives(comment).is_ok() {
                let sentence = format!(
                    "The comment \"{comment}\" isn't directly above an `sh` or `text` block."
                );
                self.finding(line, sentence);
            }
        }
        let waiting = self
            .blocks
            .iter()
            .filter(|block| block.repeated && block.output.is_none());
        let lines: Vec<usize> = waiting.map(|block| block.line).collect();
        for line in lines {
            let sentence = "`until` needs a `text` block, which says what to wait for.";
            self.finding(line, sentence);
        }
    }
}

fn parse_directives(comment: &str) -> Result<Vec<Directive>, String> {
    if let Some(reason) = comment.strip_prefix("not run:") {
        let reason = reason.trim();
        return if reason.is_empty() {
            Err("`not run:` needs a reason.".into())
        } else {
            Ok(vec![Directive::NotRun(reason.to_owned())])
        };
    }
    comment
        .split(',')
        .map(|part| {
            let words: Vec<&str> = part.split_whitespace().collect();
            let duration = |text| humantime::parse_duration(text).ok();
            let directive = match words[..] {
                ["exit", code] => code.parse().ok().map(Directive::Exit),
                ["within", limit] => duration(limit).map(Directive::Within),
                ["until", limit] => duration(limit).map(Directive::Until),
                ["any", "order"] => Some(Directive::AnyOrder),
                ["numbers", "vary"] => Some(Directive::Numbers(Numbers::Vary)),
                ["numbers", "within", percent] => percent
                    .strip_suffix('%')
                    .and_then(|percent| percent.parse().ok())
                    .map(|percent: f64| Directive::Numbers(Numbers::Within(percent / 100.0))),
                _ => None,
            };
            directive.ok_or_else(|| {
                format!(
                    "\"{}\" is none of: exit N, within D, until D, any order, numbers within P%, \
                     numbers vary, not run: reason.",
                    part.trim()
                )
            })
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Document {
        Document::parse(Path::new("docs/page.md"), text.to_owned())
    }

    #[test]
    fn a_document_is_named_by_its_path() {
        for (path, name) in [
            ("README.md", "readme"),
            ("docs/tutorial.md", "tutorial"),
            ("docs/tutorial/first-steps.md", "first-steps"),
            ("docs/states/pending.md", "states-pending"),
        ] {
            assert_eq!(Document::parse(Path::new(path), String::new()).name(), name);
        }
    }

    #[test]
    fn a_text_block_after_an_sh_block_is_its_output() {
        let document = parse(
            "# A\n\n```sh\necho a\necho b\n```\n\n```text\na\nb\n```\n\n```sh\nc\n```\n```text\n```\n",
        );
        let [block, empty] = &document.blocks[..] else {
            panic!("two blocks: {document:?}");
        };
        assert_eq!((block.line, block.code.as_str()), (3, "echo a\necho b\n"));
        assert_eq!((block.exit, block.limit), (0, DEFAULT_LIMIT));
        let output = block.output.as_ref().unwrap();
        assert_eq!((output.line, output.text.as_str()), (8, "a\nb\n"));
        assert_eq!(&document.text[output.range.clone()], "a\nb\n");
        let output = empty.output.as_ref().unwrap();
        assert_eq!((output.text.as_str(), output.range.is_empty()), ("", true));
        assert_eq!(document.findings, []);
    }

    #[test]
    fn whatever_is_seen_between_them_separates_an_output_from_its_commands() {
        for between in [
            "A sentence.",
            "## A heading",
            "</details>",
            "- an item",
            "---",
            "| a |\n| - |",
            "```yaml\nb: c\n```",
        ] {
            let document = parse(&format!("```sh\na\n```\n\n{between}\n\n```text\nb\n```\n"));
            assert_eq!(document.blocks.len(), 1, "{between}");
            assert_eq!(document.blocks[0].output, None, "{between}");
            assert_eq!(document.findings.len(), 1, "{between}");
        }
    }

    #[test]
    fn a_comment_says_the_exit_code_the_time_and_how_the_output_is_compared() {
        let document = parse(
            "<!-- exit 3, within 2m -->\n```sh\na\n```\n\n<!-- a comment -->\n\n\
             <!-- any order -->\n<!-- numbers within 20% -->\n```text\nb\n```\n\
             <!-- until 5s -->\n```sh\na\n```\n```text\n```\n\
             <!-- not run: a build, which takes minutes -->\n```sh\na\n```\n\n\
             # A\n\n<!-- not run: a picture -->\n```text\nb\n```\n",
        );
        assert_eq!(document.findings, []);
        let [compared, repeated, left_out] = &document.blocks[..] else {
            panic!("three blocks: {document:?}");
        };
        assert_eq!(
            (compared.exit, compared.limit),
            (3, Duration::from_secs(120))
        );
        let rule = compared.output.as_ref().unwrap().rule;
        assert!(rule.any_order);
        assert_eq!(rule.numbers, Numbers::Within(0.2));
        assert!(repeated.repeated && !compared.repeated);
        assert_eq!(repeated.limit, Duration::from_secs(5));
        assert_eq!(
            left_out.not_run.as_deref(),
            Some("a build, which takes minutes")
        );
        assert!(!document.alone);
        assert!(parse("# A\n\n<!-- runs alone -->\n").alone);
    }

    /// The line, words of the finding, and the document, in which `⏎` ends a line.
    const WRONG: &str = "\
1 | is none of: exit N | <!-- exti 1 -->⏎```sh⏎a⏎```
1 | is none of: exit N | <!-- within soon -->⏎```sh⏎a⏎```
1 | isn't directly above | <!-- exit 1 -->⏎⏎```sh⏎a⏎```
1 | isn't directly above | <!-- exit 1 -->⏎```yaml⏎a: b⏎```
2 | not above an `sh` block | <!-- any order -->⏎```sh⏎a⏎```
5 | not above a `text` block | ```sh⏎a⏎```⏎<!-- exit 1 -->⏎```text⏎a⏎```
2 | `until` needs a `text` block | <!-- until 5s -->⏎```sh⏎a⏎```
1 | `not run:` needs a reason. | <!-- not run: -->⏎```sh⏎a⏎```
1 | follows no `sh` block | ```text⏎b⏎```
3 | This code block has no end. | # A⏎⏎```sh⏎a
1 | This code block has no end. | ```sh⏎ls";

    #[test]
    fn what_is_wrong_is_found_with_its_line() {
        for case in WRONG.lines() {
            let [line, words, text] = case.splitn(3, " | ").collect::<Vec<_>>()[..] else {
                panic!("three parts: {case}");
            };
            let found = parse(&text.replace('⏎', "\n")).findings;
            assert_eq!(
                (found.len(), found[0].line.to_string().as_str()),
                (1, line),
                "{case}"
            );
            assert!(found[0].sentence.contains(words), "{case}: {found:?}");
        }
    }

    #[test]
    fn a_block_in_details_and_one_in_a_list_are_run() {
        let document = parse(
            "<details><summary>Answer</summary>\n\n<!-- exit 1 -->\n```sh\na\n```\n\n```text\nb\n```\n\n\
             </details>\n\n1. An item:\n\n   ```sh\n   c\n     d\n   ```\n   ```text\n   e\n   ```\n",
        );
        assert_eq!(document.findings, []);
        assert_eq!(document.blocks[0].exit, 1);
        assert_eq!(document.blocks[1].code, "c\n  d\n");
        let output = document.blocks[1].output.as_ref().unwrap();
        assert_eq!(
            (output.text.as_str(), output.indent.as_str()),
            ("e\n", "   ")
        );
        assert_eq!(&document.text[output.range.clone()], "   e\n");
    }
}
