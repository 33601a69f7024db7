//! Where a document runs: a copy of the repository, a kubeconfig, and namespaces of its own, which
//! are deleted with it.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use cluster::kubectl::Kubectl;
use tempfile::TempDir;

use crate::{
    document::NOT_OURS,
    names::{NAMESPACE, Names},
};

/// The label of the namespaces that the runner makes; its value is the document's name.
pub const LABEL: &str = "chesterapi-document";

/// Folders and files of the copy in which `chesterns` becomes the run's own namespace.
const RENAMED: [&str; 3] = ["k8s", "scripts", "Makefile"];

/// The kinds of objects that a document may make, and has to delete.
const KINDS: &str = "pods,deployments,replicasets,statefulsets,daemonsets,jobs,cronjobs,services,\
                     horizontalpodautoscalers,poddisruptionbudgets,persistentvolumeclaims,\
                     networkpolicies,resourcequotas,limitranges";

/// The variables that a shell doesn't get from the runner: what `make` sets for the runner says nothing
/// to a reader's `make`.
const KEPT_FROM_A_SHELL: &str = "MAKEFLAGS MAKEOVERRIDES MAKELEVEL MFLAGS REGISTRY TAG NEXT NAMESPACE \
                                 CONTEXT DOCUMENTS TRIES BLESS DOCS COMMIT BASH_ENV ENV";

/// The kubeconfig, in the folder of a place.
const KUBECONFIG: &str = "kubeconfig";

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
    /// `None` without a cluster.
    kubectl: Option<Kubectl>,
}

