//! The settings that both services have, and how settings are read: every one is a flag and an
//! environment variable of the same name, all of them are checked before anything is bound, and
//! all that is wrong is said at once. A service's own settings stand beside what they set.

use std::{error::Error, net::IpAddr, time::Duration};

use clap::{
    CommandFactory, FromArgMatches,
    builder::StringValueParser,
    error::{ContextKind, ContextValue, ErrorKind},
};
use tracing_subscriber::filter::Targets;

use crate::log::Format;

/// What the chassis itself needs to know.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Settings {
    /// The pod's IP (downward API: status.podIP) [default: looked up]
    #[arg(long, env)]
    pub pod_ip: Option<IpAddr>,

    /// The pod's name (downward API: metadata.name) [default: the host's name]
    #[arg(long, env)]
    pub pod_name: Option<String>,

    /// The pod's namespace (downward API: metadata.namespace)
    #[arg(long, env)]
    pub pod_namespace: Option<String>,

    /// The node's name (downward API: spec.nodeName)
    #[arg(long, env)]
    pub node_name: Option<String>,

    /// How long to go on accepting after a stop signal, since endpoints lag behind it
    // 0 s: outside a cluster nobody waits. The manifests set a few seconds.
    #[arg(long, env, default_value = "0s", value_parser = duration)]
    pub drain_delay: Duration,

    /// When to give up on requests in flight, counted from the stop signal
    // 25 s: under the 30 s after which Kubernetes kills by default.
    #[arg(long, env, default_value = "25s", value_parser = duration)]
    pub stop_timeout: Duration,

    /// How long everything but /livez, /metrics and /info says no after the start, to watch a slow starter
    #[arg(long, env, default_value = "0s", value_parser = duration)]
    pub startup_delay: Duration,

    /// How to log [default: text on a terminal, else json]
    #[arg(long, env, value_enum)]
    pub log_format: Option<Format>,

    /// What to log: a level, or levels by target, such as `info,twoapi=debug`
    #[arg(long, env, default_value = "info", value_parser = targets)]
    pub rust_log: Targets,
}

/// A command line whose settings can contradict each other though each is right by itself.
pub trait Consistent {
    /// A sentence for each contradiction.
    fn contradictions(&self) -> Vec<String>;
}

impl Consistent for Settings {
    fn contradictions(&self) -> Vec<String> {
        let Self {
            drain_delay,
            stop_timeout,
            ..
        } = self;
        if drain_delay <= stop_timeout {
            return Vec::new();
        }
        vec![format!(
            "DRAIN_DELAY ({drain_delay:?}) is longer than STOP_TIMEOUT ({stop_timeout:?}), \
             which is counted from the same signal"
        )]
    }
}

/// Reads this program's command line and environment. On `--help` and `--version` it prints and
/// exits with 0; on anything wrong it says all that is wrong and exits with 2.
pub fn parse<C: CommandFactory + FromArgMatches + Consistent>() -> C {
    match read(std::env::args_os().collect()) {
        Ok(cli) => cli,
        Err(Refused::Asked(answer)) => answer.exit(),
        Err(Refused::Wrong(sentences)) => {
            let name = C::command().get_name().to_owned();
            for sentence in &sentences {
                eprintln!("{name}: {sentence}");
            }
            crate::termination::say(&sentences.join("; "));
            std::process::exit(2)
        }
    }
}

/// The settings of an empty command line: what a test starts from.
pub fn defaults<S: clap::Args>() -> S {
    let command = S::augment_args(clap::Command::new("defaults"));
    S::from_arg_matches(&command.get_matches_from(["defaults"])).expect("defaults are valid")
}

#[derive(Debug)]
enum Refused {
    /// Help or the version was asked for, which clap treats as an error of a kind.
    Asked(clap::Error),
    Wrong(Vec<String>),
}

/// clap stops at the first wrong value. So a setting that turned out wrong is noted, made to
/// accept anything, and all is read again, until nothing new turns up.
fn read<C: CommandFactory + FromArgMatches + Consistent>(
    line: Vec<std::ffi::OsString>,
) -> Result<C, Refused> {
    let mut command = C::command();
    let mut wrong = Vec::new();
    loop {
        match command.clone().try_get_matches_from(line.clone()) {
            Err(e) if matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
                return Err(Refused::Asked(e));
            }
            Err(e) => match wrong_value(&command, &e) {
                Some((id, sentence)) => {
                    wrong.push(sentence);
                    command = accept_anything(command, &id);
                }
                None => {
                    // The line itself can't be read (an unknown flag, say), so nothing more can be.
                    let text = e.to_string();
                    wrong.push(text.trim().trim_start_matches("error: ").to_owned());
                    return Err(Refused::Wrong(wrong));
                }
            },
            Ok(matches) if wrong.is_empty() => {
                let cli = C::from_arg_matches(&matches).map_err(Refused::Asked)?;
                let wrong = cli.contradictions();
                return if wrong.is_empty() {
                    Ok(cli)
                } else {
                    Err(Refused::Wrong(wrong))
                };
            }
            Ok(_) => return Err(Refused::Wrong(wrong)),
        }
    }
}

