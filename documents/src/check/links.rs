//! Relative links lead to files that exist, and to headings in them.

use std::path::{Path, PathBuf};

use super::tree::{Tree, at};
use crate::elements::{Element, Kind};

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

/// The names that links to a document can have behind `#`, as GitHub makes them: in lower case, without
/// punctuation, with a hyphen for each space.
/// <https://docs.github.com/en/get-started/writing-on-github/getting-started-with-writing-and-formatting-on-github/basic-writing-and-formatting-syntax#section-links>
fn anchors(elements: &[Element]) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for element in elements {
        if let Kind::Heading(_, text) = &element.kind {
            let slug = text.trim().to_lowercase().replace(' ', "-");
            let left_out = |letter: char| !letter.is_alphanumeric() && !matches!(letter, '-' | '_');
            let slug = slug.replace(left_out, "");
            let numbered = (1..).map(|number| format!("{slug}-{number}"));
            let mut names = std::iter::once(slug.clone()).chain(numbered);
            anchors.extend(names.find(|name| !anchors.contains(name)));
        }
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elements::elements;

    #[test]
    fn anchors_are_githubs() {
        let page = elements(
            "# Step 1: one pod, by hand\n## What's `new` in 1.35?\n## 第 1 步：手工创建一个 Pod\n\
             ## A – b_c\n## Twice\n## Twice\n",
        );
        let expected = [
            "step-1-one-pod-by-hand",
            "whats-new-in-135",
            "第-1-步手工创建一个-pod",
            "a--b_c",
            "twice",
            "twice-1",
        ];
        assert_eq!(anchors(&page), expected);
    }
}
