//! Writes outputs that were seen into a document, in both languages.

use std::{fs, path::Path};

use anyhow::{Result, ensure};

use crate::document::{Document, counterpart};

/// Writes outputs, by the index of their block, into a document and its counterpart in Chinese, and prints
/// where.
pub fn write(root: &Path, document: &Document, outputs: &[(usize, String)]) -> Result<()> {
    if outputs.is_empty() {
        return Ok(());
    }
    let mut documents = vec![document.clone()];
    let counterpart = counterpart(&document.path);
    if root.join(&counterpart).exists() {
        documents.push(Document::read(root, &counterpart)?);
    }
    for other in &documents {
        let (ours, theirs) = (document.blocks.iter(), other.blocks.iter());
        ensure!(
            ours.map(|block| &block.code)
                .eq(theirs.map(|block| &block.code)),
            "Nothing is written into {} and {}: their `sh` blocks differ.",
            document.path.display(),
            other.path.display()
        );
    }
    for document in &documents {
        let path = document.path.display();
        let mut lines: Vec<String> = document.text.lines().map(str::to_owned).collect();
        // From the end, so that the lines before keep their numbers.
        for (index, seen) in outputs.iter().rev() {
            let Some((fence, old)) = &document.blocks[*index].output else {
                continue;
            };
            ensure!(
                !seen.contains("```"),
                "{path}:{fence}: The output has ```, which would end its block."
            );
            let indent = lines[fence - 1].split('`').next().unwrap_or_default();
            let seen = seen.trim_end().lines();
            let seen: Vec<String> = seen
                .map(|line| format!("{indent}{line}").trim_end().to_owned())
                .collect();
            let old = *fence..fence + old.lines().count();
            if lines[old.clone()] != seen {
                println!("{path}:{fence}: wrote what was seen.");
            }
            lines.splice(old, seen);
        }
        fs::write(root.join(&document.path), lines.join("\n") + "\n")?;
    }
    Ok(())
}
