//! A shorter `make prove`: updates, a rollback, scaling and evictions under load lose nothing, and
//! each twin does.

use e2e::{
    Namespace, Result, ensure,
    prove::{self, Plan, TWINS},
};

const PLAN: Plan = Plan {
    rate: 200,
    updates: 1,
};

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
    for twin in TWINS {
        let row = prove::twin(namespace, PLAN, twin)?;
        namespace.note(&row.to_string());
        ensure!(
            row.count.failures() > 0,
            "{} is to lose requests, and lost none",
            twin.name
        );
    }
    Ok(())
}
