//! A shorter `make prove`: updates, a rollback, scaling and evictions under load lose nothing, and
//! its twins do.

use anyhow::{Result, ensure};
use cluster::Namespace;
use e2e::prove::{self, Plan, TWINS};

const PLAN: Plan = Plan {
    rate: 200,
    updates: 1,
};

/// Side by side with other stories, which need the CPU too.
const OF_A_TWIN: Plan = Plan { rate: 60, ..PLAN };

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    let (rows, counts) = prove::good(namespace, PLAN, |row| namespace.note(&row.to_string()))?;
    for row in &rows {
        ensure!(
            row.count.failures() == 0,
            "{}: {}",
            row.action,
            row.count.kinds()
        );
    }
    for (load, count) in &counts {
        ensure!(
            count.requests > 0 && count.failures() == 0,
            "{load}: {count:?}"
        );
    }
    Ok(())
}

/// One of the twins. What it loses is printed; that it loses anything is asserted unless it is a race.
pub fn twin<const NUMBER: usize>(namespace: &Namespace<'_>) -> Result<()> {
    let twin = &TWINS[NUMBER];
    namespace.apply("k8s/service.yaml")?;
    let row = prove::twin(namespace, OF_A_TWIN, twin)?;
    println!("{row}");
    ensure!(
        row.count.failures() > 0 || !twin.always,
        "{} is to lose requests, and lost none",
        twin.name
    );
    Ok(())
}
