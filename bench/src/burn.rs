//! How exactly oneapi burns, and Kubernetes' resource-consumer beside it. The real program is measured
//! from outside, by the kernel's account of its process, less what it uses idle; each burn of
//! oneapi's has its bounds. No container is involved here.
//!
//! It wants a machine that does nothing else: burns have the lowest priority. What others used
//! meanwhile is shown with each burn.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    machine::{self, Begun},
    program::{PAUSE, Program, Server, free_authority},
    table::{Table, Tables, Unit},
};

/// By name, in millicores; several are burnt side by side.
const BURNS: [(&str, &[u32]); 9] = [
    ("20", &[20]),
    ("50", &[50]),
    ("100", &[100]),
    ("250", &[250]),
    ("500", &[500]),
    ("1000", &[1000]),
    ("1500", &[1500]),
    ("100+250+300", &[100, 250, 300]),
    ("10x100", &[100; 10]),
];

/// How often a burn is measured that misses a bound while others disturb it.
const TRIES: usize = 3;

/// What others may use of the CPUs without disturbing a burn, in percent.
const QUIET: f64 = 5.0;

/// How long the idle program is looked at, in seconds.
const IDLE: f64 = 2.0;

/// A burn, or several side by side.
#[derive(Clone, Copy, Debug)]
struct Burn {
    /// CPU seconds that the kernel counted.
    used: f64,
    /// In percent of what was asked for.
    error: f64,
    /// The largest error of a single second, in percent.
    worst: f64,
    /// How often its threads slept, a second.
    wakeups: f64,
    /// What other processes used of the machine meanwhile, in percent.
    others: f64,
}

impl Burn {
    /// Whether its bounds hold. Less than 50 millicores are a portion of CPU time now and then, of which
    /// one more or less is much. Others who take the CPU away make its threads sleep more often.
    fn holds(&self, millicores: u32) -> bool {
        let bound = if millicores < 50 { 2.0 } else { 0.5 };
        self.error.abs() <= bound
            && (self.worst <= 3.0 || millicores < 100)
            && (self.wakeups <= 1000.0 || self.others > QUIET)
    }

    /// Whether it may be measured again: what it misses on an idle machine is its own doing.
    fn excused(&self, millicores: u32) -> bool {
        !self.holds(millicores) && self.others > QUIET
    }
}

/// How long a burn is.
pub fn seconds(short: bool) -> u64 {
    if short { 2 } else { 5 }
}

/// Measures oneapi's burns, and the resource-consumer's if there is one. Returns a table for each, and
/// whether all bounds hold. A short run is to see that it works.
pub fn run(short: bool, oneapi: &Path, consumer: Option<&Path>) -> Result<(Tables, bool)> {
    let (seconds, tries) = (seconds(short), if short { 1 } else { TRIES });
    let cpus: Vec<usize> = (0..machine::cpus()).collect();
    let mut burns = BURNS.to_vec();
    burns.retain(|(name, millicores)| {
        let fits = millicores.iter().sum::<u32>() as usize <= cpus.len() * 1000;
        fits && (!short || *name == "250")
    });

    let server = Program::new("oneapi", oneapi, &[], "/livez").start(&cpus, PAUSE)?;
    let (mut held, mut measured) = (true, Vec::new());
    for (name, millicores) in &burns {
        let sum = millicores.iter().sum();
        let burn = || side_by_side(&server, millicores, seconds);
        let mut it = measure(&server, sum, seconds, burn)?;
        for _ in 1..tries {
            if it.excused(sum) {
                it = measure(&server, sum, seconds, burn)?;
            }
        }
        if !it.holds(sum) {
            println!("{name} millicores are not within the bounds: {it:?}");
            held = false;
        }
        measured.push((*name, it));
    }
    drop(server);
    let mut tables = vec![("burns", table(&measured))];

    if let Some(program) = consumer {
        let server = consumer_at(program, free_authority()?).start(&cpus, PAUSE)?;
        measured.clear();
        for (name, millicores) in burns.iter().filter(|(_, millicores)| millicores.len() == 1) {
            let burn = || consume(&server, millicores[0], seconds);
            measured.push((*name, measure(&server, millicores[0], seconds, burn)?));
        }
        tables.push(("burns of resource-consumer", table(&measured)));
    }
    Ok((tables, held))
}

fn table(burns: &[(&str, Burn)]) -> Table {
    let mut table = Table::new(burns.iter().map(|(name, _)| *name));
    let mut add = |what, unit, figure: fn(&Burn) -> f64| {
        let samples: Vec<Vec<f64>> = burns.iter().map(|(_, burn)| vec![figure(burn)]).collect();
        table.add(what, unit, &samples);
    };
    add("CPU time used", Unit::Seconds, |burn| burn.used);
    add("error", Unit::Percent, |burn| burn.error);
    let worst = "largest error of a second";
    add(worst, Unit::Percent, |burn| burn.worst);
    add("wake-ups per second", Unit::PerSecond, |burn| burn.wakeups);
    add("CPU used by others", Unit::Percent, |burn| burn.others);
    table
}

