//! Writes outputs that were seen into a document, in both languages.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};

use crate::document::{Document, Output, twin};

/// Writes outputs, by the index of their block, into a document and its counterpart in Chinese.
/// Returns a sentence for each output that was written.
pub fn write(root: &Path, document: &Document, outputs: &[(usize, String)]) -> Result<Vec<String>> {
    if outputs.is_empty() {
        return Ok(Vec::new());
    }
    let path = twin(&document.path);
    let twin = root
        .join(&path)
        .exists()
        .then(|| Document::read(root, &path))
        .transpose()?;
    if let Some(twin) = &twin {
        let codes = |document: &Document| -> Vec<String> {
            let blocks = document.blocks.iter();
            blocks.map(|block| block.code.clone()).collect()
        };
        ensure!(
            codes(twin) == codes(document),
            "Nothing is written into {} and {}: their `sh` blocks differ.",
            document.path.display(),
            twin.path.display()
        );
    }
    let mut sentences = Vec::new();
    for document in std::iter::once(document).chain(&twin) {
        let mut text = document.text.clone();
        // From the end, so that the places before stay where they are.
        for (index, seen) in outputs.iter().rev() {
            let Some(output) = &document.blocks[*index].output else {
                continue;
            };
            let block = indented(output, seen)
                .with_context(|| format!("{}:{}", document.path.display(), output.line))?;
            text.replace_range(output.range.clone(), &block);
            sentences.push(format!(
                "{}:{}: wrote what was seen.",
                document.path.display(),
                output.line
            ));
        }
        fs::write(root.join(&document.path), text)?;
    }
    sentences.sort();
    Ok(sentences)
}

fn indented(output: &Output, seen: &str) -> Result<String> {
    let mut block = String::new();
    for line in seen.trim_end().lines() {
        let line = line.trim_end();
        ensure!(
            !line.trim_start().starts_with("```"),
            "The output has a line of ```, which would end its block."
        );
        if !line.is_empty() {
            block.push_str(&output.indent);
            block.push_str(line);
        }
        block.push('\n');
    }
    Ok(block)
}
