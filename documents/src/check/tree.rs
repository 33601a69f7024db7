//! What is checked.

use std::path::Path;

use crate::document::Document;

/// What the programs say of themselves.
#[derive(Clone, Debug, Default)]
pub struct Programs {
    /// Their command lines, which have their settings.
    pub commands: Vec<clap::Command>,
    /// What they answer: the service, and the method and path, such as `DELETE /burns/{id}`.
    pub requests: Vec<(String, String)>,
}

/// A repository with its documents.
pub(super) struct Tree<'a> {
    pub(super) root: &'a Path,
    pub(super) documents: Vec<Document>,
    pub(super) programs: &'a Programs,
}

impl Tree<'_> {
    pub(super) fn document(&self, path: &Path) -> Option<&Document> {
        self.documents.iter().find(|document| document.path == path)
    }
}
