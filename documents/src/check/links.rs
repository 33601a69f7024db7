//! Relative links lead to files that exist, and to headings in them.

use std::path::{Component, Path, PathBuf};

use super::{Documents, at};
use crate::page::Kind;

pub(super) fn check(root: &Path, documents: &Documents, findings: &mut Vec<String>) {
    for page in &documents.pages {
        for element in &page.elements {
            let Kind::Link(target) = &element.kind else {
                continue;
            };
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() {
                page.path.clone()
            } else {
                let folder = page.path.parent().unwrap_or(Path::new(""));
                normal(&folder.join(file))
            };
            let linked = documents.page(&path);
            if linked.is_none() && !root.join(&path).exists() {
                let sentence = format!("It links to {target}, which isn't there.");
                findings.push(at(&page.path, element.line, &sentence));
            } else if let Some(linked) = linked
                && !anchor.is_empty()
                && !linked.anchors().iter().any(|known| known == anchor)
            {
                let sentence = format!(
                    "It links to {target}, and {} has no such heading.",
                    linked.path.display()
                );
                findings.push(at(&page.path, element.line, &sentence));
            }
        }
    }
}

/// A path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                // Above the root there is nothing of the repository.
                if !normal.pop() {
                    normal.push("..");
                }
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}
