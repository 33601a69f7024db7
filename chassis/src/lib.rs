//! What every service here stands on. It never names a service; a service's crate has its
//! endpoints, and this one has what is round them:
//!
//! | file | what it is for |
//! | --- | --- |
//! | `service` | the program's name, version and commit |
//! | `settings` | flags and environment, all checked before anything is bound |
//! | `log`, `termination` | what is told: events on stdout, the last line to `kubectl describe` |
//! | `signal` | the requests to stop |
//! | `life` | starting, serving, draining, closing; who needs to know asks here |
//! | `server` | the listener, the accept loop, and the stop from signal to exit |
//! | `connection` | one connection: its time-outs, and its end in good order |
//! | `routes` | `/livez`, `/readyz`, `/startupz`, `/metrics`, `/info` and the refusals round a service's own |
//! | `health`, `metrics`, `info` | what those answer |
//! | `address`, `container`, `process` | where the answers come from |
//! | `refusal` | an answer that is not a success: one sentence |
//! | `probe`, `kill` | the subcommands for images without a shell: ask a URL, send a signal |
//!
//! A service's `main.rs` is [`start`], [`settings::parse`], [`run`]. A test takes `run` apart:
//! [`Chassis::new`], [`server::bind`] on port 0, [`server::serve`] with signals of its own.

pub mod address;
mod connection;
pub mod container;
mod health;
mod info;
pub mod kill;
pub mod life;
pub mod log;
pub mod metrics;
pub mod probe;
mod process;
pub mod refusal;
mod routes;
pub mod server;
pub mod service;
pub mod settings;
pub mod signal;
pub mod termination;

use std::{
    net::{IpAddr, SocketAddr},
    process::ExitCode,
    sync::Arc,
};

use axum::Router;

use crate::{
    address::Address, life::Life, metrics::Metrics, service::Service, settings::Settings,
    signal::Signals,
};

/// More threads than that would only cost memory: the work between two waits is microseconds,
/// and burns have threads of their own.
const MOST_THREADS: usize = 4;

/// Runs a program: the runtime and the stop signals' handlers come first, so that no signal is
/// lost however early it comes, then `program`.
pub fn start<F: Future<Output = ExitCode>>(program: impl FnOnce(Signals) -> F) -> ExitCode {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cpus.min(MOST_THREADS))
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(async {
        match Signals::of_process() {
            Ok(signals) => program(signals).await,
            Err(error) => {
                eprintln!("cannot handle signals: {error}");
                ExitCode::FAILURE
            }
        }
    });
    // Whatever still runs was given its time before.
    runtime.shutdown_background();
    code
}

/// A service's whole life: logs, listener, routes, stop. `main` calls it once it has the settings.
pub async fn run(
    service: Service,
    settings: Settings,
    listen: SocketAddr,
    routes: impl FnOnce(&Chassis) -> Router,
    signals: Signals,
) -> ExitCode {
    log::start(settings.log_format, settings.rust_log.clone());
    let chassis = Chassis::new(service, settings);
    match server::bind(listen) {
        Ok(listener) => {
            let routes = routes(&chassis);
            server::serve(chassis, routes, listener, signals).await
        }
        Err(why) => {
            tracing::error!(service = service.name, "{why}");
            termination::say(&format!("{}: {why}", service.name));
            ExitCode::FAILURE
        }
    }
}

/// What a service is handed to stand on. Cheap to clone; each test makes its own.
#[derive(Clone, Debug)]
pub struct Chassis {
    /// Where the service is in its life.
    pub life: Life,
    /// Its metrics.
    pub metrics: Metrics,
    identity: Arc<Identity>,
    settings: Arc<Settings>,
}

/// Who answers: the build, and the pod that it runs in.
#[derive(Debug)]
struct Identity {
    service: Service,
    pod: String,
    namespace: Option<String>,
    node: Option<String>,
    address: Address<IpAddr>,
}

impl Chassis {
    /// The life begins here.
    pub fn new(service: Service, settings: Settings) -> Self {
        let life = Life::new(settings.startup_delay);
        let identity = Identity {
            service,
            pod: settings.pod_name.clone().unwrap_or_else(host_name),
            namespace: settings.pod_namespace.clone(),
            node: settings.node_name.clone(),
            address: Address::new(settings.pod_ip, |ip| ip),
        };
        Self {
            metrics: Metrics::new(service, life.clone()),
            life,
            identity: Arc::new(identity),
            settings: Arc::new(settings),
        }
    }

    /// What `make` makes of the pod's IP, made anew only when that may have changed.
    pub fn address<T: Clone>(&self, make: fn(IpAddr) -> T) -> Address<T> {
        Address::new(self.settings.pod_ip, make)
    }
}

/// In a pod the host's name is the pod's.
fn host_name() -> String {
    sysinfo::System::host_name().unwrap_or_else(|_| "unknown".to_owned())
}
