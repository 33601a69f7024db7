//! Relative links lead to files that exist, and to headings in them.

use std::path::{Path, PathBuf};

use super::tree::{Tree, at};
use crate::elements::{Kind, anchors};

pub(super) fn check(tree: &Tree<'_>, findings: &mut Vec<String>) {
    for document in &tree.documents {
        for element in &document.elements {
            let Kind::Link(target) = &element.kind else {
                continue;
            };
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = match file {
                "" => document.path.clone(),
                file => beside(&document.path, file),
            };
            let linked = tree.document(&path);
            if linked.is_none() && !tree.root.join(&path).exists() {
                let sentence = format!("It links to {target}, which isn't there.");
                findings.push(at(document, element.line, &sentence));
            } else if let Some(linked) = linked
                && !anchor.is_empty()
                && !anchors(&linked.elements)
                    .iter()
                    .any(|known| known == anchor)
            {
                let path = path.display();
                let sentence = format!("It links to {target}, and {path} has no such heading.");
                findings.push(at(document, element.line, &sentence));
            }
        }
    }
}

/// The path that a link in a document leads to, from the repository's root.
fn beside(document: &Path, file: &str) -> PathBuf {
    let mut path = document.to_owned();
    path.pop();
    for part in file.split('/') {
        match part {
            "." | "" => {}
            // Above the root there is nothing of the repository.
            ".." if !path.pop() => path.push(".."),
            ".." => {}
            part => path.push(part),
        }
    }
    path
}
