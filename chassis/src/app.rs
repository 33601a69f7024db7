//! Puts a service together and runs it: settings, logs, listener, routes, stop.

use std::{net::IpAddr, net::SocketAddr, panic, process::ExitCode, sync::Arc};

use clap::{CommandFactory, FromArgMatches};
use tokio::{net::TcpListener, runtime};

use crate::{
    config::{self, Build, CheckConflicts, Reader, whole_number, written},
    endpoints,
    faults::{self, Faults},
    http::{App, AppService, Mirror, Routes},
    lifecycle::{self, HeldSignals, Life, Signals, stop_in_order, termination},
    server::{self, Gate, Server, Timeouts, bind},
    system::{address::Address, container, descriptors, memory},
    telemetry::{
        Identity, Metrics, identity, log,
        trace::{self, Spans},
    },
};

/// The settings that every service has.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Settings {
    /// Who the pod is.
    #[command(flatten)]
    pub identity: identity::Settings,

    /// How long starting and stopping take.
    #[command(flatten)]
    pub lifecycle: lifecycle::Settings,

    /// How many connections, and for how long.
    #[command(flatten)]
    pub server: server::Settings,

    /// Fault switches.
    #[command(flatten)]
    pub faults: faults::Settings,

    /// How and what to log.
    #[command(flatten)]
    pub log: log::Settings,

    /// How many threads answer requests [default: one for each CPU that the container may use]
    // A thread that has no CPU of its own only waits for the others', and takes memory.
    #[arg(long, env, value_parser = Reader(whole_number(1..=256_u16)))]
    pub worker_threads: Option<u16>,
}

impl CheckConflicts for Settings {
    fn conflicts(&self) -> Vec<String> {
        let mut conflicts = self.lifecycle.conflicts();
        conflicts.extend(self.server.conflicts());
        conflicts.extend(self.faults.conflicts());
        conflicts
    }
}

