//! A document and its counterpart have the same shape: headings, lists, tables and HTML in the same
//! order; the same blocks and comments, byte for byte; links to the same targets, and the same code in
//! the rows of tables. A sentence may name two things, or two figures, in another order in another language.

use std::path::{Path, PathBuf};

use super::{Documents, at, figures, is_of_a_pair};
use crate::{
    document::{is_chinese, twin},
    page::{Element, Kind, Page},
};

pub(super) fn check(documents: &Documents, findings: &mut Vec<String>) {
    for page in &documents.pages {
        if !is_of_a_pair(&page.path) {
            continue;
        }
        let chinese = is_chinese(&page.path);
        let other = if chinese {
            let path = page.path.to_string_lossy().replace(".zh-CN.md", ".md");
            PathBuf::from(path)
        } else {
            twin(&page.path)
        };
        match documents.page(&other) {
            Some(other) if !chinese => compare(page, other, findings),
            Some(_) => {}
            None => findings.push(format!(
                "{} has no twin {}.",
                page.path.display(),
                other.display()
            )),
        }
    }
}

fn compare(english: &Page, chinese: &Page, findings: &mut Vec<String>) {
    let (first, second) = (shapes(english), shapes(chinese));
    let different = first
        .iter()
        .zip(&second)
        .find(|((_, first), (_, second))| first != second);
    let at_end = first.len().min(second.len());
    if let Some(((line, shape), (other_line, other_shape))) = different {
        let sentence = format!(
            "{shape} differs from {}:{other_line}: {other_shape}.",
            chinese.path.display()
        );
        findings.push(at(&english.path, *line, &sentence));
    } else if let Some((line, shape)) = first.get(at_end) {
        let sentence = format!("{shape} has no counterpart in {}.", chinese.path.display());
        findings.push(at(&english.path, *line, &sentence));
    } else if let Some((line, shape)) = second.get(at_end) {
        let sentence = format!("{shape} has no counterpart in {}.", english.path.display());
        findings.push(at(&chinese.path, *line, &sentence));
    }

    compare_sets(english, chinese, "links to", targets, findings);
    compare_sets(english, chinese, "has the comment", measurements, findings);
}

/// Compares what may come in another order in another language.
fn compare_sets(
    english: &Page,
    chinese: &Page,
    verb: &str,
    of: fn(&Page) -> Vec<String>,
    findings: &mut Vec<String>,
) {
    for (page, other) in [(english, chinese), (chinese, english)] {
        let mut others = of(other);
        for element in of(page) {
            match others.iter().position(|other| *other == element) {
                Some(index) => drop(others.remove(index)),
                None => findings.push(format!(
                    "{} {verb} {element}, and {} doesn't, or less often.",
                    page.path.display(),
                    other.path.display()
                )),
            }
        }
    }
}

/// The comments that say where a figure was measured: a sentence may name two figures.
fn measurements(page: &Page) -> Vec<String> {
    let comments = page
        .elements
        .iter()
        .filter_map(|element| match &element.kind {
            Kind::Comment(comment, _) if comment.starts_with(figures::MARK) => {
                Some(comment.clone())
            }
            _ => None,
        });
    comments.collect()
}

/// What has to be the same, described.
fn shapes(page: &Page) -> Vec<(usize, String)> {
    let shape = |element: &Element| {
        let shape = match &element.kind {
            Kind::Heading(level, _) => format!("A heading of level {level}"),
            Kind::Item => "An item of a list".to_owned(),
            Kind::Quote => "A quotation".to_owned(),
            Kind::Row(cells) => {
                let code: Vec<String> = cells
                    .iter()
                    .map(|cell| {
                        let mut code = cell.code.clone();
                        code.sort();
                        code.join(" ")
                    })
                    .collect();
                format!(
                    "A row of {} cells with the code \"{}\"",
                    cells.len(),
                    code.join(" | ")
                )
            }
            // A diagram has words for readers.
            Kind::Block(info, _) if info == "mermaid" => "A diagram".to_owned(),
            Kind::Block(info, text) => format!("A code block ({info})\n{text}"),
            Kind::Comment(comment, _) if comment.starts_with(figures::MARK) => return None,
            Kind::Comment(comment, _) => format!("The comment \"{comment}\""),
            Kind::Html(tag) => format!("The tag {tag}"),
            Kind::Code(_) | Kind::Link(_) | Kind::Anchor(_) => return None,
        };
        Some((element.line, shape))
    };
    let mut shapes = Vec::new();
    for (line, shape) in page.elements.iter().filter_map(shape) {
        // Line by line, so that the one that differs is named.
        for (index, part) in shape.lines().enumerate() {
            let shape = if index == 0 {
                part.to_owned()
            } else {
                format!("The line of code \"{part}\"")
            };
            shapes.push((line + index, shape));
        }
    }
    shapes
}

/// Where the links lead, language and heading aside.
fn targets(page: &Page) -> Vec<String> {
    let mut targets: Vec<String> = page
        .elements
        .iter()
        .filter_map(|element| match &element.kind {
            Kind::Link(target) => Some(target),
            _ => None,
        })
        .map(|target| {
            let target = target.split('#').next().unwrap_or_default();
            let target = target
                .replace(".zh-CN.md", ".md")
                .replace("-zh.png", "-en.png");
            // kubernetes.io has a page in each language.
            target.replace("://kubernetes.io/zh-cn/", "://kubernetes.io/")
        })
        .filter(|target| Path::new(target).file_name() != page_name(page).as_deref())
        .collect();
    targets.sort();
    targets
}

/// The twins link to each other; that link is the same in neither.
fn page_name(page: &Page) -> Option<std::ffi::OsString> {
    let name = page
        .path
        .file_name()?
        .to_string_lossy()
        .replace(".zh-CN.md", ".md");
    Some(name.into())
}