/// Runs `burn`, which is to use so much for so long, and measures the program meanwhile.
fn measure(
    server: &Server,
    millicores: u32,
    seconds: u64,
    burn: impl FnOnce() -> Result<()> + Send,
) -> Result<Burn> {
    let cpu_time = || machine::cpu_time_of_all(server.id());
    // What came before is over and done with.
    thread::sleep(Duration::from_millis(300));
    let idle = cpu_time();
    thread::sleep(Duration::from_secs_f64(IDLE));
    let idle = (cpu_time() - idle) / IDLE;
    let slept = machine::wakeups(server.id());

    let cores = f64::from(millicores) / 1000.0;
    let (before, begun, start) = (cpu_time(), Begun::now(), Instant::now());
    let (mut worst, mut woken) = (0.0_f64, 0);
    thread::scope(|scope| {
        let burning = scope.spawn(burn);
        let (mut last, mut last_at) = (before, start);
        for second in 1..=seconds {
            let end = start + Duration::from_secs(second);
            thread::sleep(end.saturating_duration_since(Instant::now()));
            // The burn's threads are gone with the last second.
            if second < seconds {
                woken = machine::wakeups(server.id()).saturating_sub(slept);
            }
            let (now, now_at) = (cpu_time(), Instant::now());
            let used = (now - last) / (now_at - last_at).as_secs_f64() - idle;
            worst = worst.max((used / cores - 1.0).abs() * 100.0);
            (last, last_at) = (now, now_at);
        }
        burning.join().expect("it returns its errors")
    })?;
    let all = cpu_time() - before;
    let used = all - idle * start.elapsed().as_secs_f64();
    Ok(Burn {
        used,
        error: (used / (cores * seconds as f64) - 1.0) * 100.0,
        worst,
        wakeups: woken as f64 / (seconds - 1) as f64,
        others: begun.others(all, machine::cpus()),
    })
}

/// oneapi's burns, to their end.
fn side_by_side(server: &Server, millicores: &[u32], seconds: u64) -> Result<()> {
    let minutes = seconds as f64 / 60.0;
    thread::scope(|scope| {
        let burn = |millicores: &u32| {
            let path = format!("/test/highcpu?minutes={minutes}&millicores={millicores}");
            scope.spawn(move || server.connect()?.get(&path))
        };
        let burning: Vec<_> = millicores.iter().map(burn).collect();
        for burn in burning {
            burn.join().expect("it returns its errors")?;
        }
        Ok(())
    })
}

/// The resource-consumer at this path, which is of no use without the program that burns.
pub fn consumer(path: &str) -> Result<PathBuf> {
    let program = fs::canonicalize(path).with_context(|| format!("RESOURCE_CONSUMER: {path}"))?;
    let helper = program.with_file_name("consume-cpu/consume-cpu");
    let (there, helper) = (helper.is_file(), helper.display());
    ensure!(there, "RESOURCE_CONSUMER needs its helper at {helper}.");
    Ok(program)
}

/// It looks for its helper from the folder that it runs in: `env` goes there and becomes it. A GET of its
/// metrics is all that it answers to.
fn consumer_at(program: &Path, authority: String) -> Program {
    let folder = program.parent().unwrap_or(program).to_string_lossy();
    let port = authority.rsplit(':').next().unwrap_or_default();
    let arguments = ["-C", &folder, &program.to_string_lossy(), "-port", port];
    let mut consumer = Program::new("consumer", Path::new("env"), &arguments, "/metrics");
    consumer.authority = Some(authority);
    consumer
}

/// The resource-consumer answers before it burns.
fn consume(server: &Server, millicores: u32, seconds: u64) -> Result<()> {
    let body = format!("millicores={millicores}&durationSec={seconds}");
    let length = body.len();
    server.connect()?.send(&format!(
        "POST /ConsumeCPU HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}"
    ))?;
    thread::sleep(Duration::from_secs(seconds) + Duration::from_millis(500));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_without_its_helper_is_refused_with_a_sentence() {
        let said = |path| consumer(path).unwrap_err().to_string();
        assert!(said("/no/consumer").starts_with("RESOURCE_CONSUMER: "));
        assert!(said("/bin/sh").contains("consume-cpu/consume-cpu"));
    }

    #[test]
    fn a_burn_is_held_to_the_bounds_of_its_size() {
        let burn = |error, worst, wakeups, others| Burn {
            used: 1.0,
            error,
            worst,
            wakeups,
            others,
        };
        let holds = |error, worst, of| burn(error, worst, 1000.0, 0.0).holds(of);
        assert!(holds(-1.9, 5.0, 20) && !holds(-2.1, 0.0, 20));
        assert!(holds(0.4, 5.0, 50) && !holds(0.6, 0.0, 50));
        assert!(holds(0.4, 2.9, 100) && !holds(0.4, 3.1, 100));
        let (idle, busy) = (burn(0.0, 0.0, 1001.0, 5.0), burn(0.0, 0.0, 1001.0, 5.1));
        assert!(!idle.holds(100) && busy.holds(100), "wake-ups");
        let (idle, busy) = (burn(9.0, 0.0, 0.0, 5.0), burn(9.0, 0.0, 0.0, 5.1));
        assert!(!idle.excused(100) && busy.excused(100), "another try");
    }
}
