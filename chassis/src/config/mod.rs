//! How a program reads its settings. Every setting is a flag and an environment variable of the
//! same name, all of them are checked before anything is bound, and everything that is wrong is
//! reported at once. The settings themselves stand beside what they set: each module that has some
//! has a `Settings` of its own, and the program's command line flattens them together.

mod build;
mod host;
mod stdio;
mod value;

use std::{collections::HashSet, error::Error, ffi::OsString};

use clap::{
    CommandFactory, FromArgMatches,
    builder::{OsStringValueParser, Resettable},
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::text::shown;

pub(crate) use self::host::is_host;
pub use self::{
    build::Build,
    host::is_host_and_port,
    stdio::{complain, print},
    value::{
        Reader, duration, host_and_port, http_url, ip_address, listen_address, localhost,
        positive_duration, whole_number, written,
    },
};

/// A command line whose settings can conflict with each other though each is valid by itself.
pub trait CheckConflicts {
    /// A sentence for each conflict.
    fn conflicts(&self) -> Vec<String>;
}

/// Reads this program's command line and environment. `--help` and `--version` print their text
/// and exit with 0. If anything is wrong, `report` gets all of it in one line, stderr gets a
/// sentence for each, and the process exits with 2.
pub fn parse<C: CommandFactory + FromArgMatches + CheckConflicts>(report: impl Fn(&str)) -> C {
    match read(std::env::args_os().collect()) {
        Ok(cli) => cli,
        Err(Rejected::HelpOrVersion(text)) => {
            print(&text.render().to_string());
            std::process::exit(0)
        }
        Err(Rejected::Invalid(sentences)) => {
            let name = C::command().get_name().to_owned();
            for sentence in &sentences {
                complain(format_args!("{name}: {sentence}"));
            }
            report(&sentences.join("; "));
            std::process::exit(2)
        }
    }
}

/// The settings of an empty command line in an empty environment: what a test starts from.
pub fn defaults<S: clap::Args>() -> S {
    let command = S::augment_args(clap::Command::new("defaults"))
        .mut_args(|arg| arg.env(Resettable::<clap::builder::OsStr>::Reset));
    S::from_arg_matches(&command.get_matches_from(["defaults"])).expect("defaults are valid")
}

/// A command line that doesn't start the program.
#[derive(Debug)]
pub enum Rejected {
    /// Help or the version was asked for, which clap reports as an error too.
    HelpOrVersion(clap::Error),
    /// A sentence for each thing that is wrong.
    Invalid(Vec<String>),
}

/// Reads a command line, and from the environment what it leaves out.
///
/// # Errors
/// It doesn't start the program.
pub fn read<C: CommandFactory + FromArgMatches + CheckConflicts>(
    line: Vec<OsString>,
) -> Result<C, Rejected> {
    match command::<C>().try_get_matches_from(&line) {
        Ok(matches) => {
            let cli = C::from_arg_matches(&matches).map_err(|error| invalid(&error))?;
            match cli.conflicts() {
                none if none.is_empty() => Ok(cli),
                conflicts => Err(Rejected::Invalid(conflicts)),
            }
        }
        Err(error) => Err(match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                // The help names empty variables too.
                let whole = C::command().try_get_matches_from(&line).err();
                Rejected::HelpOrVersion(whole.unwrap_or(error))
            }
            ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::InvalidUtf8 => {
                wrong_values::<C>(&line)
            }
            // The line itself can't be read (an unknown flag, say).
            _ => invalid(&error),
        }),
    }
}

/// The program's command line, for which an empty variable is one that isn't set: a manifest or a script
/// that fills a variable in from elsewhere can't leave it out. An empty flag is one that somebody wrote,
/// and no setting takes it.
fn command<C: CommandFactory>() -> clap::Command {
    fn ignore_empty_variables(command: clap::Command) -> clap::Command {
        command.mut_args(|arg| match arg.get_env().and_then(std::env::var_os) {
            Some(value) if value.is_empty() => arg.env(Resettable::<clap::builder::OsStr>::Reset),
            _ => arg,
        })
    }
    ignore_empty_variables(C::command()).mut_subcommands(ignore_empty_variables)
}

