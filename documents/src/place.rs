//! Where a document runs: a copy of the repository, a kubeconfig, and namespaces of its own, which
//! are deleted with it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;
use cluster::{Cluster, Namespace, kubectl::Kubectl, manifest};
use tempfile::TempDir;

use crate::{document::files, names::Names};

/// The label of the namespaces that the runner makes; its value is the document's name.
pub const LABEL: &str = "chesterapi-document";

/// Folders and files of the copy that get the names of the run.
const RENAMED: [&str; 3] = ["k8s", "scripts", "Makefile"];

/// The version that the documents begin with, whichever `make use` has written into the files.
const TAG: &str = "1.0";

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
                                 CONTEXT DOCUMENTS TRIES MAY_SKIP BLESS DOCS COMMIT BASH_ENV ENV";

/// Where a document runs. What it made on the cluster is deleted when this is dropped.
#[derive(Debug)]
pub struct Place<'a> {
    /// What is deleted with it; a shell has its files there.
    pub folder: TempDir,
    /// What is called what there.
    pub names: Names,
    cluster: &'a Cluster,
}

impl<'a> Place<'a> {
    /// A place with a namespace on the cluster.
    pub fn new(root: &Path, document: &str, names: Names, cluster: &'a Cluster) -> Result<Self> {
        let place = Self {
            folder: tempfile::Builder::new().prefix("document-").tempdir()?,
            names,
            cluster,
        };
        place.copy(root, document)?;
        let kubectl = &cluster.kubectl;
        let current = place.names.current.as_str();
        kubectl.run(&["create", "namespace", current])?;
        kubectl.wait_for_account(current)?;
        let label = format!("{LABEL}={document}");
        kubectl.run(&["label", "namespace", current, &label])?;
        let view = ["config", "view", "--minify", "--flatten", "--raw"];
        fs::write(place.kubeconfig(), kubectl.run(&view)?)?;
        let kubectl = Kubectl::of_file(&place.kubeconfig());
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
                let text = manifest::with_images(&text, &self.names.registry, TAG);
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

    /// The repository's copy.
    fn tree(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// A bash in the copy, which reaches the cluster.
    pub fn bash(&self) -> Command {
        let mut bash = Command::new("bash");
        bash.args(["--noprofile", "--norc"])
            .current_dir(self.tree())
            .env("KUBECONFIG", self.kubeconfig())
            .env("TERM", "dumb");
        for name in KEPT_FROM_A_SHELL.split_whitespace() {
            bash.env_remove(name);
        }
        bash
    }

    /// The pods, and what happened last, for a document that failed.
    pub fn state(&self) -> String {
        let mut state = String::new();
        for name in [&self.names.current, &self.names.namespace] {
            let namespace = Namespace::new(self.cluster, name);
            for words in ["get pods -o wide", "get events --sort-by=.lastTimestamp"] {
                let text = namespace.output(words);
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
        let current = &self.names.current;
        let arguments = ["get", kinds, "-n", current, "-o", OBJECTS];
        let objects = self.cluster.kubectl.run(&arguments)?;
        Ok(objects.split_whitespace().map(str::to_owned).collect())
    }

    fn delete(&self) -> Result<()> {
        let mut namespaces = self.namespaces()?;
        namespaces.push(format!("Namespace/{}", self.names.current));
        let mut arguments = vec!["delete", "--wait=false", "--ignore-not-found"];
        arguments.extend(namespaces.iter().map(String::as_str));
        self.cluster.kubectl.run(&arguments)?;
        Ok(())
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.delete() {
            let (current, own) = (&self.names.current, &self.names.namespace);
            eprintln!("The namespaces {current} and {own} may be left: {error:#}");
        }
    }
}
