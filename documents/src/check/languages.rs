//! A document and its counterpart have the same shape: headings, lists, tables and HTML in the same
//! order; the same blocks and comments, byte for byte; links to the same targets, and the same code in
//! the rows of tables. A sentence may name two things, or two figures, in another order in another language.

use std::path::Path;

use super::{figures, tree::Tree};
use crate::{
    document::{Document, counterpart, is_chinese},
    elements::{Element, Kind},
};

pub(super) fn check(tree: &Tree<'_>, findings: &mut Vec<String>) {
    for document in &tree.documents {
        let path = &document.path;
        if !is_chinese(path) && path != Path::new("README.md") && !path.starts_with("docs") {
            continue;
        }
        let counterpart = counterpart(path);
        match tree.document(&counterpart) {
            Some(chinese) if !is_chinese(path) => compare(document, chinese, findings),
            Some(_) => {}
            None => {
                let (path, counterpart) = (path.display(), counterpart.display());
                findings.push(format!("{path} has no counterpart {counterpart}."));
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
            Some((line, shape)) => document.at(*line, shape),
            None => format!("the end of {}", document.path.display()),
        };
        let first = shape(english, first.get(same));
        let second = shape(chinese, second.get(same));
        findings.push(format!("{first} differs from {second}."));
    }
}

/// What has to be the same, described, with its line. A code block is described line by line, so that the
/// one that differs is named. What may come in another order in another language comes last, sorted.
fn shapes(document: &Document) -> Vec<(usize, String)> {
    let mut shapes = Vec::new();
    let mut in_any_order = Vec::new();
    let mut has_words = false;
    for Element { line, kind } in &document.elements {
        let shape = shape(kind, document).map(|shape| (*line, shape));
        match kind {
            Kind::Link(..) => in_any_order.extend(shape),
            Kind::Comment(comment, _) if comment.starts_with(figures::MARK) => {
                in_any_order.extend(shape);
            }
            _ => shapes.extend(shape),
        }
        // A diagram and a formula have words for readers.
        if let Kind::Comment(comment, _) = kind {
            has_words = ["not run: a picture", "not run: a formula"].contains(&comment.as_str());
        }
        if let Kind::Block(info, code) = kind
            && info != "mermaid"
            && !std::mem::take(&mut has_words)
        {
            for (index, code) in code.lines().enumerate() {
                shapes.push((line + 1 + index, format!("The line of code \"{code}\"")));
            }
        }
    }
    in_any_order.sort_by(|(_, first), (_, second)| first.cmp(second));
    shapes.extend(in_any_order);
    shapes
}

fn shape(kind: &Kind, document: &Document) -> Option<String> {
    Some(match kind {
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
        Kind::Comment(comment, _) => format!("The comment \"{comment}\""),
        Kind::Html(tag) => format!("The tag {tag}"),
        Kind::Link(target, _) => {
            let target = in_any_language(target.split('#').next().unwrap_or_default());
            let name = document.path.file_name().unwrap_or_default();
            // The two link to each other; that link is the same in neither.
            if target.rsplit('/').next() == Some(&in_any_language(&name.to_string_lossy())) {
                return None;
            }
            format!("A link to {target}")
        }
        Kind::Paragraph | Kind::Code(_) => return None,
    })
}

fn in_any_language(target: &str) -> String {
    target
        .replace(".zh-CN.md", ".md")
        .replace("-zh.png", "-en.png")
        // kubernetes.io has a page in each language.
        .replace("://kubernetes.io/zh-cn/", "://kubernetes.io/")
}
