//! What a document has to be run: its `sh` blocks in order, the output that follows each, and what
//! hidden comments say about them. It doesn't run anything.

use std::{
    collections::BTreeMap,
    fmt, fs,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag};

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
        let mut reader = Reader::new(&text);
        for (event, range) in Parser::new_ext(&text, Options::ENABLE_TABLES).into_offset_iter() {
            reader.event(event, range);
        }
        reader.end();
        let (blocks, alone, findings) = (reader.blocks, reader.alone, reader.findings);
        Self {
            path: path.to_owned(),
            text,
            blocks,
            alone,
            findings,
        }
    }

    /// The name by which it is chosen, which is also part of its namespaces' names:
    /// `docs/states/pending.md` is `states-pending`, and a part of the tutorial is named by its file.
    pub fn name(&self) -> String {
        let path = self.path.with_extension("");
        let path = path.strip_prefix("docs").unwrap_or(&path);
        let part = path.strip_prefix("tutorial").ok();
        let part = part.filter(|part| !part.as_os_str().is_empty());
        let path = part.unwrap_or(path);
        path.to_string_lossy()
            .to_lowercase()
            .replace(|letter: char| !letter.is_ascii_alphanumeric(), "-")
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

/// The counterpart in Chinese of a document in English.
pub fn twin(path: &Path) -> PathBuf {
    path.with_extension("zh-CN.md")
}

struct Reader<'a> {
    text: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
    /// Comments by the line they end on, with the line they begin on, that no fence has taken yet.
    comments: BTreeMap<usize, (usize, String)>,
    /// Whether the last block can still get its output.
    open: bool,
    blocks: Vec<Block>,
    alone: bool,
    findings: Vec<Finding>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let ends = text.match_indices('\n').map(|(offset, _)| offset + 1);
        Self {
            text,
            lines: std::iter::once(0).chain(ends).collect(),
            comments: BTreeMap::new(),
            open: false,
            blocks: Vec::new(),
            alone: false,
            findings: Vec::new(),
        }
    }

    /// The line of an offset, from 1.
    fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset)
    }

    fn finding(&mut self, line: usize, sentence: impl fmt::Display) {
        let sentence = sentence.to_string();
        self.findings.push(Finding { line, sentence });
    }

    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => self.fence(&info, range),
            Event::Start(Tag::HtmlBlock) => self.html(range),
            Event::Start(_) | Event::Rule => self.open = false,
            _ => {}
        }
    }

    fn html(&mut self, range: Range<usize>) {
        let html = &self.text[range.clone()];
        let mut rest = 0;
        while let Some(begin) = html[rest..].find("<!--").map(|at| rest + at) {
            if !html[rest..begin].trim().is_empty() {
                self.open = false;
            }
            let Some(end) = html[begin..].find("-->").map(|at| begin + at) else {
                return;
            };
            let comment = html[begin + 4..end].trim();
            let line = self.line(range.start + begin);
            if comment == "runs alone" {
                self.alone = true;
            } else {
                let last = self.line(range.start + end);
                self.comments.insert(last, (line, comment.to_owned()));
            }
            rest = end + 3;
        }
        if !html[rest..].trim().is_empty() {
            self.open = false;
        }
    }

    fn fence(&mut self, info: &str, range: Range<usize>) {
        let line = self.line(range.start);
        let source = &self.text[range.clone()];
        let fence: &str = {
            let count = source
                .chars()
                .take_while(|letter| "`~".contains(*letter))
                .count();
            &source[..count]
        };
        let last = source.trim_end().rfind('\n').map_or(0, |at| at + 1);
        if last == 0
            || !source[last..]
                .trim_start_matches([' ', '>'])
                .starts_with(fence)
        {
            self.finding(line, "This code block has no end.");
            return;
        }
        let language = info.split_whitespace().next().unwrap_or_default();
        if !matches!(language, "sh" | "text") {
            self.open = false;
            return;
        }
        let mut directives = Vec::new();
        let mut above = line - 1;
        while let Some((begin, comment)) = self.comments.remove(&above) {
            match parse_directives(&comment) {
                Ok(found) => directives.splice(0..0, found).for_each(drop),
                Err(sentence) => self.finding(begin, sentence),
            }
            above = begin - 1;
        }
        let first = source.find('\n').map_or(source.len(), |at| at + 1);
        let indent = self.text[self.lines[line - 1]..range.start].to_owned();
        let content = range.start + first..range.start + last;
        let text: String = self.text[content.clone()]
            .split_inclusive('\n')
            .map(|line| {
                line.strip_prefix(indent.as_str())
                    .unwrap_or(line.trim_start_matches(' '))
            })
            .collect();
        // The offset of the last line's own indentation belongs to the fence.
        let content = content.start..self.lines[self.line(content.end) - 1];
        if language == "sh" {
            self.commands(line, text, directives);
        } else {
            let output = Output {
                line,
                text,
                range: content,
                indent,
                rule: Rule::default(),
                not_compared: None,
            };
            self.output(output, directives);
        }
    }

    fn commands(&mut self, line: usize, code: String, directives: Vec<Directive>) {
        let mut block = Block {
            line,
            code,
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

    fn output(&mut self, mut output: Output, directives: Vec<Directive>) {
        let line = output.line;
        for directive in directives {
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

    /// Comments that are directives, and that no block has taken, would have no effect.
    fn end(&mut self) {
        for (begin, comment) in std::mem::take(&mut self.comments).into_values() {
            if parse_directives(&comment).is_ok() {
                self.finding(
                    begin,
                    format_args!(
                        "The comment \"{comment}\" isn't directly above an `sh` or `text` block."
                    ),
                );
            }
        }
        for index in 0..self.blocks.len() {
            let block = &self.blocks[index];
            if block.repeated && block.output.is_none() {
                let line = block.line;
                self.finding(
                    line,
                    "`until` needs a `text` block, which says what to wait for.",
                );
            }
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
        Document::parse(Path::new("docs/tutorial/first-steps.md"), text.to_owned())
    }

    fn sentences(text: &str) -> Vec<(usize, String)> {
        let findings = parse(text).findings.into_iter();
        findings
            .map(|finding| (finding.line, finding.sentence))
            .collect()
    }

    #[test]
    fn a_text_block_after_an_sh_block_is_its_output() {
        let document = parse("# A\n\n```sh\necho a\necho b\n```\n\n```text\na\nb\n```\n");
        assert_eq!(document.name(), "first-steps");
        let name = |path: &str| Document::parse(Path::new(path), String::new()).name();
        assert_eq!(name("README.md"), "readme");
        assert_eq!(name("docs/tutorial.md"), "tutorial");
        assert_eq!(name("docs/states/pending.md"), "states-pending");
        let [block] = &document.blocks[..] else {
            panic!("one block: {document:?}");
        };
        assert_eq!((block.line, block.code.as_str()), (3, "echo a\necho b\n"));
        assert_eq!((block.exit, block.limit), (0, DEFAULT_LIMIT));
        let output = block.output.as_ref().unwrap();
        assert_eq!((output.line, output.text.as_str()), (8, "a\nb\n"));
        assert_eq!(&document.text[output.range.clone()], "a\nb\n");
        assert_eq!(document.findings, []);
    }

    #[test]
    fn an_empty_output_is_an_output() {
        let document = parse("```sh\ntrue\n```\n```text\n```\n");
        let output = document.blocks[0].output.as_ref().unwrap();
        assert_eq!((output.text.as_str(), output.range.clone()), ("", 23..23));
    }

    #[test]
    fn other_languages_are_not_run_and_separate_an_output_from_its_commands() {
        let document = parse("```sh\na\n```\n```yaml\nb: c\n```\n```text\nd\n```\n");
        assert_eq!(document.blocks.len(), 1);
        assert_eq!(document.blocks[0].output, None);
        assert_eq!(document.findings[0].line, 7);
    }

    #[test]
    fn a_paragraph_a_heading_and_html_separate_an_output_from_its_commands() {
        for between in [
            "A sentence.",
            "## A heading",
            "</details>",
            "- an item",
            "---",
        ] {
            let text = format!("```sh\na\n```\n\n{between}\n\n```text\nb\n```\n");
            let document = parse(&text);
            assert_eq!(document.blocks[0].output, None, "{between}");
            assert_eq!(document.findings.len(), 1, "{between}");
        }
    }

    #[test]
    fn a_comment_says_the_exit_code_the_time_and_how_the_output_is_compared() {
        let document = parse(
            "<!-- exit 3, within 2m -->\n```sh\na\n```\n\n<!-- a comment -->\n\n\
             <!-- any order -->\n<!-- numbers within 20% -->\n```text\nb\n```\n",
        );
        assert_eq!(document.findings, []);
        let block = &document.blocks[0];
        assert_eq!((block.exit, block.limit), (3, Duration::from_secs(120)));
        assert!(!block.repeated);
        let rule = block.output.as_ref().unwrap().rule;
        assert!(rule.any_order);
        assert_eq!(rule.numbers, Numbers::Within(0.2));
    }

    #[test]
    fn until_repeats_and_needs_an_output_to_wait_for() {
        let block = &parse("<!-- until 5s -->\n```sh\na\n```\n```text\n```\n").blocks[0];
        assert_eq!(
            (block.repeated, block.limit),
            (true, Duration::from_secs(5))
        );
        let found = sentences("<!-- until 5s -->\n```sh\na\n```\n");
        assert!(
            found[0].1.contains("`until` needs a `text` block"),
            "{found:?}"
        );
    }

    #[test]
    fn what_is_not_run_has_a_reason() {
        let document = parse("<!-- not run: a build, which takes minutes -->\n```sh\na\n```\n");
        let reason = document.blocks[0].not_run.as_deref();
        assert_eq!(reason, Some("a build, which takes minutes"));
        let found = sentences("<!-- not run: -->\n```sh\na\n```\n");
        assert_eq!(found, [(1, "`not run:` needs a reason.".to_owned())]);
    }

    #[test]
    fn a_picture_in_text_says_that_it_is_not_compared() {
        assert_eq!(
            sentences("<!-- not run: a picture -->\n```text\nb\n```\n"),
            []
        );
        assert!(
            sentences("```text\nb\n```\n")[0]
                .1
                .contains("follows no `sh` block")
        );
    }

    #[test]
    fn a_directive_that_is_misspelt_misplaced_or_unused_is_found() {
        for (text, word) in [
            ("<!-- exti 1 -->\n```sh\na\n```\n", "is none of"),
            ("<!-- within soon -->\n```sh\na\n```\n", "is none of"),
            ("<!-- exit 1 -->\n\n```sh\na\n```\n", "isn't directly above"),
            (
                "<!-- exit 1 -->\n```yaml\na: b\n```\n",
                "isn't directly above",
            ),
            (
                "<!-- any order -->\n```sh\na\n```\n",
                "not above an `sh` block",
            ),
            (
                "```sh\na\n```\n<!-- exit 1 -->\n```text\na\n```\n",
                "not above a `text` block",
            ),
        ] {
            let found = sentences(text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].1.contains(word), "{text}: {found:?}");
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

    #[test]
    fn a_block_without_an_end_is_found() {
        assert_eq!(
            sentences("```sh\na\n"),
            [(1, "This code block has no end.".to_owned())]
        );
    }

    #[test]
    fn a_document_that_measures_runs_alone() {
        assert!(parse("# A\n\n<!-- runs alone -->\n").alone);
        assert!(!parse("# A\n").alone);
    }
}