fn invalid(error: &clap::Error) -> Rejected {
    let text = error.to_string();
    let text = text.trim().trim_start_matches("error: ");
    // It has several lines, and repeats what it can't read.
    let lines: Vec<_> = text.lines().map(shown).collect();
    Rejected::Invalid(vec![lines.join("\n")])
}

/// clap reports the first wrong value and stops. So the line is read again once for each argument,
/// with all the others accepting anything: what is still wrong then is that argument's value.
fn wrong_values<C: CommandFactory>(line: &[OsString]) -> Rejected {
    let read_checking = |id: Option<&clap::Id>| {
        let lax = |command: clap::Command| {
            command.mut_args(|arg| match id {
                Some(id) if arg.get_id() == id => arg,
                _ if arg.get_action().takes_values() => {
                    arg.value_parser(OsStringValueParser::new())
                }
                _ => arg,
            })
        };
        lax(command::<C>())
            .mut_subcommands(lax)
            .try_get_matches_from(line)
    };
    if let Err(error) = read_checking(None) {
        return invalid(&error); // an argument without its value: no other value would do
    }
    let command = C::command();
    let arguments = command.get_arguments().chain(
        command
            .get_subcommands()
            .flat_map(clap::Command::get_arguments),
    );
    // Subcommands may have an argument in common, of which the line has at most one.
    let mut seen = HashSet::new();
    let sentences = arguments
        .filter(|arg| seen.insert(arg.get_id()))
        .filter_map(|arg| {
            let error = read_checking(Some(arg.get_id())).err()?;
            Some(wrong_value(arg, &error))
        });
    Rejected::Invalid(sentences.collect())
}

