//! What a document is made of, one element after the other: for the runner, and for the checks that compare
//! documents with each other and with the source tree. It says nothing about whether that is right.

use std::{ops::Range, sync::LazyLock};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use regex::Regex;

/// An element, with the lines on which it begins and ends, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// The first line.
    pub line: usize,
    /// The last line.
    pub last: usize,
    /// What it is.
    pub kind: Kind,
}

/// What an element is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A heading, of a level, with its text.
    Heading(u8, String),
    /// A paragraph, or a rule.
    Paragraph,
    /// An item of a list.
    Item,
    /// A quotation.
    Quote,
    /// A row of a table, the first one too.
    Row(Vec<Cell>),
    /// A code block.
    Block(CodeBlock),
    /// A piece of code in a sentence, a table or a heading.
    Code(String),
    /// Where a link or an image leads.
    Link(String),
    /// A comment that readers don't see, and the text right before it in its paragraph.
    Comment(String, String),
    /// An HTML tag, such as `<details>` or `</details>`, without its attributes.
    Html(String),
}

/// A cell of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// What readers see.
    pub text: String,
    /// The pieces of code in it.
    pub code: Vec<String>,
}

/// A code block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeBlock {
    /// What stands behind its fence, such as `sh`; `indented` if it has no fence.
    pub info: String,
    /// What is in it.
    pub text: String,
    /// Where that stands in the document, with its indentation.
    pub range: Range<usize>,
    /// What stands before its fence in the line.
    pub indent: String,
    /// Whether it has an end.
    pub closed: bool,
}

/// A comment, or a tag with its attributes.
static HTML: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?s)<!--(?<comment>.*?)-->|<(?<tag>/?[a-zA-Z][a-zA-Z0-9]*)(?<attributes>(?:[^<>"]|"[^"]*")*)>"#)
        .expect("it is tested")
});
/// An attribute that leads to a file.
static ATTRIBUTE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"\b(?:href|src|srcset)="([^"]*)""#).expect("it is tested"));

/// Takes a text apart.
pub fn elements(text: &str) -> Vec<Element> {
    let ends = text.match_indices('\n').map(|(offset, _)| offset + 1);
    let mut reader = Reader {
        text,
        lines: std::iter::once(0).chain(ends).collect(),
        elements: Vec::new(),
        filled: None,
        paragraph: String::new(),
    };
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        reader.event(event, range);
    }
    reader.elements
}

/// The names that links to a document can have behind `#`, as GitHub makes them.
pub fn anchors(elements: &[Element]) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for element in elements {
        if let Kind::Heading(_, text) = &element.kind {
            let slug = slug(text);
            let mut anchor = slug.clone();
            let mut number = 0;
            while anchors.contains(&anchor) {
                number += 1;
                anchor = format!("{slug}-{number}");
            }
            anchors.push(anchor);
        }
    }
    anchors
}

/// A heading's anchor as GitHub makes it: in lower case, without punctuation, with a hyphen for each
/// space. <https://docs.github.com/en/get-started/writing-on-github/getting-started-with-writing-and-formatting-on-github/basic-writing-and-formatting-syntax#section-links>
fn slug(text: &str) -> String {
    text.trim().to_lowercase().replace(' ', "-").replace(
        |letter: char| !letter.is_alphanumeric() && !matches!(letter, '-' | '_'),
        "",
    )
}

/// The lines of code, of blocks and of sentences, with their numbers. A line that ends in a backslash
/// goes on in the next one.
pub fn code(elements: &[Element]) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    for element in elements {
        match &element.kind {
            Kind::Code(code) => lines.push((element.line, code.clone())),
            Kind::Block(block) => {
                let mut number = element.line + 1;
                // A mark that no document has.
                for line in block.text.replace("\\\n", "\u{1e}").lines() {
                    lines.push((number, line.replace('\u{1e}', "")));
                    number += 1 + line.matches('\u{1e}').count();
                }
            }
            _ => {}
        }
    }
    lines
}

struct Reader<'a> {
    text: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
    elements: Vec<Element>,
    /// The index of the heading, row or code block that is being read.
    filled: Option<usize>,
    /// The text so far of the paragraph that is being read.
    paragraph: String,
}

