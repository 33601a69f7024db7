//! Compares the documents with each other, with the source tree and with the programs. A finding is a
//! sentence that begins with where it is.
//!
//! | module | what it finds |
//! | --- | --- |
//! | `pairs` | what one language says and the other doesn't |
//! | `links` | links to files and headings that aren't there |
//! | `commands` | verbs and variables of `make`, files for kubectl and flags of the programs that aren't there; blocks that nothing runs |
//! | `tables` | settings, flags and endpoints of the reference's tables that the programs don't have, and the other way round |
//! | `figures` | figures that aren't those which were measured |
//!
//! Not checked are web links, and whether what the sentences say is true.

use std::path::Path;

use anyhow::Result;

use crate::{
    document::{Document, is_chinese, paths},
    page::Page,
};

pub mod commands;
pub mod figures;
pub mod links;
pub mod pairs;
pub mod tables;

pub use tables::Programs;

/// The documents of a tree.
#[derive(Debug)]
pub struct Documents {
    pages: Vec<Page>,
    documents: Vec<Document>,
}

impl Documents {
    /// Reads all documents below a folder.
    pub fn read(root: &Path) -> Result<Self> {
        let documents: Vec<Document> = paths(root)?
            .iter()
            .map(|path| Document::read(root, path))
            .collect::<Result<_>>()?;
        let pages = documents
            .iter()
            .map(|document| Page::parse(&document.path, &document.text));
        Ok(Self {
            pages: pages.collect(),
            documents,
        })
    }

    fn page(&self, path: &Path) -> Option<&Page> {
        self.pages.iter().find(|page| page.path == path)
    }
}

/// All that is wrong in the documents below a folder.
pub fn check(root: &Path, programs: &Programs) -> Result<Vec<String>> {
    let documents = Documents::read(root)?;
    let mut findings = Vec::new();
    if documents.pages.is_empty() {
        findings.push("There are no documents here.".to_owned());
    }
    for document in &documents.documents {
        for finding in &document.findings {
            findings.push(at(&document.path, finding.line, &finding.sentence));
        }
    }
    pairs::check(&documents, &mut findings);
    links::check(root, &documents, &mut findings);
    commands::check(root, &documents, programs, &mut findings);
    tables::check(root, &documents, programs, &mut findings);
    figures::check(root, &documents, &mut findings);
    Ok(findings)
}

fn at(path: &Path, line: usize, sentence: &str) -> String {
    format!("{}:{line}: {sentence}", path.display())
}

/// Whether a document has a counterpart in the other language.
fn is_of_a_pair(path: &Path) -> bool {
    is_chinese(path) || path == Path::new("README.md") || path.starts_with("docs")
}
