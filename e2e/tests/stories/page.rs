//! The live page in a real browser, through rolling updates: what it shows is what happens, and its
//! verdicts are those of the load beside it. Two viewers watch. One has the page of a pod that no
//! update replaces, with the Deployment and its twin side by side, through `kubectl port-forward`; the
//! other comes through the API server's proxy to the Service, whose pods are all replaced.
//!
//! It needs Node and Chromium here, and is skipped where they are missing.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

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

    let forward =
        Background::start(
            namespace
                .command()
                .args(["port-forward", "pod/chesterpage", ":5001"]),
        )?;
    let proxy = Background::start(namespace.command().args(["proxy", "--port=0"]))?;
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
    line(
        namespace,
        &viewers,
        "both viewers see pods and answers",
        |line| (line == "watching").then_some(()),
    )?;

    let before = load.total()?;
    deployment::update_to(namespace, next)?;
    deployment::rolled_out(namespace)?;
    for viewer in ["beside", "through"] {
        let report = report(namespace, &viewers, viewer, 0, 0)?;
        let verdict = &report["verdict"];
        let said = format!("the viewer {viewer} says: {report}");
        ensure!(verdict["kind"] == "update", "{said}");
        ensure!(verdict["from"] == Value::from(vec![tag.as_str()]), "{said}");
        ensure!(verdict["to"] == Value::from(vec![next.as_str()]), "{said}");
        ensure!(verdict["pods"] == 3 && verdict["stuck"] == 0, "{said}");
        ensure!(verdict["failed"] == 0, "{said}");
        ensure!(verdict["requests"].as_u64() > Some(50), "{said}");
        ensure!(verdict["late"].as_u64() > Some(0), "{said}");
        // The new version's cards appear beside the old ones, which leave.
        let cards = report["seen"].as_array().context("cards were seen")?;
        ensure!(cards.first().is_some_and(|it| it == tag.as_str()), "{said}");
        ensure!(
            cards.contains(&Value::from(format!("{tag} and {next}"))),
            "{said}"
        );
        ensure!(cards.last().is_some_and(|it| it == next.as_str()), "{said}");
        nothing_to_complain_of(&report)?;
        let away = report["away_ms"].as_array().context("it is a list")?;
        if viewer == "beside" {
            ensure!(away.is_empty(), "its pod was not replaced: {said}");
        } else {
            ensure!(!away.is_empty(), "its pod was replaced: {said}");
            ensure!(
                away.iter().all(|ms| ms.as_u64() < Some(1000)),
                "it went on within a second from another pod: {said}"
            );
        }
    }
    let counted = load.total_with_late()? - &before;
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
    namespace
        .kubectl(&format!(
            "rollout status deployment/chestertwin --timeout={timeout}s"
        ))
        .map(drop)
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
    let skipped = |sentence: &str| Skipped(sentence.to_owned());
    let node = Command::new("node")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !node.is_ok_and(|status| status.success()) {
        return Err(skipped("There is no node here, which the viewers of the page need.").into());
    }
    if !manifest::path(TESTS)
        .join("node_modules/playwright-core")
        .exists()
    {
        return Err(skipped(
            "There is no playwright-core here, which the viewers of the page need: make test-page installs it.",
        )
        .into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let named = env::var_os("CHROMIUM").filter(|name| !name.is_empty());
    let found = named.map(PathBuf::from).or_else(|| {
        let names = ["chromium", "chromium-browser", "google-chrome"];
        let all = env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
        all.into_iter().find(|path| path.exists())
    });
    Ok(found.ok_or_else(|| {
        skipped("There is no Chromium here, which the viewers of the page need: CHROMIUM names one that isn't on the PATH.")
    })?)
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
