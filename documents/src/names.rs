//! Documents run side by side on one cluster, so each has names of its own for what readers share:
//! the namespaces, the registry, the nodes. Commands and manifests get the names of the run; outputs
//! get those of the document back.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// The namespace that the documents name, and with which the names of all begin that isn't in a
/// namespace.
pub const NAMESPACE: &str = "chesterns";

/// The registry in the manifests and in the outputs.
pub const REGISTRY: &str = "localhost:5005";

/// A cell of a table, or a line that isn't one: what no two spaces are in.
static CELL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?<cell>[^\s](?: ?[^\s])*)(?<spaces> {2,})?").expect("it is tested")
});

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

    /// Commands or a manifest, with the names of this run.
    pub fn of_run(&self, text: &str) -> String {
        text.replace(NAMESPACE, &self.namespace)
    }

    /// An output, with the names that the document has. The columns of a table stay below each other.
    pub fn of_document(&self, output: &str) -> String {
        let cells = CELL.replace_all(output, |captures: &Captures<'_>| {
            let (cell, spaces) = (
                &captures["cell"],
                captures.name("spaces").map_or("", |spaces| spaces.as_str()),
            );
            let renamed = self.cell_of_document(cell);
            if spaces.is_empty() {
                return renamed;
            }
            let width = (cell.len() + spaces.len()).max(renamed.len() + 2);
            format!("{renamed:width$}")
        });
        // What a reader's own shell says: its name.
        SCRIPT_LINE.replace_all(&cells, "bash: ").into_owned()
    }

    fn cell_of_document(&self, cell: &str) -> String {
        let mut cell = cell
            .replace(&self.namespace, NAMESPACE)
            .replace(&self.current, "default")
            .replace(&self.registry, REGISTRY);
        for (index, node) in self.nodes.iter().enumerate() {
            cell = replace_word(&cell, node, &format!("node{}", index + 1));
        }
        cell
    }
}

/// Replaces a name where it isn't part of a longer one.
fn replace_word(text: &str, word: &str, replacement: &str) -> String {
    let in_name = |letter: char| letter.is_alphanumeric() || letter == '-' || letter == '.';
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let alone = !before.ends_with(in_name)
            // A dot ends a sentence.
            && !after.trim_start_matches('.').starts_with(in_name);
        replaced.push_str(before);
        replaced.push_str(if alone { replacement } else { word });
        rest = after;
    }
    replaced + rest
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
        let of_run = names().of_run(command);
        assert_eq!(
            of_run,
            "kubectl get pods -n chesterns-cpu-x7k2 -l a=chesterns-cpu-x7k2-strict"
        );
        assert_eq!(names().of_document(&of_run), command);
    }

    #[test]
    fn the_current_namespace_the_registry_and_the_nodes_get_the_documents_names() {
        let output =
            "\"docs-cpu-x7k2\" registry.example.com/team/oneapi:1.0 on vm, vm-2 and vm-20.";
        assert_eq!(
            names().of_document(output),
            "\"default\" localhost:5005/oneapi:1.0 on node1, node2 and vm-20."
        );
    }

    #[test]
    fn a_node_is_replaced_at_the_end_of_a_sentence_and_not_within_a_word() {
        assert_eq!(
            names().of_document("the vm. A vm.local, a jvm"),
            "the node1. A vm.local, a jvm"
        );
    }

    #[test]
    fn columns_stay_below_each_other() {
        let output = "NAMESPACE            NODE   IMAGES\n\
                      chesterns-cpu-x7k2   vm     registry.example.com/team/a,registry.example.com/team/b\n";
        assert_eq!(
            names().of_document(output),
            "NAMESPACE            NODE   IMAGES\n\
             chesterns            node1  localhost:5005/a,localhost:5005/b\n"
        );
    }

    #[test]
    fn a_message_of_the_shell_names_no_file_of_the_runner() {
        assert_eq!(
            names().of_document("/tmp/document-a1/block.sh: line 2: nothing: command not found\n"),
            "bash: nothing: command not found\n"
        );
    }
}