impl Place {
    /// A place with a namespace on the cluster, if there is one.
    pub fn new(
        root: &Path,
        document: &str,
        names: Names,
        cluster: Option<&Cluster>,
    ) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("document-").tempdir()?;
        let tree = folder.path().join("repository");
        copy(root, &tree).with_context(|| format!("{} can't be copied", root.display()))?;
        for path in RENAMED {
            rename(&tree.join(path), &names)?;
        }
        label(&tree.join("k8s/ns.yaml"), document)?;
        choose_registry(&tree, &names.registry)?;
        let mut place = Self {
            folder,
            names,
            kubectl: None,
        };
        if let Some(cluster) = cluster {
            fs::write(place.kubeconfig(), &cluster.kubeconfig)?;
            let kubectl = Kubectl::of_file(&place.kubeconfig());
            let kubectl = place.kubectl.insert(kubectl);
            let current = place.names.current.as_str();
            kubectl.run(&["create", "namespace", current])?;
            kubectl.wait_for_account(current)?;
            let label = format!("{LABEL}={document}");
            kubectl.run(&["label", "namespace", current, &label])?;
            kubectl.run(&["config", "set-context", "--current", "--namespace", current])?;
        }
        Ok(place)
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join(KUBECONFIG)
    }

    /// The repository's copy.
    pub fn tree(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// Where a shell here has its script.
    pub fn script(&self) -> PathBuf {
        self.folder.path().join("block.sh")
    }

    /// How the environment of a shell here differs from the runner's own.
    pub fn environment(&self) -> Vec<(&'static str, Option<OsString>)> {
        let mut environment: Vec<(&str, Option<OsString>)> = KEPT_FROM_A_SHELL
            .split_whitespace()
            .map(|name| (name, None))
            .collect();
        if self.kubectl.is_some() {
            environment.push(("KUBECONFIG", Some(self.kubeconfig().into())));
        }
        environment.push(("TERM", Some("dumb".into())));
        environment
    }

    /// The pods, and what happened last, for a document that failed.
    pub fn state(&self) -> String {
        let Some(kubectl) = &self.kubectl else {
            return String::new();
        };
        let mut state = String::new();
        for namespace in [&self.names.current, &self.names.namespace] {
            for words in [
                "get pods --output=wide",
                "get events --sort-by=.lastTimestamp",
            ] {
                let words = words.split(' ').chain(["--namespace", namespace]);
                let text = kubectl
                    .run(&words.collect::<Vec<_>>())
                    .unwrap_or_else(|error| format!("{error:#}"));
                // The heading, and as many as fit a terminal.
                let lines: Vec<&str> = text.lines().collect();
                let last = lines.len().saturating_sub(20).max(1);
                for line in lines.iter().take(1).chain(lines.iter().skip(last)) {
                    state.push_str(&format!("    {line}\n"));
                }
            }
        }
        self.names.of_document(&state)
    }

    /// What the document has made and not deleted.
    pub fn left_behind(&self) -> Result<Vec<String>> {
        let Some(kubectl) = &self.kubectl else {
            return Ok(Vec::new());
        };
        // What is being deleted counts as deleted, and what has an owner goes with it.
        let objects = kubectl.run(&[
                "get",
                KINDS,
                "-o",
                "go-template={{range .items}}{{if not .metadata.deletionTimestamp}}\
                 {{if not .metadata.ownerReferences}}{{.kind}}/{{.metadata.name}}{{\"\\n\"}}{{end}}{{end}}{{end}}",
            ],
        )?;
        let mut left: Vec<String> = objects.lines().map(str::to_owned).collect();
        left.extend(
            self.namespaces()?
                .iter()
                .map(|name| format!("Namespace/{name}")),
        );
        let left = left.iter().map(|name| self.names.of_document(name));
        Ok(left.collect())
    }

    /// The namespaces that the document has made itself, and that nobody has deleted.
    fn namespaces(&self) -> Result<Vec<String>> {
        let Some(kubectl) = &self.kubectl else {
            return Ok(Vec::new());
        };
        let names = kubectl.run(&[
                "get",
                "namespaces",
                "-o",
                "jsonpath={range .items[*]}{.metadata.name} {.metadata.deletionTimestamp}{\"\\n\"}{end}",
            ],
        )?;
        Ok(names
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter(|(name, deleted)| name.contains(&self.names.namespace) && deleted.is_empty())
            .map(|(name, _)| name.to_owned())
            .collect())
    }

    /// Deletes the namespaces, and whatever else on the cluster has a name of this run.
    fn delete(&self) -> Result<()> {
        let Some(kubectl) = &self.kubectl else {
            return Ok(());
        };
        let mut namespaces = self.namespaces()?;
        namespaces.push(self.names.current.clone());
        let mut arguments = vec!["delete", "namespaces", "--wait=false", "--ignore-not-found"];
        arguments.extend(namespaces.iter().map(String::as_str));
        kubectl.run(&arguments)?;
        let kinds = kubectl.run(&[
            "api-resources",
            "--namespaced=false",
            "--verbs=list,delete",
            "-o",
            "name",
        ])?;
        let kinds: Vec<&str> = kinds
            .lines()
            .filter(|kind| !matches!(*kind, "namespaces" | "nodes"))
            .collect();
        let objects =
            kubectl.run(&["get", &kinds.join(","), "-o", "name", "--ignore-not-found"])?;
        let own: Vec<&str> = objects
            .lines()
            .filter(|name| name.contains(&self.names.namespace))
            .collect();
        if !own.is_empty() {
            let mut arguments = vec!["delete", "--wait=false", "--ignore-not-found"];
            arguments.extend(own);
            kubectl.run(&arguments)?;
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = self.delete() {
            eprintln!(
                "The namespaces {} and {} may be left: {error:#}",
                self.names.current, self.names.namespace
            );
        }
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            if !NOT_OURS.iter().any(|not| *not == name) {
                copy(&from.join(&name), &to.join(&name))?;
            }
        }
    } else if from.exists() {
        fs::copy(from, to)?; // with its permissions
    }
    Ok(())
}

/// Gives the files the namespace of the run.
fn rename(path: &Path, names: &Names) -> Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            rename(&entry?.path(), names)?;
        }
    } else if let Ok(text) = fs::read_to_string(path)
        && text.contains(NAMESPACE)
    {
        fs::write(path, names.of_run(&text))?;
    }
    Ok(())
}

/// Labels the namespace that the manifests make, so that it is found if this run is killed.
fn label(manifest: &Path, document: &str) -> Result<()> {
    let Ok(text) = fs::read_to_string(manifest) else {
        return Ok(()); // a tree of a test
    };
    let labels = "\n  labels:\n";
    let labelled = text.replace(labels, &format!("{labels}    {LABEL}: {document}\n"));
    fs::write(manifest, labelled)?;
    Ok(())
}

/// Chooses the registry, as a reader does.
fn choose_registry(tree: &Path, registry: &str) -> Result<()> {
    if !tree.join("Makefile").exists() {
        return Ok(()); // a tree of a test
    }
    let output = Command::new("make")
        .args(["--no-print-directory", "use"])
        .arg(format!("REGISTRY={registry}"))
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .current_dir(tree)
        .output()
        .context("make can't be run")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "make use: {}", said.trim());
    Ok(())
}
