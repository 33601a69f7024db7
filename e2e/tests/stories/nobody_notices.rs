//! A shorter `make prove`: updates, a rollback, scaling and evictions under load lose nothing, and
//! its twins do.

use anyhow::{Result, ensure};
use cluster::Namespace;
use e2e::prove::{self, Plan, Twin};

const PLAN: Plan = Plan {
    rate: 200,
    updates: 1,
};

/// Side by side with other stories, which need the CPU too.
const OF_A_TWIN: Plan = Plan { rate: 60, ..PLAN };

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    let (rows, counts) = prove::good(namespace, PLAN, |row| namespace.note(&row.to_string()))?;
    let of_rows = rows.iter().map(|row| (&row.action, &row.count));
    for (of, count) in of_rows.chain(counts.iter().map(|(of, count)| (of, count))) {
        ensure!(
            count.requests > 0 && count.failures() == 0,
            "{of}: {count:?}"
        );
    }
    Ok(())
}

/// What a twin loses is printed; that it loses anything is asserted unless it is a race.
pub fn twin(namespace: &Namespace<'_>, twin: &Twin) -> Result<()> {
    namespace.apply("k8s/service.yaml")?;
    let row = prove::twin(namespace, OF_A_TWIN, twin)?;
    println!("{row}");
    let name = twin.name;
    ensure!(
        twin.is_proven_by(&row),
        "{name} is to lose requests, and lost none"
    );
    Ok(())
}
