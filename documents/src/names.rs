//! Documents run side by side on one cluster, so each has names of its own for what readers share:
//! the namespaces, the registry, the nodes. Commands and manifests get the names of the run; outputs
//! get those of the document back.

use std::sync::LazyLock;

use regex::Regex;

/// The namespace that the documents name, and with which the names of all begin that isn't in a
/// namespace.
pub const NAMESPACE: &str = "chesterns";

/// The registry in the manifests and in the outputs.
pub const REGISTRY: &str = "localhost:5005";

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

    /// An output, with the names that the document has.
    pub fn of_document(&self, output: &str) -> String {
        let mut output = output
            .replace(&self.namespace, NAMESPACE)
            .replace(&self.current, "default")
            .replace(&self.registry, REGISTRY);
        for (index, node) in self.nodes.iter().enumerate() {
            output = replace_word(&output, node, &format!("node{}", index + 1));
        }
        // What a reader's own shell says: its name.
        SCRIPT_LINE.replace_all(&output, "bash: ").into_owned()
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
