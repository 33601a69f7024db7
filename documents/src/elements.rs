//! What a document is made of, one element after the other: for the runner, and for the checks that compare
//! documents with each other and with the source tree. It says nothing about whether that is right.

use std::{mem::take, ops::Range, sync::LazyLock};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use regex::Regex;

/// An element, with the line on which it begins, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// The line.
    pub line: usize,
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
    /// A code block: what stands behind its fence, such as `sh`, and what is in it.
    Block(String, String),
    /// A piece of code in a sentence, a table or a heading.
    Code(String),
    /// Where a link or an image leads, and what readers see of it.
    Link(String, String),
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

impl Element {
    /// The cells of a row of a table.
    pub fn row(&self) -> Option<&[Cell]> {
        match &self.kind {
            Kind::Row(cells) => Some(cells),
            _ => None,
        }
    }
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
    let mut reader = Reader {
        text,
        line_ends: text.match_indices('\n').map(|(end, _)| end).collect(),
        elements: Vec::new(),
        words: String::new(),
        links: Vec::new(),
        cell: Cell::default(),
        row: Vec::new(),
        info: String::new(),
    };
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        reader.event(event, range);
    }
    reader.elements
}

struct Reader<'a> {
    text: &'a str,
    line_ends: Vec<usize>,
    elements: Vec<Element>,
    /// The text so far of the paragraph, heading or code block that is being read.
    words: String,
    /// Where the links that are being read lead, and where their texts begin in the words.
    links: Vec<(String, usize)>,
    /// What the code block that is being read has behind its fence.
    info: String,
    /// The cell that is being read, and those before it in its row.
    cell: Cell,
    row: Vec<Cell>,
}

impl Reader<'_> {
    fn add(&mut self, offset: usize, kind: Kind) {
        let line = self.line_ends.partition_point(|end| *end < offset) + 1;
        self.elements.push(Element { line, kind });
    }

    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        let begin = range.start;
        match event {
            Event::Start(tag) => self.start(tag, range),
            Event::End(TagEnd::Heading(level)) => {
                let words = take(&mut self.words);
                self.add(begin, Kind::Heading(level as u8, words));
            }
            Event::End(TagEnd::CodeBlock) => {
                let block = Kind::Block(take(&mut self.info), take(&mut self.words));
                self.add(begin, block);
            }
            Event::End(TagEnd::Link | TagEnd::Image) => {
                let (target, text) = self.links.pop().expect("it has begun");
                let text = self.words[text..].to_owned();
                self.add(begin, Kind::Link(target, text));
            }
            Event::End(TagEnd::TableCell) => {
                self.cell.text = take(&mut self.words);
                self.row.push(take(&mut self.cell));
            }
            Event::End(TagEnd::TableHead | TagEnd::TableRow) => {
                let row = Kind::Row(take(&mut self.row));
                self.add(begin, row);
            }
            Event::Text(text) => self.words.push_str(&text),
            Event::SoftBreak | Event::HardBreak => self.words.push(' '),
            Event::Code(code) => {
                self.words.push_str(&code);
                self.cell.code.push(code.to_string());
                self.add(begin, Kind::Code(code.to_string()));
            }
            Event::InlineHtml(_) => self.html(range),
            Event::Rule => self.add(begin, Kind::Paragraph),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>, range: Range<usize>) {
        let begin = range.start;
        if !matches!(
            tag,
            Tag::Link { .. } | Tag::Image { .. } | Tag::Emphasis | Tag::Strong | Tag::Strikethrough
        ) {
            self.words.clear();
            self.cell = Cell::default();
        }
        match tag {
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.links.push((dest_url.to_string(), self.words.len()));
            }
            Tag::Paragraph => self.add(begin, Kind::Paragraph),
            Tag::Item => self.add(begin, Kind::Item),
            Tag::BlockQuote(_) => self.add(begin, Kind::Quote),
            Tag::CodeBlock(CodeBlockKind::Fenced(info)) => self.info = info.to_string(),
            Tag::CodeBlock(CodeBlockKind::Indented) => self.info = "indented".to_owned(),
            Tag::HtmlBlock => self.html(range),
            _ => {}
        }
    }

    fn html(&mut self, range: Range<usize>) {
        for found in HTML.captures_iter(&self.text[range.clone()]) {
            let begin = range.start + found.get_match().start();
            if let Some(comment) = found.name("comment") {
                let comment = comment.as_str().trim().to_owned();
                self.add(begin, Kind::Comment(comment, self.words.clone()));
                continue;
            }
            let tag = found["tag"].to_lowercase();
            self.add(begin, Kind::Html(format!("<{tag}>")));
            for attribute in ATTRIBUTE.captures_iter(&found["attributes"]) {
                self.add(begin, Kind::Link(attribute[1].to_owned(), String::new()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_taken_apart_with_its_lines() {
        let cell = |text: &str, code: &[&str]| Cell {
            text: text.to_owned(),
            code: code.iter().map(|code| (*code).to_owned()).collect(),
        };
        let expected = [
            (1, Kind::Code("b".into())),
            (1, Kind::Heading(1, "A b c".into())),
            (3, Kind::Paragraph),
            (3, Kind::Link("e.md#f".into(), "d".into())),
            (3, Kind::Comment("measured".into(), "See d, 12 ms".into())),
            (5, Kind::Item),
            (6, Kind::Item),
            (6, Kind::Paragraph),
            (8, Kind::Block("sh".into(), "k\n\nl\n".into())),
            (14, Kind::Quote),
            (14, Kind::Paragraph),
            (16, Kind::Row(vec![cell("A", &[]), cell("B", &[])])),
            (18, Kind::Code("c".into())),
            (18, Kind::Row(vec![cell("c, d", &["c"]), cell("x|y", &[])])),
            (20, Kind::Comment("exit 1".into(), String::new())),
            (21, Kind::Html("<img>".into())),
            (21, Kind::Link("c.png".into(), String::new())),
        ];
        let text = "# A `b` c\n\nSee [d](e.md#f), 12 ms<!-- measured -->.\n\n- h\n- i\n\n  \
                    ```sh\n  k\n\n  l\n  ```\n\n> j\n\n| A | B |\n| --- | --- |\n\
                    | `c`, d | x\\|y |\n\n<!-- exit 1 -->\n<img alt=\"B\" src=\"c.png\">\n";
        let expected = expected.map(|(line, kind)| Element { line, kind });
        let mut elements = elements(text);
        elements.retain(|element| element.line != 5 || element.kind == Kind::Item);
        assert_eq!(elements, expected);
    }
}
