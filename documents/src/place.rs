//! Where a document runs: a copy of the repository, a kubeconfig, and namespaces of its own, which
//! are deleted with it.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use anyhow::Result;
use cluster::kubectl::Kubectl;
use regex::Regex;
use tempfile::TempDir;

use crate::{document::files, names::Names};

/// The label of the namespaces that the runner makes; its value is the document's name.
pub const LABEL: &str = "chesterapi-document";

/// Folders and files of the copy that get the names of the run.
const RENAMED: [&str; 3] = ["k8s", "scripts", "Makefile"];

/// The kinds of objects that a document may make, and has to delete.
const KINDS: &str = "pods,deployments,replicasets,statefulsets,daemonsets,jobs,cronjobs,services,\
                     horizontalpodautoscalers,poddisruptionbudgets,persistentvolumeclaims,\
                     networkpolicies,resourcequotas,limitranges";

/// The kinds and names of objects. What is being deleted counts as deleted, and what has an owner goes with
/// it.
const OBJECTS: &str = "go-template={{range .items}}{{if not .metadata.deletionTimestamp}}\
                       {{if not .metadata.ownerReferences}}{{.kind}}/{{.metadata.name}} {{end}}{{end}}{{end}}";

/// The variables that a shell doesn't get from the runner: what `make` sets for the runner says nothing
/// to a reader's `make`.
const KEPT_FROM_A_SHELL: &str = "MAKEFLAGS MAKEOVERRIDES MAKELEVEL MFLAGS REGISTRY TAG NEXT NAMESPACE \
                                 CONTEXT DOCUMENTS TRIES BLESS DOCS COMMIT BASH_ENV ENV";

/// An image of this project, as `make use` finds it.
static IMAGE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?<before>image: +)\S+/(?<service>oneapi|twoapi):").expect("it is tested")
});

/// A cluster, as kubectl reaches it.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// A kubeconfig with one context.
    kubeconfig: String,
    /// The nodes' names.
    pub nodes: Vec<String>,
}

impl Cluster {
    /// The cluster of a context, or of the current one.
    ///
    /// # Errors
    /// A sentence when there is no kubectl, or when no cluster answers it.
    pub fn of_context(context: &str) -> Result<Self> {
        let kubectl = Kubectl::of_context(context);
        kubectl.check()?;
        let kubeconfig = kubectl.run(&["config", "view", "--minify", "--flatten", "--raw"])?;
        let nodes = "jsonpath={.items[*].metadata.name}";
        let nodes = kubectl.run(&["get", "nodes", "-o", nodes])?;
        Ok(Self {
            kubeconfig,
            nodes: nodes.split_whitespace().map(str::to_owned).collect(),
        })
    }
}

/// Where a document runs. What it made on the cluster is deleted when this is dropped.
#[derive(Debug)]
pub struct Place {
    folder: TempDir,
    /// What is called what there.
    pub names: Names,
    kubectl: Kubectl,
}

impl Place {
    /// A place with a namespace on the cluster.
    pub fn new(root: &Path, document: &str, names: Names, cluster: &Cluster) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("document-").tempdir()?;
        let kubeconfig = folder.path().join("kubeconfig");
        fs::write(&kubeconfig, &cluster.kubeconfig)?;
        let place = Self {
            folder,
            names,
            kubectl: Kubectl::of_file(&kubeconfig),
        };
        place.copy(root, document)?;
        let Self { names, kubectl, .. } = &place;
        let current = names.current.as_str();
        kubectl.run(&["create", "namespace", current])?;
        kubectl.wait_for_account(current)?;
        let label = format!("{LABEL}={document}");
        kubectl.run(&["label", "namespace", current, &label])?;
        kubectl.run(&["config", "set-context", "--current", "--namespace", current])?;
        Ok(place)
    }

    /// Copies the repository, with the names of the run in what is applied.
    fn copy(&self, root: &Path, document: &str) -> Result<()> {
        for path in files(root)? {
            let copy = self.tree().join(&path);
            fs::create_dir_all(copy.parent().expect("it is in the tree"))?;
            fs::copy(root.join(&path), &copy)?; // with its permissions
            if RENAMED.iter().any(|renamed| path.starts_with(renamed))
                && let Ok(text) = fs::read_to_string(&copy)
            {
                let image = format!("${{before}}{}/$service:", self.names.registry);
                let text = IMAGE.replace_all(&text, image);
                let mut text = self.names.of_run(&text);
                if path == Path::new("k8s/ns.yaml") {
                    let labels = "\n  labels:\n";
                    text = text.replace(labels, &format!("{labels}    {LABEL}: {document}\n"));
                }
                fs::write(&copy, text)?;
            }
        }
        Ok(())
    }

    /// The folder of the shell's own files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The repository's copy.
    pub fn tree(&self) -> PathBuf {
        self.folder().join("repository")
    }

    /// How the environment of a shell here differs from the runner's own.
    pub fn environment(&self) -> Vec<(&'static str, Option<OsString>)> {
        let kept = KEPT_FROM_A_SHELL.split_whitespace();
        let mut environment: Vec<(&str, Option<OsString>)> =
            kept.map(|name| (name, None)).collect();
        let kubeconfig = self.folder().join("kubeconfig");
        environment.push(("KUBECONFIG", Some(kubeconfig.into())));
        environment.push(("TERM", Some("dumb".into())));
        environment
    }

    /// The pods, and what happened last, for a document that failed.
    pub fn state(&self) -> String {
        let mut state = String::new();
        for namespace in [&self.names.current, &self.names.namespace] {
            for words in [
                "get pods --output=wide",
                "get events --sort-by=.lastTimestamp",
            ] {
                let words = words.split(' ').chain(["--namespace", namespace]);
                let text = self.kubectl.run(&words.collect::<Vec<_>>());
                let text = text.unwrap_or_else(|error| format!("{error:#}"));
                // As many as fit a terminal.
                let skipped = text.lines().count().saturating_sub(20);
                for line in text.lines().skip(skipped) {
                    state.push_str(&format!("    {line}\n"));
                }
            }
        }
        self.names.of_document(&state)
    }

    /// What the document has made and not deleted.
    pub fn left_behind(&self) -> Result<Vec<String>> {
        let mut left = self.objects(KINDS)?;
        left.extend(self.namespaces()?);
        let left = left.iter().map(|name| self.names.of_document(name));
        Ok(left.collect())
    }

    /// The namespaces that the document has made itself.
    fn namespaces(&self) -> Result<Vec<String>> {
        let mut namespaces = self.objects("namespaces")?;
        namespaces.retain(|name| name.contains(&self.names.namespace));
        Ok(namespaces)
    }

    fn objects(&self, kinds: &str) -> Result<Vec<String>> {
        let objects = self.kubectl.run(&["get", kinds, "-o", OBJECTS])?;
        Ok(objects.split_whitespace().map(str::to_owned).collect())
    }

    fn delete(&self) -> Result<()> {
        let mut namespaces = self.namespaces()?;
        namespaces.push(format!("Namespace/{}", self.names.current));
        let mut arguments = vec!["delete", "--wait=false", "--ignore-not-found"];
        arguments.extend(namespaces.iter().map(String::as_str));
        self.kubectl.run(&arguments)?;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = self.delete() {
            let Names {
                current, namespace, ..
            } = &self.names;
            eprintln!("The namespaces {current} and {namespace} may be left: {error:#}");
        }
    }
}
