//! The live page in a real browser, through rolling updates: what it shows is what happens, and its
//! verdicts are those of the load beside it. Two viewers watch. One has the page of a pod that no
//! update replaces, with the Deployment and its twin side by side, through `kubectl port-forward`; the
//! other comes through the API server's proxy to the Service, whose pods are all replaced.
//!
//! It needs Node and Chromium here, and is skipped where they are missing.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};
use cluster::{Namespace, background::Background, deployment, life::Skipped, manifest, pods, set};
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
    deployment::rolled_out(namespace, "chestertwin")?;
    pods::ready(namespace, "chesterpage")?;
    let load = Load::start(namespace, RATE, &[])?;

    let (_forward, forward_at) = listening(namespace, "port-forward pod/chesterpage :5001")?;
    let (_proxy, proxy_at) = listening(namespace, "proxy --port=0")?;
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
        deployment::rolled_out(namespace, "chestertwin")?;
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

fn nothing_to_complain_of(report: &Value) -> Result<()> {
    // An error in the console, or a request to somewhere else; and what axe-core finds.
    for complaints in ["complaints", "axe"] {
        let found = &report[complaints];
        ensure!(*found == Value::Array(Vec::new()), "{complaints}: {found}");
    }
    Ok(())
}

/// The browser, if all is here that the viewers need.
fn browser() -> Result<PathBuf> {
    let which = |names: &[&str]| {
        let found = Command::new("which").args(names).output().ok()?;
        let found = String::from_utf8_lossy(&found.stdout);
        found.lines().next().map(PathBuf::from)
    };
    let missing = |what| {
        let why = format!("There is no {what}, which the viewers of the page need.");
        Skipped(why)
    };
    which(&["node"]).ok_or_else(|| missing("node here"))?;
    let playwright = manifest::path(TESTS).join("node_modules/playwright-core");
    if !playwright.exists() {
        return Err(missing("playwright-core here (make test-page installs it)").into());
    }
    let named = set("CHROMIUM").map(PathBuf::from);
    let found = named.or_else(|| which(&["chromium", "chromium-browser", "google-chrome"]));
    Ok(found.ok_or_else(|| missing("Chromium on the PATH or named by CHROMIUM"))?)
}

/// Waits for a line of a process.
fn line<T>(
    namespace: &Namespace<'_>,
    process: &Background,
    what: &str,
    wanted: impl Fn(&str) -> Option<T>,
) -> Result<T> {
    let found = namespace.until(what, || {
        Ok(process.so_far(|lines| lines.iter().find_map(|line| wanted(line))))
    });
    found.with_context(|| {
        let printed = process.so_far(|lines| lines.join("\n"));
        format!("what was printed: {printed}")
    })
}

/// kubectl with these arguments, and where it listens, as it prints it.
fn listening(namespace: &Namespace<'_>, words: &str) -> Result<(Background, String)> {
    let kubectl = Background::start(namespace.command().args(words.split(' ')))?;
    let address = line(namespace, &kubectl, "kubectl listens", |line| {
        let mut words = line.split_whitespace();
        let address = words.find(|word| word.starts_with("127.0.0.1:"))?;
        Some(address.to_owned())
    })?;
    Ok((kubectl, address))
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
    namespace.until(&what, || {
        let of_viewer =
            |report: &Value| report["viewer"] == viewer && report["verdict"]["service"] == service;
        Ok(viewers.so_far(|lines| {
            let lines = lines.iter();
            let reports = lines.filter_map(|line| serde_json::from_str(line).ok());
            reports.filter(of_viewer).nth(number)
        }))
    })
}
