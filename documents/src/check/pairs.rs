//! A document and its counterpart have the same shape: headings, lists, tables and HTML in the same
//! order; the same blocks and comments, byte for byte; links to the same targets, and the same code in
//! the rows of tables. A sentence may name two things, or two figures, in another order in another language.

use std::path::Path;

use super::{
    figures,
    tree::{Tree, at},
};
use crate::{
    document::{Document, is_chinese, twin},
    elements::{Element, Kind},
};

pub(super) fn check(tree: &Tree<'_>, findings: &mut Vec<String>) {
    for document in &tree.documents {
        let path = &document.path;
        if !is_chinese(path) && path != Path::new("README.md") && !path.starts_with("docs") {
            continue;
        }
        let twin = twin(path);
        match tree.document(&twin) {
            Some(chinese) if !is_chinese(path) => compare(document, chinese, findings),
            Some(_) => {}
            None => {
                let (path, twin) = (path.display(), twin.display());
                findings.push(format!("{path} has no twin {twin}."));
            }
        }
    }
}

fn compare(english: &Document, chinese: &Document, findings: &mut Vec<String>) {
    let (first, second) = (shapes(english), shapes(chinese));
    let same = first.iter().zip(&second).take_while(|(a, b)| a.1 == b.1);
    let same = same.count();
    if same < first.len().max(second.len()) {
        let shape = |document: &Document, shape: Option<&(usize, String)>| match shape {
            Some((line, shape)) => at(document, *line, shape),
            None => format!("the end of {}", document.path.display()),
        };
        let second = shape(chinese, second.get(same));
        findings.push(format!(
            "{} differs from {second}.",
            shape(english, first.get(same))
        ));
    }
    // What may come in another order in another language.
    for (document, other) in [(english, chinese), (chinese, english)] {
        let mut others = in_any_order(other);
        for (verb, what) in in_any_order(document) {
            match others
                .iter()
                .position(|other| *other == (verb, what.clone()))
            {
                Some(index) => drop(others.remove(index)),
                None => findings.push(format!(
                    "{} {verb} {what}, and {} doesn't, or less often.",
                    document.path.display(),
                    other.path.display()
                )),
            }
        }
    }
}

/// Where the links lead, language and heading aside, and where figures were measured.
fn in_any_order(document: &Document) -> Vec<(&'static str, String)> {
    let neutral = |path: &str| {
        path.replace(".zh-CN.md", ".md")
            .replace("-zh.png", "-en.png")
            // kubernetes.io has a page in each language.
            .replace("://kubernetes.io/zh-cn/", "://kubernetes.io/")
    };
    let name = document.path.file_name().unwrap_or_default();
    let name = neutral(&name.to_string_lossy());
    let elements = document
        .elements
        .iter()
        .filter_map(|element| match &element.kind {
            Kind::Link(target) => {
                let target = neutral(target.split('#').next().unwrap_or_default());
                // The twins link to each other; that link is the same in neither.
                let own = target.rsplit('/').next() == Some(&name);
                (!own).then_some(("links to", target))
            }
            Kind::Comment(comment, _) if comment.starts_with(figures::MARK) => {
                Some(("has the comment", comment.clone()))
            }
            _ => None,
        });
    let mut elements: Vec<_> = elements.collect();
    elements.sort();
    elements
}

/// What has to be the same, described, with its line. A code block is described line by line, so that the
/// one that differs is named.
fn shapes(document: &Document) -> Vec<(usize, String)> {
    let mut shapes = Vec::new();
    for element in &document.elements {
        if let Some(shape) = shape(element) {
            shapes.push((element.line, shape));
        }
        // A diagram has words for readers.
        if let Kind::Block(info, code) = &element.kind
            && info != "mermaid"
        {
            for (index, line) in code.lines().enumerate() {
                let shape = format!("The line of code \"{line}\"");
                shapes.push((element.line + 1 + index, shape));
            }
        }
    }
    shapes
}

fn shape(element: &Element) -> Option<String> {
    Some(match &element.kind {
        Kind::Heading(level, _) => format!("A heading of level {level}"),
        Kind::Item => "An item of a list".to_owned(),
        Kind::Quote => "A quotation".to_owned(),
        Kind::Row(cells) => {
            let cells = cells.iter().map(|cell| {
                let mut code = cell.code.clone();
                code.sort();
                match cell.text.is_empty() {
                    true => "empty".to_owned(),
                    false => code.join(" "),
                }
            });
            let cells: Vec<String> = cells.collect();
            format!("A row with the code \"{}\"", cells.join(" | "))
        }
        Kind::Block(info, _) => format!("A code block ({info})"),
        Kind::Comment(comment, _) if comment.starts_with(figures::MARK) => return None,
        Kind::Comment(comment, _) => format!("The comment \"{comment}\""),
        Kind::Html(tag) => format!("The tag {tag}"),
        Kind::Paragraph | Kind::Code(_) | Kind::Link(_) => return None,
    })
}
