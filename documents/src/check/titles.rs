//! A page has one title, and each link to the whole of it has that as its text, or what stands before the
//! colon in it; a sentence may have it in small letters. Files such as CONTRIBUTING.md may be called by their
//! names, and a picture needs no text.

use super::{links::linked, tree::Tree};
use crate::{document::counterpart, elements::Kind};

pub(super) fn check(tree: &Tree<'_>, findings: &mut Vec<String>) {
    for document in &tree.documents {
        for element in &document.elements {
            let Kind::Link(target, text) = &element.kind else {
                continue;
            };
            let page = linked(tree.root, &document.path, target);
            let Some(page) = page.and_then(|path| tree.document(&path)) else {
                continue;
            };
            let title = page
                .elements
                .iter()
                .find_map(|element| match &element.kind {
                    Kind::Heading(1, title) => Some(title.as_str()),
                    _ => None,
                });
            let title = title.unwrap_or_default();
            let short = title.split([':', '：']).next().unwrap_or_default();
            let called = [title, short, target, "README", ""].map(str::to_lowercase);
            if called.contains(&text.to_lowercase()) || page.path == counterpart(&document.path) {
                continue;
            }
            let sentence = format!("It calls {target} \"{text}\", whose title is \"{title}\".");
            findings.push(document.at(element.line, &sentence));
        }
    }
}
