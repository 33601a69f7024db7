//! What a document has to be run: its `sh` blocks in order, the output that follows each, and what
//! hidden comments say about them, and about a section. It doesn't run anything.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use humantime::parse_duration;

use crate::elements::{Element, Kind, elements};

/// Folders that are large, or have nothing to do with what the documents say.
const NOT_OURS: [&str; 3] = ["target", ".git", "node_modules"];

/// What a comment can say, parted by commas.
const DIRECTIVES: &str = "exit N, within D, until D, any order, numbers within P%, numbers vary, \
                          not run: reason";

/// What stands before the reason.
const NOT_RUN: &str = "not run: ";

/// A document, and the blocks in it.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// Its path, from the repository's root.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// What it is made of.
    pub elements: Vec<Element>,
    /// Its `sh` blocks that are run, in order.
    pub blocks: Vec<Block>,
    /// The lines of blocks that aren't run or compared, and why: `<!-- not run: reason -->`.
    pub left_out: Vec<(usize, String)>,
    /// What its sections need.
    pub needs: Vec<Need>,
    /// Whether it measures, and so needs the cluster for itself: `<!-- runs alone -->`.
    pub alone: bool,
    /// What is wrong with its blocks and comments, in sentences that begin with where it is.
    pub findings: Vec<String>,
}

/// What not every cluster has: `<!-- needs WHAT: COMMAND -->`. It holds until the next heading of its section's
/// level, so that of a title holds for the document.
#[derive(Clone, Debug, PartialEq)]
pub struct Need {
    /// The line of the comment.
    pub line: usize,
    /// What it is.
    pub what: String,
    /// What fails where it is missing.
    pub command: String,
}

/// An `sh` block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// The line of its fence, from 1.
    pub line: usize,
    /// Its commands.
    pub code: String,
    /// The exit code that is expected: `<!-- exit 1 -->`.
    pub exit: i32,
    /// How long it may take: `<!-- within 60s -->`.
    pub limit: Option<Duration>,
    /// Whether it is repeated until it is as expected, for at most `limit`: `<!-- until 60s -->`.
    pub repeated: bool,
    /// How its output is compared.
    pub rule: Rule,
    /// What it prints: the `text` block that follows, and the line of its fence. None: anything.
    pub output: Option<(usize, String)>,
    /// What it needs, by the index among the document's needs.
    pub needs: Vec<usize>,
    not_run: bool,
}

/// How an output is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rule {
    /// Whether lines may come in any order: `<!-- any order -->`.
    pub any_order: bool,
    /// The share of the expected number by which one may differ: `<!-- numbers within 20% -->`, or
    /// infinity: `<!-- numbers vary -->`.
    pub numbers: f64,
}

impl Block {
    fn new(line: usize, code: &str) -> Self {
        Self {
            line,
            code: code.to_owned(),
            ..Self::default()
        }
    }

    /// Takes one thing that a comment says; none: it is unknown.
    fn apply(&mut self, directive: &str) -> Option<()> {
        let words: Vec<&str> = directive.split_whitespace().collect();
        match words[..] {
            ["exit", code] => self.exit = code.parse().ok()?,
            ["within", limit] => self.limit = Some(parse_duration(limit).ok()?),
            ["until", limit] => {
                self.limit = Some(parse_duration(limit).ok()?);
                self.repeated = true;
            }
            ["any", "order"] => self.rule.any_order = true,
            ["numbers", "vary"] => self.rule.numbers = f64::INFINITY,
            ["numbers", "within", percent] => {
                let percent: f64 = percent.strip_suffix('%')?.parse().ok()?;
                self.rule.numbers = percent / 100.0;
            }
            _ => return None,
        }
        Some(())
    }
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
        reader.document.path = path.to_owned();
        for element in &elements {
            reader.element(element);
        }
        reader.separate();
        let mut document = reader.document;
        for (index, need) in document.needs.iter().enumerate() {
            if !document.blocks.iter().any(|it| it.needs.contains(&index)) {
                let sentence = format!("No `sh` block of this section needs {}.", need.what);
                document.findings.push(document.at(need.line, &sentence));
            }
        }
        Self {
            text,
            elements,
            ..document
        }
    }

    /// A finding in a line.
    pub fn at(&self, line: usize, sentence: &str) -> String {
        format!("{}:{line}: {sentence}", self.path.display())
    }

    /// The name by which it is chosen, which is also part of its namespaces' names:
    /// `docs/states/pending.md` is `states-pending`, and a part of the tutorial is named by its file.
    pub fn name(&self) -> String {
        let path = self.path.with_extension("");
        let path = path.to_string_lossy().to_lowercase();
        let path = path.strip_prefix("docs/").unwrap_or(&path);
        let path = path.strip_prefix("tutorial/").unwrap_or(path);
        path.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-")
    }
}

