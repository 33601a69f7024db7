//! What the live page costs as the number of Pods grows. All Pods are one oneapi and one twoapi, which answer at
//! as many loopback addresses.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    machine,
    program::{PAUSE, Program, Server, free_authority},
    shipped,
    table::{Table, Tables, Unit},
};

const PODS: [&str; 3] = ["10 Pods", "100 Pods", "1000 Pods"];

/// Until all of them are known, and shown.
const WARM_UP: Duration = Duration::from_secs(5);

/// A table, and how it was measured.
pub fn run(short: bool, oneapi: &Path) -> Result<(Tables, String)> {
    let twoapi = shipped::service("twoapi")?;
    // As often as 200 Pods are asked, or a multiple of it.
    let time = Duration::from_secs(if short { 4 } else { 12 });
    let mut table = Table::new(PODS);
    let pods = [pod("oneapi", oneapi)?, pod("twoapi", &twoapi)?];
    let port = |pod: &Server| {
        pod.authority
            .rsplit(':')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let ports = pods.each_ref().map(port).join(",");
    let mut samples = [const { Vec::new() }; 3];
    for pods in PODS {
        eprintln!("the page with {pods}");
        let number = pods.split(' ').next().unwrap_or_default().parse()?;
        let ips: Vec<String> = (0..number)
            .map(|n| format!("127.1.{}.{}", n / 250, n % 250 + 1))
            .collect();
        let arguments = ["--pods-name", &ips.join(","), "--pods-ports", &ports];
        let server = Program::new("twoapi", &twoapi, &arguments, "/page/events");
        let server = server.start(&[0, 1], PAUSE)?;
        let mut viewer = server.connect()?;
        viewer.ask(&server.path)?;
        viewer.read_for(WARM_UP)?;
        let (before, begun) = (machine::cpu_time(server.id()), Instant::now());
        let bytes = viewer.read_for(time)?;
        let seconds = begun.elapsed().as_secs_f64();
        let used = machine::cpu_time(server.id()) - before;
        let memory = machine::resident(server.id())?;
        for (samples, figure) in
            samples
                .iter_mut()
                .zip([used / seconds, bytes as f64 / seconds, memory])
        {
            samples.push(vec![figure]);
        }
    }
    let rows = [
        ("CPU time per second", Unit::Seconds),
        ("sent per second", Unit::Bytes),
        ("memory", Unit::Bytes),
    ];
    for ((row, unit), samples) in rows.into_iter().zip(&samples) {
        table.add(row, unit, samples);
    }
    Ok((vec![("page", table)], format!("{} s", time.as_secs())))
}

/// One that answers at all loopback addresses.
fn pod(name: &str, binary: &Path) -> Result<Server> {
    let authority = free_authority()?;
    let all = authority.replace("127.0.0.1", "0.0.0.0");
    let mut pod = Program::new(name, binary, &["--listen", &all], "/livez");
    pod.authority = Some(authority);
    pod.start(&[0, 1], PAUSE)
}