/// Runs `program` on a runtime with `worker_threads`, with the stop signals that have been held since
/// the start of `main`.
pub fn start<F: Future<Output = ExitCode>>(
    held: HeldSignals,
    worker_threads: Option<u16>,
    program: impl FnOnce(Signals) -> F,
) -> ExitCode {
    let threads = worker_threads.map_or_else(container::usable_cpus, usize::from);
    // With one thread nothing has to be handed from one to another.
    let mut runtime = if threads == 1 {
        runtime::Builder::new_current_thread()
    } else {
        runtime::Builder::new_multi_thread()
    };
    runtime.worker_threads(threads).enable_all();
    let runtime = match or_exit_when_it_panics(|| runtime.build()) {
        Ok(runtime) => runtime,
        Err(error) => {
            config::complain(format_args!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(async {
        match Signals::of_process(held) {
            Ok(signals) => program(signals).await,
            Err(error) => {
                config::complain(format_args!("cannot handle signals: {error}"));
                ExitCode::FAILURE
            }
        }
    });
    // Whatever still runs has had its time.
    runtime.shutdown_background();
    code
}

/// Where a thread can't be started, as under a limit of processes, tokio panics, and then waits for
/// those that it has started, for ever. Nothing can be done without them.
fn or_exit_when_it_panics<T>(build: impl FnOnce() -> T) -> T {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|panic| {
        let why = panic.payload_as_str().unwrap_or("a thread panicked");
        config::complain(format_args!("cannot start: {why}"));
        termination::write(&format!("cannot start: {why}"));
        std::process::exit(1)
    }));
    let built = build();
    panic::set_hook(hook);
    built
}

/// Reads the command line and the environment; wrong settings end the process with 2. What is wrong
/// is also the container's termination message.
pub fn parse<C: CommandFactory + FromArgMatches + CheckConflicts>() -> C {
    descriptors::raise_limit(); // before anybody asks how many there are
    config::parse(termination::write)
}

/// A service's whole life, once it has its settings.
pub async fn run(
    build: Build,
    settings: Settings,
    listen: SocketAddr,
    routes: impl FnOnce(&Chassis) -> Routes,
    signals: Signals,
) -> ExitCode {
    log::start(build.service, &settings.log);
    let mut chassis = Chassis::new(build, settings);
    chassis.spans = trace::export(build, &chassis.settings.identity);
    match bind(listen) {
        Ok(listener) => {
            let routes = routes(&chassis);
            chassis.serve(routes, listener, signals).await
        }
        Err(why) => {
            tracing::error!("{why}");
            termination::write(&format!("{}: {why}", build.service));
            ExitCode::FAILURE
        }
    }
}

/// What a service stands on. Cheap to clone; each test makes its own.
#[derive(Clone, Debug)]
pub struct Chassis {
    /// Where the service is in its life.
    pub life: Life,
    /// Its fault switches.
    pub faults: Faults,
    /// Its metrics.
    pub metrics: Metrics,
    identity: Arc<Identity>,
    settings: Arc<Settings>,
    /// None are made, unless this is a program's own service.
    spans: Spans,
}

impl Chassis {
    /// The life begins here.
    pub fn new(build: Build, settings: Settings) -> Self {
        let life = Life::with_drain_delay(
            settings.lifecycle.startup_delay,
            settings.lifecycle.drain_delay,
        );
        let metrics = Metrics::new(build, life.started());
        let faults = Faults::new(&settings.faults);
        if faults.allowed() {
            metrics.register(|registry| registry.register_collector(Box::new(faults.clone())));
        }
        Self {
            metrics,
            faults,
            life,
            identity: Arc::new(Identity::new(build, &settings.identity)),
            settings: Arc::new(settings),
            spans: Spans::default(),
        }
    }

    /// What `make` makes of the pod's IP. It is made anew only when the IP may have changed.
    pub fn address<T: Clone>(&self, make: fn(IpAddr) -> T) -> Address<T> {
        Address::new(self.settings.identity.pod_ip, make)
    }

    /// The Pod's namespace, if the service is told of one: it is in a Pod then.
    pub fn namespace(&self) -> Option<&str> {
        self.identity.namespace.as_deref()
    }

    /// A service's own routes with the shared ones beside them.
    pub fn app(&self, routes: Routes) -> App {
        let Self {
            life,
            faults,
            metrics,
            identity,
            spans,
            ..
        } = self;
        let mirror = Arc::new(Mirror::default());
        let identity_of_info = Arc::clone(identity);
        let routes = endpoints::beside(routes, life, faults, metrics, &mirror, identity_of_info);
        let (life, faults) = (life.clone(), faults.clone());
        App::new(
            routes,
            life,
            faults,
            metrics,
            mirror,
            identity,
            spans.clone(),
        )
    }

    /// Serves until a signal, and then stops in order.
    pub async fn serve(self, routes: Routes, listener: TcpListener, signals: Signals) -> ExitCode {
        self.log_start(&listener);
        let signals = if self.faults.allowed() {
            self.faults.start();
            self.faults.filter(signals)
        } else {
            signals
        };
        let app = self.app(routes);
        let service_for = move |peer| AppService::new(app.clone(), peer);
        let (gate, life) = (Gate::shut_while(self.faults.deaf()), self.life.clone());
        let timeouts = Timeouts {
            idle: self.settings.server.idle_timeout,
            ..Timeouts::default()
        };
        let max_connections = self.settings.server.max_connections();
        let server = Server::start(listener, gate, service_for, life, timeouts, max_connections);
        let census = server.census();
        self.metrics
            .register(|registry| registry.register_collector(Box::new(census)));
        let (metrics, turnover) = (self.metrics.clone(), server.turnover());
        let activity = move || metrics.requests() + turnover.count();
        tokio::spawn(memory::release_when_quiet(activity));
        let in_flight = || self.metrics.in_flight();
        let settings = &self.settings.lifecycle;
        let last = self.spans.flush();
        stop_in_order(&self.life, settings, signals, server, in_flight, last).await
    }

    fn log_start(&self, listener: &TcpListener) {
        let (identity, settings) = (&self.identity, &self.settings.lifecycle);
        tracing::info!(
            version = identity.build.version,
            commit = identity.build.commit,
            listen = listener
                .local_addr()
                .map(|address| address.to_string())
                .unwrap_or_default(),
            pod = identity.pod,
            ip = %identity.address.get(),
            drain_delay = %written(settings.drain_delay),
            stop_timeout = %written(settings.stop_timeout),
            "started"
        );
    }
}