/// The paths of all files below a folder that have to do with the documents, sorted.
pub fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if !entry.file_type()?.is_dir() {
                files.push(path);
            } else if !NOT_OURS.iter().any(|name| path.ends_with(name)) {
                folders.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// All documents below a folder, in all languages.
pub fn documents(root: &Path) -> Result<Vec<Document>> {
    let mut files = files(root)?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    let documents = files.iter().map(|path| Document::read(root, path));
    documents.collect()
}

/// Whether a path is that of a document in Chinese.
pub fn is_chinese(path: &Path) -> bool {
    path.to_string_lossy().ends_with(".zh-CN.md")
}

/// The counterpart in the other language.
pub fn counterpart(path: &Path) -> PathBuf {
    if is_chinese(path) {
        path.with_extension("").with_extension("md")
    } else {
        path.with_extension("zh-CN.md")
    }
}

/// Finds the blocks among the elements.
#[derive(Default)]
struct Reader<'a> {
    /// The level of the last heading.
    level: u8,
    /// What holds here: the level of its heading, and its index.
    needs: Vec<(u8, usize)>,
    /// Comments for the next block, with their lines.
    comments: Vec<(usize, &'a str)>,
    /// The last block, while it can still get its output.
    last: Option<Block>,
    /// What was found so far.
    document: Document,
}

impl<'a> Reader<'a> {
    fn element(&mut self, element: &'a Element) {
        let line = element.line;
        match &element.kind {
            Kind::Comment(comment, _) if comment == "runs alone" => self.document.alone = true,
            Kind::Comment(comment, before) if before.is_empty() => {
                match comment.strip_prefix("needs ") {
                    Some(words) => self.need(line, words),
                    None => self.comments.push((line, comment)),
                }
            }
            Kind::Heading(level, _) => {
                self.separate();
                self.level = *level;
                self.needs.retain(|need| need.0 < *level);
            }
            Kind::Block(info, code) if info == "sh" => {
                let mut block = Block::new(line, code);
                block.not_run = self.leaves_out(line, &mut block);
                block.needs = self.needs.iter().map(|need| need.1).collect();
                self.separate();
                self.last = Some(block);
            }
            Kind::Block(info, text) if info == "text" => self.output(line, text),
            Kind::Comment(..) | Kind::Code(_) | Kind::Link(..) => {}
            _ => self.separate(),
        }
    }

    /// Takes what a comment says that this section needs.
    fn need(&mut self, line: usize, words: &str) {
        let (what, command) = words.split_once(':').unwrap_or_default();
        if command.trim().is_empty() {
            self.finding(line, "It says no command: <!-- needs WHAT: COMMAND -->.");
        }
        self.needs.push((self.level, self.document.needs.len()));
        self.document.needs.push(Need {
            line,
            what: what.to_owned(),
            command: command.trim().to_owned(),
        });
    }

    fn output(&mut self, line: usize, text: &str) {
        let mut last = self.last.take();
        let mut nobody = Block::default();
        let left_out = self.leaves_out(line, last.as_mut().unwrap_or(&mut nobody));
        if let Some(block) = &mut last {
            block.output = (!left_out).then(|| (line, text.to_owned()));
        } else if !left_out {
            let sentence = "This `text` block follows no `sh` block, so it isn't compared; say why above \
                            it: <!-- not run: reason -->.";
            self.finding(line, sentence);
        }
        self.last = last;
        self.separate();
    }

    /// Takes what the comments above a line say; returns whether they say `not run`.
    fn leaves_out(&mut self, line: usize, block: &mut Block) -> bool {
        let mut leaves_out = false;
        for (at, comment) in std::mem::take(&mut self.comments) {
            if let Some(reason) = comment.strip_prefix(NOT_RUN) {
                leaves_out = true;
                self.document.left_out.push((line, reason.to_owned()));
                continue;
            }
            for part in comment.split(',').map(str::trim) {
                if block.apply(part).is_none() {
                    self.finding(at, &format!("\"{part}\" is none of: {DIRECTIVES}."));
                }
            }
        }
        leaves_out
    }

    /// What readers see, or the end: the last block gets no output, and comments above have no block.
    fn separate(&mut self) {
        let last = self.last.take().filter(|block| !block.not_run);
        self.document.blocks.extend(last);
        for (line, comment) in std::mem::take(&mut self.comments) {
            let first = comment.split(',').next().unwrap_or_default();
            if comment.starts_with(NOT_RUN) || Block::default().apply(first).is_some() {
                let sentence = "isn't above an `sh` or `text` block.";
                self.finding(line, &format!("The comment \"{comment}\" {sentence}"));
            }
        }
    }

    fn finding(&mut self, line: usize, sentence: &str) {
        let finding = self.document.at(line, sentence);
        self.document.findings.push(finding);
    }
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
    fn comments_say_how_a_block_is_run_and_its_output_compared() {
        let document = parse(
            "<!-- exit 3, within 2m -->\n```sh\na\nb\n```\n\n<!-- a comment: -->\n\n# A\n\
             <details><summary>Answer</summary>\n\n<!-- until 5s -->\n```sh\nc\n  d\n```\n\n\
             <!-- any order -->\n<!-- numbers within 20% -->\n```text\ne\n```\n\n</details>\n\n\
             1. An item:\n\n   ```sh\n   f\n     g\n   ```\n   <!-- numbers vary -->\n   ```text\n   ```\n\n\
             <!-- not run: a build, which takes minutes -->\n```sh\nh\n```\n```text\n```\n\
             ```sh\ni\n```\n<!-- not run: a picture -->\n```text\nj\n```\n",
        );
        assert_eq!(document.findings, [""; 0]);
        let rule = |any_order, numbers| Rule { any_order, numbers };
        let expected = [
            Block {
                exit: 3,
                limit: Some(Duration::from_secs(120)),
                ..Block::new(2, "a\nb\n")
            },
            Block {
                limit: Some(Duration::from_secs(5)),
                repeated: true,
                rule: rule(true, 0.2),
                output: Some((20, "e\n".to_owned())),
                ..Block::new(13, "c\n  d\n")
            },
            Block {
                rule: rule(false, f64::INFINITY),
                output: Some((33, String::new())),
                ..Block::new(28, "f\n  g\n")
            },
            Block::new(42, "i\n"),
        ];
        assert_eq!(document.blocks, expected);
        let left_out = [(37, "a build, which takes minutes"), (46, "a picture")];
        let left_out = left_out.map(|(line, reason)| (line, reason.to_owned()));
        assert_eq!(document.left_out, left_out);
        assert!(!document.alone);
        assert!(parse("# A\n\n<!-- runs alone -->\n").alone);
    }

    #[test]
    fn what_a_section_needs_holds_until_a_heading_of_its_level() {
        let document = parse(
            "# A\n```sh\n0\n```\n<!-- needs a node: a: b -->\n```sh\n1\n```\n## B\n<!-- needs c: d -->\n\
             ```sh\n2\n```\n### C\n```sh\n3\n```\n## D\n```sh\n4\n```\n# E\n```sh\n5\n```\n",
        );
        assert_eq!(document.findings, [""; 0]);
        let need = |line, what: &str, command: &str| Need {
            line,
            what: what.to_owned(),
            command: command.to_owned(),
        };
        let needs = [need(5, "a node", "a: b"), need(10, "c", "d")];
        assert_eq!(document.needs, needs);
        let of_blocks: Vec<_> = document.blocks.iter().map(|it| &it.needs[..]).collect();
        let expected: [&[usize]; 6] = [&[], &[0], &[0, 1], &[0, 1], &[0], &[]];
        assert_eq!(of_blocks, expected);
    }

    /// The line, words of the finding, and the document, in which `⏎` ends a line.
    const WRONG: &str = "\
1 | is none of: exit N | <!-- exti 1 -->⏎```sh⏎a⏎```
1 | is none of: exit N | <!-- within soon -->⏎```sh⏎a⏎```
1 | isn't above an `sh` | <!-- exit 1 -->⏎⏎A sentence.⏎```sh⏎a⏎```
1 | isn't above an `sh` | <!-- exit 1 -->⏎```yaml⏎a: b⏎```
1 | is none of: exit N | <!-- not run: -->⏎```sh⏎a⏎```
1 | says no command | <!-- needs a node -->⏎```sh⏎a⏎```
2 | No `sh` block of this section needs a. | # A⏎<!-- needs a: b -->⏎## B⏎# C⏎```sh⏎a⏎```
1 | follows no `sh` block | ```text⏎b⏎```
7 | follows no `sh` block | ```sh⏎a⏎```⏎⏎A sentence.⏎⏎```text⏎b⏎```
7 | follows no `sh` block | ```sh⏎a⏎```⏎⏎## A heading⏎⏎```text⏎b⏎```
7 | follows no `sh` block | ```sh⏎a⏎```⏎⏎</details>⏎⏎```text⏎b⏎```
7 | follows no `sh` block | ```sh⏎a⏎```⏎⏎- an item⏎⏎```text⏎b⏎```
7 | follows no `sh` block | ```sh⏎a⏎```⏎⏎---⏎⏎```text⏎b⏎```
8 | follows no `sh` block | ```sh⏎a⏎```⏎⏎| a |⏎| - |⏎⏎```text⏎b⏎```
8 | follows no `sh` block | ```sh⏎a⏎```⏎```yaml⏎b: c⏎```⏎⏎```text⏎b⏎```";

    #[test]
    fn what_is_wrong_is_found_with_its_line() {
        for case in WRONG.lines() {
            let [line, words, text] = case.splitn(3, " | ").collect::<Vec<_>>()[..] else {
                panic!("three parts: {case}");
            };
            let findings = parse(&text.replace('⏎', "\n")).findings;
            assert_eq!(findings.len(), 1, "{case}: {findings:?}");
            let place = format!("docs/page.md:{line}: ");
            assert!(findings[0].starts_with(&place), "{case}: {findings:?}");
            assert!(findings[0].contains(words), "{case}: {findings:?}");
        }
    }
}
