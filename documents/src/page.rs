//! What a document is made of, one element after the other, for the checks that compare documents with
//! each other and with the source tree. It says nothing about whether that is right.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use regex::Regex;

/// A document as its elements.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its path, from the repository's root.
    pub path: PathBuf,
    /// Its elements, in order.
    pub elements: Vec<Element>,
}

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
    /// An item of a list.
    Item,
    /// A quotation.
    Quote,
    /// A row of a table, the first one too.
    Row(Vec<Cell>),
    /// A code block: what stands behind its fence, and what is in it.
    Block(String, String),
    /// A piece of code in a sentence, a table or a heading.
    Code(String),
    /// Where a link or an image leads.
    Link(String),
    /// A comment that readers don't see, and the text right before it in its paragraph.
    Comment(String, String),
    /// An HTML tag, such as `<details>` or `</details>`, without its attributes.
    Html(String),
    /// A name that links can lead to, other than a heading's.
    Anchor(String),
}

/// A cell of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// What readers see.
    pub text: String,
    /// The pieces of code in it.
    pub code: Vec<String>,
}

/// A comment, or a tag with its attributes.
static HTML: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?s)<!--(?<comment>.*?)-->|<(?<tag>/?[a-zA-Z][a-zA-Z0-9]*)(?<attributes>(?:[^<>"]|"[^"]*")*)>"#)
        .expect("it is tested")
});
static ATTRIBUTE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"\b(?<name>href|src|id|name)="(?<value>[^"]*)""#).expect("it is tested")
});

impl Page {
    /// Takes a text apart.
    pub fn parse(path: &Path, text: &str) -> Self {
        let mut reader = Reader {
            text,
            elements: Vec::new(),
            heading: None,
            row: None,
            paragraph: String::new(),
            in_block: false,
        };
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
            reader.event(event, range);
        }
        Self {
            path: path.to_owned(),
            elements: reader.elements,
        }
    }

    /// The names that links to this document can have behind `#`, as GitHub makes them.
    pub fn anchors(&self) -> Vec<String> {
        let mut anchors: Vec<String> = Vec::new();
        for element in &self.elements {
            match &element.kind {
                Kind::Heading(_, text) => {
                    let slug = slug(text);
                    let mut anchor = slug.clone();
                    let mut number = 0;
                    while anchors.contains(&anchor) {
                        number += 1;
                        anchor = format!("{slug}-{number}");
                    }
                    anchors.push(anchor);
                }
                Kind::Anchor(name) => anchors.push(name.clone()),
                _ => {}
            }
        }
        anchors
    }

    /// The lines of code in it, of blocks and of sentences, with their numbers. A line that ends in a
    /// backslash goes on in the next one.
    pub fn code(&self) -> Vec<(usize, String)> {
        let mut lines = Vec::new();
        for element in &self.elements {
            match &element.kind {
                Kind::Code(code) => lines.push((element.line, code.clone())),
                Kind::Block(_, text) => {
                    let mut begun: Option<(usize, String)> = None;
                    for (index, line) in text.lines().enumerate() {
                        let (number, mut whole) = begun
                            .take()
                            .unwrap_or((element.line + 1 + index, String::new()));
                        match line.strip_suffix('\\') {
                            Some(start) => begun = Some((number, whole + start)),
                            None => {
                                whole.push_str(line);
                                lines.push((number, whole));
                            }
                        }
                    }
                    lines.extend(begun);
                }
                _ => {}
            }
        }
        lines
    }
}

/// A heading's anchor as GitHub makes it: in lower case, without punctuation, with a hyphen for each
/// space. <https://docs.github.com/en/get-started/writing-on-github/getting-started-with-writing-and-formatting-on-github/basic-writing-and-formatting-syntax#section-links>
fn slug(text: &str) -> String {
    text.to_lowercase()
        .chars()
        .filter_map(|letter| match letter {
            ' ' => Some('-'),
            '-' | '_' => Some(letter),
            _ => letter.is_alphanumeric().then_some(letter),
        })
        .collect()
}

struct Reader<'a> {
    text: &'a str,
    elements: Vec<Element>,
    /// The heading that is being read: its place in the elements, and its text.
    heading: Option<(usize, String)>,
    /// As for the heading.
    row: Option<(usize, Vec<Cell>)>,
    /// The text so far of the paragraph that is being read.
    paragraph: String,
    /// Whether a code block is being read, in which there is nothing but text.
    in_block: bool,
}

