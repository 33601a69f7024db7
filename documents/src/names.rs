//! Documents run side by side on one cluster, so each has names of its own for what readers share:
//! the namespaces, the registry, the nodes. Commands and manifests get the names of the run; outputs
//! get those of the document back.

use std::sync::LazyLock;

use cluster::manifest::NAMESPACE;
use regex::{Captures, Regex};

/// The registry that the outputs in the documents name.
pub const REGISTRY: &str = "localhost:5005";

/// A cell of a table, or a line that isn't one: what no two spaces are in.
static CELL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?<cell>[^\s](?: ?[^\s])*)(?<spaces> {2,})?").expect("it is tested")
});

/// What can be a node's name.
static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[\w.-]+").expect("it is tested"));

static SCRIPT_LINE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^/\S*/block\.sh: line \d+: ").expect("it is tested"));

/// What is called what in a run of a document.
#[derive(Clone, Debug)]
pub struct Names {
    /// The current namespace, which is a reader's `default`.
    pub current: String,
    /// What replaces `chesterns`.
    pub namespace: String,
    /// Where images come from.
    pub registry: String,
    /// The cluster's nodes, which are `node1`, `node2` … in the documents.
    pub nodes: Vec<String>,
}

impl Names {
    /// For a document, with a suffix that no other run has.
    pub fn new(document: &str, run: &str, registry: &str, nodes: &[String]) -> Self {
        Self {
            current: format!("docs-{document}-{run}"),
            namespace: format!("{NAMESPACE}-{document}-{run}"),
            registry: registry.to_owned(),
            nodes: nodes.to_owned(),
        }
    }

    /// Commands or a file, with the namespace of this run.
    pub fn of_run(&self, text: &str) -> String {
        text.replace(NAMESPACE, &self.namespace)
    }

    /// An output, with the names that the document has. The columns of a table stay below each other.
    pub fn of_document(&self, output: &str) -> String {
        let cells = CELL.replace_all(output, |captures: &Captures<'_>| {
            let renamed = self.cell_of_document(&captures["cell"]);
            if captures.name("spaces").is_none() {
                return renamed;
            }
            let width = captures[0].len().max(renamed.len() + 2);
            format!("{renamed:width$}")
        });
        // What a reader's own shell says: its name.
        SCRIPT_LINE.replace_all(&cells, "bash: ").into_owned()
    }

    fn cell_of_document(&self, cell: &str) -> String {
        let cell = cell
            .replace(&self.namespace, NAMESPACE)
            .replace(&self.current, "default")
            .replace(&self.registry, REGISTRY);
        let renamed = WORD.replace_all(&cell, |word: &Captures<'_>| {
            // A full stop ends a sentence.
            let name = word[0].trim_end_matches('.');
            match self.nodes.iter().position(|node| node == name) {
                Some(index) => format!("node{}{}", index + 1, &word[0][name.len()..]),
                None => word[0].to_owned(),
            }
        });
        renamed.into_owned()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn names() -> Names {
        let nodes = ["vm".to_owned(), "vm-2".to_owned()];
        Names::new("cpu", "x7k2", "registry.example.com/team", &nodes)
    }

    #[test]
    fn commands_get_the_namespace_of_the_run_and_outputs_lose_it() {
        let command = "kubectl get pods -n chesterns -l a=chesterns-strict";
        let of_run = "kubectl get pods -n chesterns-cpu-x7k2 -l a=chesterns-cpu-x7k2-strict";
        assert_eq!(names().of_run(command), of_run);
        assert_eq!(names().of_document(of_run), command);
    }

    #[test]
    fn outputs_get_the_documents_names() {
        for (output, of_document) in [
            ("\"docs-cpu-x7k2\"", "\"default\""),
            ("on vm, vm-2 and vm-20.", "on node1, node2 and vm-20."),
            ("the vm. A vm.local, a jvm", "the node1. A vm.local, a jvm"),
            (
                "/tmp/document-a1/block.sh: line 2: nothing: command not found\n",
                "bash: nothing: command not found\n",
            ),
            (
                "NAMESPACE            NODE   IMAGES\n\
                 chesterns-cpu-x7k2   vm     registry.example.com/team/a,registry.example.com/team/b\n",
                "NAMESPACE            NODE   IMAGES\n\
                 chesterns            node1  localhost:5005/a,localhost:5005/b\n",
            ),
        ] {
            assert_eq!(names().of_document(output), of_document);
        }
    }
}
