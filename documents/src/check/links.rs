//! Relative links lead to files that exist, and to headings in them.

use std::path::{Path, PathBuf};

use super::tree::Tree;
use crate::elements::{Element, Kind};

pub(super) fn check(tree: &Tree<'_>, findings: &mut Vec<String>) {
    for document in &tree.documents {
        for element in &document.elements {
            let Kind::Link(target, _) = &element.kind else {
                continue;
            };
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = match file {
                "" => Some(document.path.clone()),
                file => linked(tree.root, &document.path, file),
            };
            let sentence = match path.map(|path| (tree.document(&path), path)) {
                None => format!("It links to {target}, which isn't there."),
                Some((Some(page), path))
                    if !anchor.is_empty()
                        && !anchors(&page.elements).iter().any(|known| known == anchor) =>
                {
                    let path = path.display();
                    format!("It links to {target}, and {path} has no such heading.")
                }
                Some(_) => continue,
            };
            findings.push(document.at(element.line, &sentence));
        }
    }
}

/// The path of a file that a document links to, from the repository's root, if it is there.
pub(super) fn linked(root: &Path, document: &Path, file: &str) -> Option<PathBuf> {
    let path = root.join(document).with_file_name(file).canonicalize();
    let path = path.ok()?;
    Some(path.strip_prefix(root).ok()?.to_owned())
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
