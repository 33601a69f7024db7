//! Whether anything is left behind: after ten million requests, a thousand burns, a thousand viewers that come
//! and go, and a thousand updates of a pair on loopback addresses, the services have as much memory, as many
//! descriptors and as many threads as before, and their metrics count exactly what was sent.

use std::{
    collections::BTreeMap,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{
    machine,
    program::{PAUSE, Program, Server, free_authority},
    shipped,
};

/// Of each kind, in all. A short run has a hundredth of it, or one for each client in each round.
const REQUESTS: usize = 9_000_000;
const CALLS: usize = 1_000_000;
const BURNS: usize = 1000;
const VIEWERS: usize = 1000;
const UPDATES: usize = 1000;

/// Each kind comes in so many rounds. What memory grows to in the first half stays: buffers, and pages of the program
/// that are touched for the first time.
const ROUNDS: usize = 10;
const WARM: usize = 5;

/// What memory may have grown by from then on.
const GROWTH: f64 = 1.01;

/// How many clients there are at once.
const CLIENTS: usize = 4;

/// 100 millicores for 30 ms.
const BURN: &str = "/test/highcpu?minutes=0.0005&millicores=100";
const BURN_CPU_SECONDS: f64 = 0.003;

/// Until a service has noticed that its clients are gone and has given memory back, and until a viewer is told of a
/// Pod.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Prints what each round has left. Whether nothing has been.
pub fn run(short: bool) -> Result<bool> {
    let (oneapi, twoapi) = (shipped::service("oneapi")?, shipped::service("twoapi")?);
    let part = if short { 100 } else { 1 };
    let number = |all: usize| (all / part).max(ROUNDS * CLIENTS);
    let start = |program: Program| program.start(&[0, 1], PAUSE);
    let called = start(Program::new("oneapi", &oneapi, &[], "/test"))?;
    let pair = Pair::ports()?;
    let arguments = [
        ["--oneapi-url", &called.url()],
        // A client that closes may only have sent all; that it is gone shows a tenth of a second later. By then
        // its followers have come.
        ["--max-viewers", "1000"],
        ["--pods-name", "127.1.0.1,127.1.0.2"],
        ["--pods-ports", &pair.join(",")],
    ];
    let path = "/test/calloneapi";
    let caller = start(Program::new(
        "twoapi",
        &twoapi,
        arguments.as_flattened(),
        path,
    ))?;
    let services = [&called, &caller];
    let mut good = true;
    println!(
        "{:<10} {:>9} {:>8}  memory of oneapi and twoapi after each round and at rest, in kB",
        "", "number", "seconds"
    );

    let mut soak =
        |what, number: usize, round: &mut dyn FnMut(usize) -> Result<()>| -> Result<()> {
            good &= rounds(what, number, services, short, round)?;
            Ok(())
        };
    soak("requests", number(REQUESTS), &mut |number| {
        side_by_side(&called, number, |it, number| {
            it.connect()?.get_often("/test", number)
        })
    })?;
    soak("calls", number(CALLS), &mut |number| {
        side_by_side(&caller, number, |it, number| {
            it.connect()?.get_often(path, number)
        })
    })?;
    soak("burns", number(BURNS), &mut |number| {
        side_by_side(&called, number, |it, number| {
            let mut connection = it.connect()?;
            (0..number).try_for_each(|_| connection.get(BURN).map(drop))
        })
    })?;
    soak("viewers", number(VIEWERS), &mut |number| {
        side_by_side(&caller, number, |it, number| {
            (0..number).try_for_each(|_| viewer(it, "event: pods").map(drop))
        })
    })?;
    let mut updates = 0..;
    let mut running = None;
    soak("updates", number(UPDATES), &mut |number| {
        for update in updates.by_ref().take(number) {
            let next = Pair::start(&oneapi, &twoapi, &pair, update)?;
            viewer(&caller, &next.name)?;
            if let Some(old) = running.replace(next) {
                old.stop()?;
            }
        }
        Ok(())
    })?;

    let burns = number(BURNS);
    // Where the requests of the start go.
    let livez = ("/livez", 1);
    let test = number(REQUESTS) + number(CALLS);
    good &= counted(
        "oneapi",
        &called,
        &[livez, ("/test", test), ("/test/highcpu", burns)],
    )?;
    good &= counted("twoapi", &caller, &[livez, (path, number(CALLS))])?;
    let asked = metrics(&called, "burn_cpu_asked_seconds_total")?
        .values()
        .sum::<f64>();
    let right = (asked - burns as f64 * BURN_CPU_SECONDS).abs() < 1e-6;
    println!(
        "oneapi was asked for {asked:.6} s of CPU time in {burns} burns: {}",
        verdict(right)
    );
    Ok(good && right)
}

/// Whether nothing is left of these rounds once each of them has ended.
fn rounds(
    what: &str,
    number: usize,
    services: [&Server; 2],
    short: bool,
    round: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<bool> {
    let [one, two] = services.map(|it| machine::held(it.id()));
    let held = [one?, two?];
    let begun = Instant::now();
    let mut memory = Vec::new();
    for _ in 0..ROUNDS {
        round(number / ROUNDS)?;
        let [one, two] = services.map(|it| machine::resident(it.id()));
        memory.push([one? / 1e3, two? / 1e3]);
    }
    // twoapi keeps connections to oneapi for a while.
    let ended = Instant::now();
    for (service, before) in services.iter().zip(&held) {
        while machine::held(service.id())? > *before {
            ensure!(
                ended.elapsed() < TIMEOUT,
                "{what} leave descriptors or threads behind"
            );
            thread::sleep(PAUSE);
        }
    }
    // What a burst has taken is given back.
    let flat = loop {
        let [one, two] = services.map(|it| machine::resident(it.id()));
        let rest = [one? / 1e3, two? / 1e3];
        let flat = (0..2).all(|it| rest[it] <= memory[WARM - 1][it] * GROWTH);
        if short || flat || ended.elapsed() > TIMEOUT {
            memory.push(rest);
            break short || flat; // in its first minute a program grows by what it touches for the first time
        }
        thread::sleep(PAUSE);
    };
    let shown: Vec<String> = memory
        .iter()
        .map(|[one, two]| format!("{one:.0}/{two:.0}"))
        .collect();
    let (seconds, shown) = (begun.elapsed().as_secs_f64(), shown.join(" "));
    println!(
        "{what:<10} {number:>9} {seconds:>8.1}  {shown}: {}",
        verdict(flat)
    );
    Ok(flat)
}

/// So many in all, by several clients.
fn side_by_side(
    service: &Server,
    number: usize,
    client: impl Fn(&Server, usize) -> Result<()> + Sync,
) -> Result<()> {
    thread::scope(|scope| {
        let client = || client(service, number / CLIENTS);
        let clients = [(); CLIENTS].map(|()| scope.spawn(client));
        clients
            .into_iter()
            .try_for_each(|it| it.join().expect("a client doesn't panic"))
    })
}

/// A viewer of the page, which has been told this.
fn viewer(service: &Server, text: &str) -> Result<()> {
    let mut viewer = service.connect()?;
    viewer.ask("/page/events")?;
    viewer.read_until(text, TIMEOUT)
}

/// oneapi and twoapi of one Pod, at one of two addresses.
struct Pair {
    name: String,
    services: [Server; 2],
}

impl Pair {
    fn ports() -> Result<[String; 2]> {
        let port = || -> Result<String> {
            let authority = free_authority()?;
            Ok(authority.rsplit(':').next().unwrap_or_default().to_owned())
        };
        Ok([port()?, port()?])
    }

    fn start(oneapi: &Path, twoapi: &Path, ports: &[String; 2], number: usize) -> Result<Self> {
        let name = format!("pair-{number}.");
        let start = |service, binary, port: &str| {
            let authority = format!("127.1.0.{}:{port}", number % 2 + 1);
            let arguments = ["--listen", &authority, "--pod-name", &name];
            let mut program = Program::new(service, binary, &arguments, "/livez");
            program.authority = Some(authority.clone());
            program.start(&[0, 1], PAUSE)
        };
        let services = [
            start("oneapi", oneapi, &ports[0])?,
            start("twoapi", twoapi, &ports[1])?,
        ];
        Ok(Self { name, services })
    }

    fn stop(self) -> Result<()> {
        for service in self.services {
            let status = service.stop(|| Ok(()))?;
            ensure!(status.success(), "a stop ends with {status}");
        }
        Ok(())
    }
}

/// Whether the service has counted exactly these requests for each path, and no others.
fn counted(name: &str, service: &Server, expected: &[(&str, usize)]) -> Result<bool> {
    let counted = metrics(service, "http_requests_total")?;
    let series = |path: &str| format!("{{method=\"GET\",route=\"{path}\",status=\"200\"}}");
    let expected = expected
        .iter()
        .map(|(path, number)| (series(path), *number as f64));
    let right = counted == expected.collect();
    println!("{name} has counted {counted:?}: {}", verdict(right));
    Ok(right)
}

/// The series of one metric, by their labels.
fn metrics(service: &Server, name: &str) -> Result<BTreeMap<String, f64>> {
    let text = service.connect()?.get("/metrics")?;
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
    lines
        .map(|(labels, value)| Ok((labels.to_owned(), value.parse()?)))
        .collect()
}

fn verdict(good: bool) -> &'static str {
    if good { "as it should be" } else { "WRONG" }
}
