//! The live page in a real browser, through rolling updates: what it shows is what happens, and its
//! verdicts are those of the load beside it. Two viewers watch. One has the page of a pod that no
//! update replaces, with the Deployment and its twin side by side, through `kubectl port-forward`; the
//! other comes through the API server's proxy to the Service, whose pods are all replaced.
//!
//! It needs Node and Chromium here, and is skipped where they are missing.

use std::{env, path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};
use cluster::{Namespace, SOON, background::Background, deployment, life::Skipped, manifest, pods};
use e2e::load::Load;
use serde_json::Value;

/// Short requests per second of the load beside the viewers, in all.
const RATE: u32 = 100;

/// How often the twin is replaced until it has lost a request: each time it loses a few of hundreds.
const MAX_REPLACEMENTS: usize = 5;

const TESTS: &str = "twoapi/tests/page";

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    let browser = browser()?;
    let (tag, next) = (&namespace.cluster.tag, &namespace.cluster.next);
    deployment::deploy(namespace)?;
    namespace.apply("k8s/lessons/side-by-side.yaml")?;
    twin_rolled_out(namespace)?;
    pods::ready(namespace, "chesterpage")?;
    let load = Load::start(namespace, RATE)?;

    let kubectl = |words: &str| Background::start(namespace.command().args(words.split(' ')));
    let forward = kubectl("port-forward pod/chesterpage :5001")?;
    let proxy = kubectl("proxy --port=0")?;
    let (forward_at, proxy_at) = (address(namespace, &forward)?, address(namespace, &proxy)?);
    let service = "services/chesterservice:twoapi/proxy/";
    let viewers = Background::start(
        Command::new("node")
            .arg("cluster.mjs")
            .arg(format!("beside=http://{forward_at}/"))
            .arg(format!(
                "through=http://{proxy_at}/api/v1/namespaces/{}/{service}",
                namespace.name
            ))
            .env("CHROMIUM", browser)
            .current_dir(manifest::path(TESTS)),
    )?;
    let watching = |line: &str| (line == "watching").then_some(());
    line(namespace, &viewers, "both viewers see pods", watching)?;

    let before = load.now()?;
    deployment::update_to(namespace, next)?;
    for viewer in ["beside", "through"] {
        let report = report(namespace, &viewers, viewer, 0, 0)?;
        let verdict = &report["verdict"];
        let said = format!("the viewer {viewer} says: {report}");
        for (key, value) in [
            ("kind", "update".into()),
            ("from", Value::from(vec![tag.as_str()])),
            ("to", Value::from(vec![next.as_str()])),
            ("pods", 3.into()),
            ("stuck", 0.into()),
            ("failed", 0.into()),
        ] {
            ensure!(verdict[key] == value, "{key}: {said}");
        }
        ensure!(verdict["requests"].as_u64() > Some(50), "{said}");
        ensure!(verdict["late"].as_u64() > Some(0), "{said}");
        // The new version's cards appear beside the old ones, which leave.
        let cards = report["seen"].as_array().context("cards were seen")?;
        let both = Value::from(format!("{tag} and {next}"));
        ensure!(cards.first() == Some(&tag.as_str().into()), "{said}");
        ensure!(cards.contains(&both), "{said}");
        ensure!(cards.last() == Some(&next.as_str().into()), "{said}");
        nothing_to_complain_of(&report)?;
        let away = report["away_ms"].as_array().context("it is a list")?;
        let replaced = viewer == "through";
        ensure!(
            away.is_empty() != replaced,
            "whether its pod was replaced: {said}"
        );
        ensure!(
            away.iter().all(|ms| ms.as_u64() < Some(1000)),
            "it went on within a second from another pod: {said}"
        );
    }
    let counted = load.since(&before)?;
    ensure!(
        counted.requests > 0 && counted.failures() == 0,
        "the load beside it says the same as the verdicts: {counted:?}"
    );

    for replacement in 0.. {
        ensure!(
            replacement < MAX_REPLACEMENTS,
            "the twin without a drain lost nothing in {MAX_REPLACEMENTS} replacements"
        );
        namespace.kubectl("rollout restart deployment/chestertwin")?;
        twin_rolled_out(namespace)?;
        let report = report(namespace, &viewers, "beside", 1, replacement)?;
        let verdict = &report["verdict"];
        let said = format!("the viewer says of the twin: {report}");
        ensure!(
            verdict["kind"] == "replace" && verdict["pods"] == 3,
            "{said}"
        );
        nothing_to_complain_of(&report)?;
        let outcomes = verdict["outcomes"].as_object().context("it has outcomes")?;
        let lost: u64 = outcomes.values().filter_map(Value::as_u64).sum();
        ensure!(verdict["failed"] == lost, "each is of a kind: {said}");
        if lost > 0 {
            break;
        }
    }
    load.end(namespace).map(drop)
}

