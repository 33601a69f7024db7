//! Compares the documents with each other, with the source tree and with the programs. A finding is a
//! sentence that begins with where it is.
//!
//! | module | what it finds |
//! | --- | --- |
//! | `languages` | what one language says and the other doesn't |
//! | `links` | links to files and headings that aren't there |
//! | `runs` | outputs of a document that are of different runs |
//! | `commands` | verbs and variables of `make`, and files that aren't there; blocks that nothing runs |
//! | `tables` | tables of the reference that aren't what the programs and the Makefile say |
//! | `figures` | figures that aren't those which were measured |
//! | `titles` | links that call a page something else than its title |
//! | `words` | words that the sheet in CONTRIBUTING.md rules out |
//!
//! Not checked are web links, and whether what the sentences say is true.

use std::path::Path;

use anyhow::Result;

use crate::document::documents;

mod commands;
mod figures;
mod languages;
mod links;
mod runs;
pub mod tables;
mod titles;
mod tree;
mod words;

pub use self::tree::Programs;
use self::tree::Tree;

/// All that is wrong in the documents below a folder.
pub fn check(root: &Path, programs: &Programs) -> Result<Vec<String>> {
    let root = &root.canonicalize()?;
    let tree = Tree {
        root,
        documents: documents(root)?,
        programs,
    };
    let mut findings = Vec::new();
    if tree.documents.is_empty() {
        findings.push("There are no documents here.".to_owned());
    }
    for document in &tree.documents {
        findings.extend(document.findings.clone());
    }
    for check in [
        languages::check,
        links::check,
        runs::check,
        commands::check,
        tables::check,
        figures::check,
        titles::check,
        words::check,
    ] {
        check(&tree, &mut findings);
    }
    Ok(findings)
}