impl Reader<'_> {
    /// The line of an offset, from 1.
    fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset)
    }

    /// Where a line begins; at the text's end, if there are fewer.
    fn start_of(&self, line: usize) -> usize {
        let start = self.lines.get(line - 1);
        start.copied().unwrap_or(self.text.len())
    }

    fn add(&mut self, range: &Range<usize>, kind: Kind) {
        let (line, last) = (self.line(range.start), self.line(range.end - 1));
        self.elements.push(Element { line, last, kind });
    }

    /// Adds an element that gets what is read until its end.
    fn fill(&mut self, range: &Range<usize>, kind: Kind) {
        self.filled = Some(self.elements.len());
        self.add(range, kind);
    }

    fn filled(&mut self) -> Option<&mut Kind> {
        Some(&mut self.elements[self.filled?].kind)
    }

    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, &range),
            Event::End(TagEnd::Heading(_)) => self.filled = None,
            Event::End(TagEnd::CodeBlock) => self.end_block(&range),
            Event::End(TagEnd::TableHead | TagEnd::TableRow) => {
                // As many cells as are written. Those that are missing are shown empty, and those that
                // are too many are not shown.
                let row = self.text[range].replace("\\|", "");
                let bars = row.matches('|').count();
                if let Some(Kind::Row(cells)) = self.filled() {
                    cells.resize_with(bars.saturating_sub(1), Cell::default);
                }
                self.filled = None;
            }
            Event::Text(text) => self.words(&text),
            Event::SoftBreak | Event::HardBreak => self.words(" "),
            Event::Code(code) => {
                self.words(&code);
                if let Some(Kind::Row(cells)) = self.filled()
                    && let Some(cell) = cells.last_mut()
                {
                    cell.code.push(code.to_string());
                }
                self.add(&range, Kind::Code(code.to_string()));
            }
            Event::InlineHtml(_) => self.html(range),
            Event::Rule => self.add(&range, Kind::Paragraph),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>, range: &Range<usize>) {
        if !matches!(
            tag,
            Tag::Link { .. } | Tag::Image { .. } | Tag::Emphasis | Tag::Strong | Tag::Strikethrough
        ) {
            self.paragraph.clear();
        }
        match tag {
            Tag::Heading { level, .. } => {
                self.fill(range, Kind::Heading(level as u8, String::new()));
            }
            Tag::Paragraph => self.add(range, Kind::Paragraph),
            Tag::Item => self.add(range, Kind::Item),
            Tag::BlockQuote(_) => self.add(range, Kind::Quote),
            Tag::TableHead | Tag::TableRow => self.fill(range, Kind::Row(Vec::new())),
            Tag::TableCell => {
                if let Some(Kind::Row(cells)) = self.filled() {
                    cells.push(Cell::default());
                }
            }
            Tag::CodeBlock(kind) => {
                let info = match kind {
                    CodeBlockKind::Fenced(info) => info.to_string(),
                    CodeBlockKind::Indented => "indented".to_owned(),
                };
                let line = self.start_of(self.line(range.start));
                let block = CodeBlock {
                    info,
                    indent: self.text[line..range.start].to_owned(),
                    ..CodeBlock::default()
                };
                self.fill(range, Kind::Block(block));
            }
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.add(range, Kind::Link(dest_url.to_string()));
            }
            Tag::HtmlBlock => self.html(range.clone()),
            _ => {}
        }
    }

    fn end_block(&mut self, range: &Range<usize>) {
        let Some(index) = self.filled.take() else {
            return;
        };
        let Kind::Block(block) = &self.elements[index].kind else {
            return;
        };
        let first = self.line(range.start) + 1;
        let last = first + block.text.lines().count();
        let content = self.start_of(first)..self.start_of(last);
        let closing = self.text[content.end..].trim_start_matches([' ', '>']);
        let fence = &self.text[range.clone()];
        let closed = block.info == "indented" || closing.starts_with(&fence[..3]);
        if let Kind::Block(block) = &mut self.elements[index].kind {
            (block.range, block.closed) = (content, closed);
        }
    }

    /// Text that belongs to whatever is being read.
    fn words(&mut self, text: &str) {
        self.paragraph.push_str(text);
        match self.filled() {
            Some(Kind::Heading(_, words)) => words.push_str(text),
            Some(Kind::Block(block)) => block.text.push_str(text),
            Some(Kind::Row(cells)) => {
                if let Some(cell) = cells.last_mut() {
                    cell.text.push_str(text);
                }
            }
            _ => {}
        }
    }

    fn html(&mut self, range: Range<usize>) {
        let html = &self.text[range.clone()];
        for found in HTML.captures_iter(html) {
            let whole = found.get_match();
            let place = range.start + whole.start()..range.start + whole.end();
            if let Some(comment) = found.name("comment") {
                let comment = comment.as_str().trim().to_owned();
                let before = self.paragraph.clone();
                self.add(&place, Kind::Comment(comment, before));
                continue;
            }
            let tag = format!("<{}>", found["tag"].to_lowercase());
            self.add(&place, Kind::Html(tag));
            for attribute in ATTRIBUTE.captures_iter(&found["attributes"]) {
                self.add(&place, Kind::Link(attribute[1].to_owned()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        let elements = elements(text).into_iter();
        elements.map(|element| element.kind).collect()
    }

    #[test]
    fn a_document_is_taken_apart_with_its_lines() {
        let block = CodeBlock {
            info: "sh".into(),
            text: "k\n\nl\n".into(),
            range: 54..63,
            indent: "  ".into(),
            closed: true,
        };
        let expected = [
            (1, 1, Kind::Heading(1, "A b c".into())),
            (1, 1, Kind::Code("b".into())),
            (3, 3, Kind::Paragraph),
            (3, 3, Kind::Link("e.md#f".into())),
            (3, 3, Kind::Code("g".into())),
            (5, 5, Kind::Item),
            (5, 5, Kind::Paragraph),
            (6, 13, Kind::Item),
            (6, 6, Kind::Paragraph),
            (8, 12, Kind::Block(block)),
            (14, 14, Kind::Quote),
            (14, 14, Kind::Paragraph),
        ];
        let text = "# A `b` c\n\nSee [d](e.md#f) and `g`.\n\n- h\n- i\n\n  ```sh\n  k\n\n  l\n  ```\n\n> j\n";
        let expected = expected.map(|(line, last, kind)| Element { line, last, kind });
        assert_eq!(elements(text), expected);
    }

    #[test]
    fn a_table_is_its_rows_with_their_cells() {
        let cell = |text: &str, code: &[&str]| Cell {
            text: text.to_owned(),
            code: code.iter().map(|code| (*code).to_owned()).collect(),
        };
        let kinds = kinds("| A | B |\n| --- | --- |\n| `c`, `d` | x\\|y |\n");
        assert_eq!(kinds[0], Kind::Row(vec![cell("A", &[]), cell("B", &[])]));
        assert_eq!(
            kinds[1],
            Kind::Row(vec![cell("c, d", &["c", "d"]), cell("x|y", &[])])
        );
    }

    #[test]
    fn html_is_its_tags_links_names_and_comments() {
        let kinds = kinds(
            "<details>\n<summary>A</summary>\n\n<img alt=\"B\" src=\"c.png\">\n<source srcset=\"d.png\">\n\n\
             It is 12 ms<!-- measured -->, say.\n\n</details>\n",
        );
        for kind in [
            Kind::Html("<details>".into()),
            Kind::Html("</summary>".into()),
            Kind::Link("c.png".into()),
            Kind::Link("d.png".into()),
            Kind::Comment("measured".into(), "It is 12 ms".into()),
            Kind::Html("</details>".into()),
        ] {
            assert!(kinds.contains(&kind), "{kind:?}: {kinds:?}");
        }
    }

    #[test]
    fn anchors_are_githubs() {
        let page = elements(
            "# Step 1: one pod, by hand\n## What's `new` in 1.35?\n## 第 1 步：手工创建一个 Pod\n\
             ## A – b_c\n## Twice\n## Twice\n",
        );
        assert_eq!(
            anchors(&page),
            [
                "step-1-one-pod-by-hand",
                "whats-new-in-135",
                "第-1-步手工创建一个-pod",
                "a--b_c",
                "twice",
                "twice-1"
            ]
        );
    }

    #[test]
    fn a_line_of_code_that_goes_on_is_one_line() {
        let page = elements("Say `make a`.\n\n```sh\nmake b \\\n  C=1\nmake d\n```\n");
        let lines = [(1, "make a"), (4, "make b   C=1"), (6, "make d")];
        assert_eq!(
            code(&page),
            lines.map(|(line, code)| (line, code.to_owned()))
        );
    }
}