fn twin_rolled_out(namespace: &Namespace<'_>) -> Result<()> {
    let timeout = SOON.as_secs();
    let status = format!("rollout status deployment/chestertwin --timeout={timeout}s");
    namespace.kubectl(&status).map(drop)
}

fn nothing_to_complain_of(report: &Value) -> Result<()> {
    let none = |what: &str| report[what].as_array().is_some_and(Vec::is_empty);
    ensure!(
        none("complaints"),
        "no error in the console, and no request to somewhere else: {}",
        report["complaints"]
    );
    ensure!(none("axe"), "axe-core finds nothing: {}", report["axe"]);
    Ok(())
}

/// The browser, if all is here that the viewers need.
fn browser() -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = |names: &[&str]| {
        let mut folders = env::split_paths(&path);
        let within = |folder: PathBuf| {
            names
                .iter()
                .map(|it| folder.join(it))
                .find(|it| it.exists())
        };
        folders.find_map(within)
    };
    let missing = |what: &str, mended: &str| {
        let why = format!("There is no {what} here, which the viewers of the page need{mended}.");
        Skipped(why)
    };
    on_path(&["node"]).ok_or_else(|| missing("node", ""))?;
    let playwright = manifest::path(TESTS).join("node_modules/playwright-core");
    if !playwright.exists() {
        return Err(missing("playwright-core", ": make test-page installs it").into());
    }
    let named = env::var_os("CHROMIUM").filter(|name| !name.is_empty());
    let named = named.map(PathBuf::from);
    let found = named.or_else(|| on_path(&["chromium", "chromium-browser", "google-chrome"]));
    let mended = ": CHROMIUM names one that isn't on the PATH";
    Ok(found.ok_or_else(|| missing("Chromium", mended))?)
}

/// Waits for a line of a process.
fn line<T>(
    namespace: &Namespace<'_>,
    process: &Background,
    what: &str,
    wanted: impl Fn(&str) -> Option<T>,
) -> Result<T> {
    let found = namespace.until(what, SOON, || {
        Ok(process.so_far(|lines| lines.iter().find_map(|line| wanted(line))))
    });
    found.with_context(|| {
        let printed = process.so_far(|lines| lines.join("\n"));
        format!("what was printed: {printed}")
    })
}

/// Where kubectl listens, as it prints it.
fn address(namespace: &Namespace<'_>, kubectl: &Background) -> Result<String> {
    line(namespace, kubectl, "kubectl listens", |line| {
        let mut words = line.split_whitespace();
        let address = words.find(|word| word.starts_with("127.0.0.1:"))?;
        Some(address.to_owned())
    })
}

/// What a viewer says of a Service's change number so and so.
fn report(
    namespace: &Namespace<'_>,
    viewers: &Background,
    viewer: &str,
    service: u64,
    number: usize,
) -> Result<Value> {
    let what = format!("the viewer {viewer} has its verdict on the service {service}");
    namespace.until(&what, SOON, || {
        let of_viewer =
            |report: &Value| report["viewer"] == viewer && report["verdict"]["service"] == service;
        Ok(viewers.so_far(|lines| {
            let reports = lines
                .iter()
                .filter_map(|line| serde_json::from_str(line).ok());
            reports.filter(of_viewer).nth(number)
        }))
    })
}