impl Reader<'_> {
    fn add(&mut self, range: &Range<usize>, kind: Kind) {
        let line = self.text[..range.start].matches('\n').count() + 1;
        self.elements.push(Element { line, kind });
    }

    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, &range),
            Event::End(TagEnd::Heading(_)) => {
                if let Some((index, text)) = self.heading.take()
                    && let Kind::Heading(_, heading) = &mut self.elements[index].kind
                {
                    text.trim().clone_into(heading);
                }
            }
            Event::End(TagEnd::CodeBlock) => self.in_block = false,
            Event::End(TagEnd::TableHead | TagEnd::TableRow) => {
                if let Some((index, mut cells)) = self.row.take() {
                    // As many as are written. Those that are missing are shown empty, and those that
                    // are too many are not shown.
                    let row = self.text[range].replace("\\|", "").trim().to_owned();
                    let bars = row.matches('|').count();
                    cells.resize_with(bars.saturating_sub(1), Cell::default);
                    self.elements[index].kind = Kind::Row(cells);
                }
            }
            Event::Text(text) => self.words(&text),
            Event::SoftBreak | Event::HardBreak => self.words(" "),
            Event::Code(code) => {
                self.words(&code);
                if let Some((_, cells)) = &mut self.row
                    && let Some(cell) = cells.last_mut()
                {
                    cell.code.push(code.to_string());
                }
                self.add(&range, Kind::Code(code.to_string()));
            }
            Event::InlineHtml(_) => self.html(range),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>, range: &Range<usize>) {
        if matches!(
            tag,
            Tag::Paragraph | Tag::TableCell | Tag::Item | Tag::Heading { .. }
        ) {
            self.paragraph.clear();
        }
        match tag {
            Tag::Heading { level, .. } => {
                self.heading = Some((self.elements.len(), String::new()));
                self.add(range, Kind::Heading(level as u8, String::new()));
            }
            Tag::Item => self.add(range, Kind::Item),
            Tag::BlockQuote(_) => self.add(range, Kind::Quote),
            Tag::TableHead | Tag::TableRow => {
                self.row = Some((self.elements.len(), Vec::new()));
                self.add(range, Kind::Row(Vec::new()));
            }
            Tag::TableCell => {
                if let Some((_, cells)) = &mut self.row {
                    cells.push(Cell::default());
                }
            }
            Tag::CodeBlock(kind) => {
                let info = match kind {
                    CodeBlockKind::Fenced(info) => info.to_string(),
                    CodeBlockKind::Indented => "indented".to_owned(),
                };
                self.add(range, Kind::Block(info, String::new()));
                self.in_block = true;
            }
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.add(range, Kind::Link(dest_url.to_string()));
            }
            Tag::HtmlBlock => self.html(range.clone()),
            _ => {}
        }
    }

    /// Text that belongs to whatever is being read.
    fn words(&mut self, text: &str) {
        if self.in_block {
            if let Some(Kind::Block(_, block)) = self.elements.last_mut().map(|last| &mut last.kind)
            {
                block.push_str(text);
            }
            return;
        }
        self.paragraph.push_str(text);
        if let Some((_, heading)) = &mut self.heading {
            heading.push_str(text);
        }
        if let Some((_, cells)) = &mut self.row
            && let Some(cell) = cells.last_mut()
        {
            cell.text.push_str(text);
        }
    }

    fn html(&mut self, range: Range<usize>) {
        let html = &self.text[range.clone()];
        for found in HTML.captures_iter(html) {
            let at = range.start + found.get(0).map_or(0, |whole| whole.start());
            let place = at..at;
            if let Some(comment) = found.name("comment") {
                let comment = comment.as_str().trim().to_owned();
                let before = self.paragraph.clone();
                self.add(&place, Kind::Comment(comment, before));
                continue;
            }
            self.add(
                &place,
                Kind::Html(format!("<{}>", found["tag"].to_lowercase())),
            );
            for attribute in ATTRIBUTE.captures_iter(&found["attributes"]) {
                let value = attribute["value"].to_owned();
                match &attribute["name"] {
                    "href" | "src" => self.add(&place, Kind::Link(value)),
                    _ => self.add(&place, Kind::Anchor(value)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Page {
        Page::parse(Path::new("README.md"), text)
    }

    fn kinds(text: &str) -> Vec<Kind> {
        let elements = parse(text).elements.into_iter();
        elements.map(|element| element.kind).collect()
    }

    #[test]
    fn a_document_is_taken_apart_with_its_lines() {
        let page = parse(
            "# A `b` c\n\nSee [d](e.md#f) and `g`.\n\n- h\n- i\n\n> j\n\n```sh\nk\n\nl\n```\n",
        );
        let expected = [
            (1, Kind::Heading(1, "A b c".into())),
            (1, Kind::Code("b".into())),
            (3, Kind::Link("e.md#f".into())),
            (3, Kind::Code("g".into())),
            (5, Kind::Item),
            (6, Kind::Item),
            (8, Kind::Quote),
            (10, Kind::Block("sh".into(), "k\n\nl\n".into())),
        ];
        let elements = expected.map(|(line, kind)| Element { line, kind });
        assert_eq!(page.elements, elements);
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
            "<details>\n<summary>A</summary>\n\n<img alt=\"B\" src=\"c.png\">\n<a id=\"d\"></a>\n\n\
             It is 12 ms<!-- measured -->, say.\n\n</details>\n",
        );
        for kind in [
            Kind::Html("<details>".into()),
            Kind::Html("</summary>".into()),
            Kind::Link("c.png".into()),
            Kind::Anchor("d".into()),
            Kind::Comment("measured".into(), "It is 12 ms".into()),
            Kind::Html("</details>".into()),
        ] {
            assert!(kinds.contains(&kind), "{kind:?}: {kinds:?}");
        }
    }

    #[test]
    fn anchors_are_githubs() {
        let page = parse(
            "# Step 1: one pod, by hand\n## What's `new` in 1.35?\n## 第 1 步：手工创建一个 Pod\n\
             ## A – b_c\n## Twice\n## Twice\n<a id=\"own\"></a>\n",
        );
        assert_eq!(
            page.anchors(),
            [
                "step-1-one-pod-by-hand",
                "whats-new-in-135",
                "第-1-步手工创建一个-pod",
                "a--b_c",
                "twice",
                "twice-1",
                "own"
            ]
        );
    }

    #[test]
    fn a_line_of_code_that_goes_on_is_one_line() {
        let page = parse("Say `make a`.\n\n```sh\nmake b \\\n  C=1\nmake d\n```\n");
        assert_eq!(
            page.code(),
            [
                (1, "make a".to_owned()),
                (4, "make b   C=1".to_owned()),
                (6, "make d".to_owned())
            ]
        );
    }
}
