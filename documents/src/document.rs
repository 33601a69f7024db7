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

/// How long a block may take unless it says `within`. Most commands take less than a second, and a
/// pod is ready after a few.
pub const DEFAULT_LIMIT: Duration = Duration::from_secs(30);

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

    /// The word by which it is chosen, which is also part of its namespaces' names.
    pub fn name(&self) -> String {
        let stem = self.path.file_stem().unwrap_or_default();
        stem.to_string_lossy()
            .to_lowercase()
            .replace(|letter: char| !letter.is_ascii_alphanumeric(), "-")
    }
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
