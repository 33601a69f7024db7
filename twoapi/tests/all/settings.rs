//! One rule for all settings of both services and their subcommands: an empty variable is one that isn't
//! set, and an empty flag is refused. All are found in the command lines, so that a new one is tested too.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fmt::Debug,
    process::{Command, Output},
};

use chassis::config::{CheckConflicts, Rejected, read};
use clap::{CommandFactory, FromArgMatches, Parser};

#[derive(Debug, Parser)]
#[command(name = "oneapi")]
struct Oneapi {
    #[command(flatten)]
    line: oneapi::cli::CommandLine,
}

#[derive(Debug, Parser)]
#[command(name = "twoapi")]
struct Twoapi {
    #[command(flatten)]
    line: twoapi::cli::CommandLine,
}

impl CheckConflicts for Oneapi {
    fn conflicts(&self) -> Vec<String> {
        self.line.conflicts()
    }
}

impl CheckConflicts for Twoapi {
    fn conflicts(&self) -> Vec<String> {
        self.line.conflicts()
    }
}

/// Each subcommand with what it needs, and none.
const SUBCOMMANDS: [&str; 6] = [
    "",
    "probe http://x/",
    "kill",
    "licenses",
    "load http://x/ --rate 1 --for 1s",
    "burn x --millicores 1 --for 1s",
];

fn commands() -> [clap::Command; 2] {
    [Oneapi::command(), Twoapi::command()]
}

fn with_subcommands(command: &clap::Command) -> impl Iterator<Item = &clap::Command> {
    std::iter::once(command).chain(command.get_subcommands())
}

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(Into::into).collect()
}

fn settings<C: CommandFactory + FromArgMatches + CheckConflicts + Debug>(line: &str) -> String {
    match read::<C>(words(line)) {
        Ok(settings) => format!("{settings:?}"),
        Err(rejected) => format!("{rejected:?}"),
    }
}

/// Says what the settings are in the environment that it is started with.
#[test]
#[ignore = "the next test starts it"]
#[allow(clippy::print_stdout)] // by which it says them
fn prints_the_settings() {
    for subcommand in SUBCOMMANDS {
        let of_oneapi = !subcommand.starts_with("load") && !subcommand.starts_with("burn");
        if of_oneapi {
            println!(
                "settings: {}",
                settings::<Oneapi>(&format!("oneapi {subcommand}"))
            );
        }
        println!(
            "settings: {}",
            settings::<Twoapi>(&format!("twoapi {subcommand}"))
        );
    }
}

fn settings_with<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args([
            "--ignored",
            "--exact",
            "settings::prints_the_settings",
            "--nocapture",
        ])
        .env_clear()
        .envs(variables);
    let Output { stdout, status, .. } = child.output().unwrap();
    let stdout = String::from_utf8(stdout).unwrap();
    assert!(status.success(), "{stdout}");
    let lines = stdout
        .lines()
        .filter_map(|line| line.split_once("settings: "));
    let lines: Vec<_> = lines.map(|(_, settings)| settings.to_owned()).collect();
    assert_eq!(lines.len(), 10, "{stdout}");
    lines
}

#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    let commands = commands();
    let variables: BTreeSet<&str> = commands
        .iter()
        .flat_map(with_subcommands)
        .flat_map(clap::Command::get_arguments)
        .filter_map(|arg| arg.get_env()?.to_str())
        .collect();
    for name in ["POD_NAME", "MAX_BURNS", "PODS_NAME", "MAX_RATE"] {
        assert!(variables.contains(name), "{name} is not in {variables:?}");
    }
    let unset = settings_with([]);
    let empty = settings_with(variables.iter().map(|name| (*name, "")));
    for (unset, empty) in unset.iter().zip(empty) {
        assert!(!unset.contains("Invalid"), "{unset}");
        assert_eq!(*unset, empty);
    }
    // And one that is not empty is seen.
    let set = settings_with([("POD_NAME", "a-pod"), ("MAX_RATE", "7")]);
    assert!(
        set.iter().all(|settings| settings.contains("a-pod")),
        "{set:?}"
    );
    assert!(
        set.iter().any(|settings| settings.contains("max_rate: 7")),
        "{set:?}"
    );
}

#[test]
fn an_empty_flag_is_refused() {
    fn refuses<C: CommandFactory + FromArgMatches + CheckConflicts + Debug>(
        line: Vec<OsString>,
        name: &str,
    ) {
        match read::<C>(line.clone()) {
            Err(Rejected::Invalid(sentences)) => {
                let says = sentences.iter().any(|sentence| sentence.contains(name));
                assert!(says, "{line:?}: {sentences:?}");
            }
            other => panic!("{line:?} is {other:?}"),
        }
    }
    let mut flags = 0;
    for command in commands() {
        for subcommand in with_subcommands(&command) {
            for arg in subcommand.get_arguments() {
                if !arg.get_action().takes_values() {
                    continue;
                }
                let mut line = words(command.get_name());
                if subcommand.get_name() != command.get_name() {
                    line.push(subcommand.get_name().into());
                }
                let name = match arg.get_long() {
                    Some(long) => {
                        line.push(format!("--{long}=").into());
                        format!("--{long}")
                    }
                    None => {
                        line.push("".into());
                        arg.get_id().as_str().to_uppercase()
                    }
                };
                match command.get_name() {
                    "oneapi" => refuses::<Oneapi>(line, &name),
                    _ => refuses::<Twoapi>(line, &name),
                }
                flags += 1;
            }
        }
    }
    assert!(flags > 50, "only {flags} are seen");
}

/// Beside a CPU's worth of threads each second, in an exec probe's container.
#[test]
fn a_subcommand_runs_on_one_thread() {
    for subcommand in SUBCOMMANDS {
        let expected = (!subcommand.is_empty()).then_some(1);
        let twoapi = read::<Twoapi>(words(&format!("twoapi {subcommand}"))).unwrap();
        assert_eq!(twoapi.line.worker_threads(), expected, "{subcommand}");
        if let Ok(oneapi) = read::<Oneapi>(words(&format!("oneapi {subcommand}"))) {
            assert_eq!(oneapi.line.worker_threads(), expected, "{subcommand}");
        }
    }
}