/// The setting, its value, and what is allowed.
fn wrong_value(arg: &clap::Arg, error: &clap::Error) -> String {
    let name = match (arg.get_env(), arg.get_long()) {
        (Some(env), Some(long)) => format!("{} (or --{long})", env.to_string_lossy()),
        (None, Some(long)) => format!("--{long}"),
        _ => arg.get_id().to_string().to_uppercase(),
    };
    if error.kind() == ErrorKind::InvalidUtf8 {
        return format!("{name} can't be used: it is not UTF-8");
    }
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    let value = text(ContextKind::InvalidValue).unwrap_or_default();
    let why = match (error.source(), text(ContextKind::ValidValue)) {
        (Some(why), _) => why.to_string(),
        (None, Some(valid)) if !valid.is_empty() => format!("it can be {valid}"),
        (None, _) => "a value is needed".to_owned(),
    };
    format!("{name} can't be '{}': {why}", shown(value))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::builder::NonEmptyStringValueParser;

    use super::*;

    #[derive(Debug, clap::Parser)]
    #[command(name = "service")]
    struct Cli {
        #[arg(long, env, default_value = "0s", value_parser = Reader(duration))]
        drain_delay: Duration,
        #[arg(long, env, default_value = "25s", value_parser = Reader(duration))]
        stop_timeout: Duration,
        #[arg(long, env)]
        pod_ip: Option<std::net::IpAddr>,
        #[arg(long, env, value_parser = ["json", "text"])]
        log_format: Option<String>,
        #[arg(long, env, value_parser = NonEmptyStringValueParser::new())]
        pod_name: Option<String>,
    }

    impl CheckConflicts for Cli {
        fn conflicts(&self) -> Vec<String> {
            let conflict = self.drain_delay > self.stop_timeout;
            conflict
                .then(|| "they conflict".to_owned())
                .into_iter()
                .collect()
        }
    }

    fn rejected<C: CommandFactory + FromArgMatches + CheckConflicts + std::fmt::Debug>(
        line: &str,
    ) -> Vec<String> {
        match read::<C>(line.split(' ').map(Into::into).collect()) {
            Err(Rejected::Invalid(sentences)) => sentences,
            other => panic!("{line} should be rejected, not {other:?}"),
        }
    }

    #[test]
    fn everything_that_is_wrong_is_reported_at_once() {
        let sentences =
            rejected::<Cli>("service --drain-delay soon --pod-ip here --log-format xml");
        assert_eq!(sentences.len(), 3, "a sentence each: {sentences:#?}");
        for name in ["DRAIN_DELAY", "POD_IP", "LOG_FORMAT"] {
            assert!(
                sentences.iter().any(|s| s.starts_with(name)),
                "{name} is named in {sentences:#?}"
            );
        }
        for part in [
            "DRAIN_DELAY (or --drain-delay) can't be 'soon': a length of time is written as 1m30s",
            "can't be 'xml': it can be json, text",
        ] {
            assert!(
                sentences.iter().any(|s| s.contains(part)),
                "the value and what is allowed: {sentences:#?}"
            );
        }
    }

    #[test]
    fn an_unknown_flag_is_rejected_beside_a_wrong_value() {
        for line in [
            "service --drain-dealy 3s",
            "service --stop-timeout x --drain-dealy 3s",
        ] {
            let sentences = rejected::<Cli>(line);
            assert!(sentences[0].contains("--drain-dealy"), "{sentences:#?}");
        }
    }

    #[test]
    fn a_value_that_is_not_there_is_reported_once() {
        let sentences = rejected::<Cli>("service --pod-ip");
        assert_eq!(sentences.len(), 1, "{sentences:#?}");
        assert!(sentences[0].contains("--pod-ip"), "{sentences:#?}");
    }

    #[test]
    fn an_empty_flag_is_told_that_it_needs_a_value() {
        for name in ["pod-name", "log-format", "stop-timeout"] {
            let sentences = rejected::<Cli>(&format!("service --{name}="));
            let [sentence] = &sentences[..] else {
                panic!("{sentences:#?}");
            };
            let (_, why) = sentence.split_once("can't be '': ").unwrap();
            assert!(!why.trim_end().ends_with("be"), "{sentence}");
        }
        let sentences = rejected::<Cli>("service --pod-name=");
        let whole = "POD_NAME (or --pod-name) can't be '': a value is needed";
        assert_eq!(sentences, [whole]);
    }

    #[test]
    fn a_missing_argument_is_reported_once() {
        #[derive(Debug, clap::Parser)]
        struct Needs {
            #[arg(long)]
            rate: u32,
            #[arg(long = "for")]
            time: u32,
        }
        impl CheckConflicts for Needs {
            fn conflicts(&self) -> Vec<String> {
                vec![format!("{} and {} are there", self.rate, self.time)]
            }
        }
        for (line, part) in [
            ("service --rate 1", "--for <TIME>"),
            ("service --rate x --for 1", "--rate can't be 'x'"),
            ("service --rate 1 --rate 2", "cannot be used multiple times"),
        ] {
            let sentences = rejected::<Needs>(line);
            assert_eq!(sentences.len(), 1, "{line}: {sentences:#?}");
            assert!(sentences[0].contains(part), "{line}: {sentences:#?}");
        }
    }

    #[test]
    fn an_argument_that_several_subcommands_have_is_reported_once() {
        #[derive(Debug, clap::Parser)]
        enum Subcommands {
            Load {
                #[arg(long, value_parser = Reader(duration))]
                timeout: Duration,
            },
            Burn {
                #[arg(long, value_parser = Reader(duration))]
                timeout: Duration,
            },
        }
        impl CheckConflicts for Subcommands {
            fn conflicts(&self) -> Vec<String> {
                let (Self::Load { timeout } | Self::Burn { timeout }) = self;
                vec![format!("{timeout:?}")]
            }
        }
        let sentences = rejected::<Subcommands>("service burn --timeout soon");
        assert_eq!(sentences.len(), 1, "{sentences:#?}");
    }

    #[test]
    fn settings_that_conflict_are_rejected() {
        let sentences = rejected::<Cli>("service --drain-delay 30s --stop-timeout 10s");
        assert_eq!(sentences, ["they conflict"]);
    }

    #[test]
    fn defaults_do_not_depend_on_the_environment() {
        #[derive(Debug, clap::Args)]
        struct Settings {
            // A variable that every environment has.
            #[arg(long, env = "PATH", default_value = "the default")]
            path: String,
        }
        assert_eq!(defaults::<Settings>().path, "the default");
    }
}
