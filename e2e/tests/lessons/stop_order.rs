//! The order in which the containers of a pod stop, and what comes before the signal: a native
//! sidecar, and `preStop.sleep`.

use std::time::{Duration, Instant};

use e2e::{Context, Namespace, Result, ask, ensure, logs, pods};

/// oneapi gets its signal when twoapi has ended.
pub fn sidecar(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/lessons/sidecar.yaml")?;
    pods::ready(namespace, "sidecar")?;
    let answer = ask::pod(namespace, "sidecar", 5001, "/test/calloneapi")?;
    ensure!(
        answer.starts_with("one api response is ip is "),
        "twoapi reaches it: {answer}"
    );

    let logs = logs::follow(namespace, "sidecar", &["oneapi", "twoapi"])?;
    namespace.kubectl("delete pod sidecar --wait=false")?;
    // twoapi drains for 3 s: it still needs oneapi.
    let answer = ask::pod(namespace, "sidecar", 5001, "/test/calloneapi")?;
    ensure!(
        answer.starts_with("one api response is ip is "),
        "while it drains: {answer}"
    );
    let logs = logs.end()?;
    let exit = logs.moment("twoapi", "exit")?;
    let signal = logs.moment("oneapi", "signal received")?;
    ensure!(
        signal >= exit,
        "oneapi's signal, at {signal}, comes after twoapi's end, at {exit}"
    );
    Ok(())
}

/// The signal comes after the hook's sleep; until then the pod serves as before.
pub fn prestop(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/lessons/prestop.yaml")?;
    pods::ready(namespace, "prestop")?;
    let logs = logs::follow(namespace, "prestop", &["oneapi"])?;
    let deleted = Instant::now();
    namespace.kubectl("delete pod prestop --wait=false")?;
    loop {
        let ready = ask::pod(namespace, "prestop", 5000, "/readyz");
        if deleted.elapsed() >= Duration::from_millis(2900) {
            break; // the answer may have come after the hook's 3 s
        }
        let ready = ready.context("while the hook sleeps")?;
        ensure!(ready == "ok", "no signal yet: {ready}");
    }
    let logs = logs.end()?;
    let ended = deleted.elapsed().as_secs_f64();
    logs.moment("oneapi", "signal received")?;
    ensure!(
        ended >= 3.0,
        "the hook's 3 s came first: gone after {ended:.1} s"
    );
    Ok(())
}