/// The id of the argument whose value is wrong, and the sentence that says so.
fn wrong_value(command: &clap::Command, e: &clap::Error) -> Option<(String, String)> {
    // An argument that is missing, or there twice, won't be put right by another parser.
    if !matches!(
        e.kind(),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation
    ) {
        return None;
    }
    let text = |kind| match e.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    if !matches!(
        e.kind(),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation
    ) {
        return None; // an argument that is missing, say: no value would do
    }
    // The context names the argument as the usage line does: `--drain-delay <DRAIN_DELAY>`.
    let shown = text(ContextKind::InvalidArg)?;
    let mut command = command.clone();
    command.build(); // only then does an argument know how it is shown
    let arg = all_arguments(&command).find(|arg| arg.to_string() == shown)?;
    let name = match (arg.get_env(), arg.get_long()) {
        (Some(env), Some(long)) => format!("{} (or --{long})", env.to_string_lossy()),
        _ => shown,
    };
    let value = text(ContextKind::InvalidValue).unwrap_or_default();
    let why = match (e.source(), text(ContextKind::ValidValue)) {
        (Some(why), _) => why.to_string(),
        (None, Some(valid)) => format!("it can be {valid}"),
        (None, None) => "a value is needed".to_owned(),
    };
    Some((
        arg.get_id().to_string(),
        format!("{name} can't be '{value}': {why}"),
    ))
}

fn all_arguments(command: &clap::Command) -> impl Iterator<Item = &clap::Arg> {
    command.get_arguments().chain(
        command
            .get_subcommands()
            .flat_map(clap::Command::get_arguments),
    )
}

fn accept_anything(command: clap::Command, id: &str) -> clap::Command {
    let lax = |command: clap::Command| {
        command.mut_args(|arg| {
            if arg.get_id() == id {
                arg.value_parser(StringValueParser::new())
            } else {
                arg
            }
        })
    };
    lax(command).mut_subcommands(lax)
}

/// A length of time as `1m30s` or `500ms`; a bare `0` too.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "a length of time is written as 1m30s or 500ms".to_owned())
}

fn targets(text: &str) -> Result<Targets, String> {
    text.parse().map_err(|_| {
        "a level is one of error, warn, info, debug, trace, off, or target=level pairs".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, clap::Parser)]
    #[command(name = "service")]
    struct Cli {
        #[command(flatten)]
        settings: Settings,
    }

    impl Consistent for Cli {
        fn contradictions(&self) -> Vec<String> {
            self.settings.contradictions()
        }
    }

    fn wrong(line: &str) -> Vec<String> {
        match read::<Cli>(line.split(' ').map(Into::into).collect()) {
            Err(Refused::Wrong(sentences)) => sentences,
            other => panic!("{line} should be refused, not {other:?}"),
        }
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let said =
            wrong("service --drain-delay soon --pod-ip here --log-format xml --rust-log loud=x");
        assert_eq!(said.len(), 4, "a sentence each: {said:#?}");
        for name in ["DRAIN_DELAY", "POD_IP", "LOG_FORMAT", "RUST_LOG"] {
            assert!(
                said.iter().any(|s| s.starts_with(name)),
                "{name} is named in {said:#?}"
            );
        }
        assert!(
            said.iter()
                .any(|s| s.contains("'soon': a length of time is written as 1m30s or 500ms")),
            "the value and what is allowed: {said:#?}"
        );
    }

    #[test]
    fn a_missing_argument_is_named() {
        let command =
            clap::Command::new("service").arg(clap::Arg::new("rate").long("rate").required(true));
        let error = command.clone().try_get_matches_from(["service"]);
        assert_eq!(wrong_value(&command, &error.unwrap_err()), None);
    }

    #[test]
    fn an_unknown_flag_is_refused_beside_a_wrong_value() {
        let said = wrong("service --drain-dealy 3s");
        assert!(said[0].contains("--drain-dealy"), "{said:#?}");
    }

    #[test]
    fn a_missing_argument_is_said_once() {
        #[derive(Debug, clap::Parser)]
        struct Needs {
            #[arg(long)]
            rate: u32,
            #[arg(long = "for")]
            time: u32,
        }
        impl Consistent for Needs {
            fn contradictions(&self) -> Vec<String> {
                vec![format!("{} and {} are there", self.rate, self.time)]
            }
        }
        for (line, said) in [
            (vec!["service", "--rate", "1"], "--for <TIME>"),
            (vec!["service", "--rate", "x"], "--rate <RATE> can't be 'x'"),
            (
                vec!["service", "--rate", "1", "--rate", "2"],
                "cannot be used multiple times",
            ),
        ] {
            match read::<Needs>(line.iter().map(Into::into).collect()) {
                Err(Refused::Wrong(sentences)) => assert!(
                    sentences[0].contains(said),
                    "{line:?} is refused with {said}, not {sentences:#?}"
                ),
                other => panic!("{line:?} should be refused, not {other:?}"),
            }
        }
    }

    #[test]
    fn a_drain_longer_than_the_stop_is_a_contradiction() {
        let said = wrong("service --drain-delay 30s --stop-timeout 10s");
        assert!(
            said[0].contains("DRAIN_DELAY (30s) is longer than STOP_TIMEOUT (10s)"),
            "{said:?}"
        );
    }

    #[test]
    fn durations_are_written_with_their_unit() {
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        for bad in ["", "5", "-1s", "soon", "1e3s"] {
            assert!(duration(bad).is_err(), "'{bad}' is not a length of time");
        }
    }
}
