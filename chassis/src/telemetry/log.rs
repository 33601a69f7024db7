//! Logs: one line an event on stdout, JSON in a container, text on a terminal. Each line says which
//! service wrote it, since people read the logs of a pod's containers together. What is logged, and
//! with which fields, stands where it happens.

use std::{env, ffi::OsStr, fmt, io::IsTerminal, panic};

use tracing::{Event, Subscriber};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::{self, Writer},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use super::output::Output;
use crate::config::Reader;

/// How and what to log.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Settings {
    /// How to log [default: text on a terminal, else json]
    #[arg(long, env, value_enum)]
    pub log_format: Option<Format>,

    /// What to log: a level, or levels by target, such as `info,twoapi=debug`; of libraries, errors only unless one is named
    #[arg(long, env, default_value = "info", value_parser = Reader(targets))]
    pub rust_log: Targets,
}

/// A word alone is a level, and never a target, so that a misspelt level doesn't turn the log off.
/// What else EnvFilter knows, such as `[span]`, is refused for the same reason.
pub(super) fn targets(text: &str) -> Result<Targets, String> {
    let understood = text
        .split(',')
        .all(|directive| match directive.split_once('=') {
            // Both have a meaning when they are empty: all targets, and the level `error`.
            Some((target, level)) => {
                !target.trim().is_empty() && !level.is_empty() && !target.contains('[')
            }
            None => !directive.is_empty() && directive.parse::<LevelFilter>().is_ok(),
        });
    let targets = understood.then(|| text.parse().ok()).flatten();
    targets.ok_or_else(|| {
        "a level is one of error, warn, info, debug, trace, off, or target=level pairs".to_owned()
    })
}

/// A level alone is meant for this project's own crates. Libraries warn of what clients send: `h2` of
/// each PING ack that nobody asked for, and a client can send a million of those. So of a library
/// that isn't named only errors are logged.
fn own_and_libraries(asked: &Targets, service: &str) -> Targets {
    let level = asked.default_level().unwrap_or(LevelFilter::OFF);
    Targets::new()
        .with_default(level.min(LevelFilter::ERROR))
        .with_target("chassis", level)
        .with_target(service, level)
        // It has an error for each batch that a collector doesn't take; of those `otlp` has one line.
        .with_target("opentelemetry", LevelFilter::OFF)
        .with_targets(asked.iter())
}

/// How an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For people, in colour on a terminal unless NO_COLOR is set.
    Text,
}

/// Starts logging for the whole process. Call it once.
pub fn start(service: &'static str, settings: &Settings) {
    let terminal = std::io::stdout().is_terminal();
    let format = settings
        .log_format
        .unwrap_or(if terminal { Format::Text } else { Format::Json });
    static OUTPUT: Output = Output::new();
    let lines = tracing_subscriber::fmt::layer().with_writer(|| &OUTPUT);
    let lines = match format {
        Format::Json => {
            let format = format::format()
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false);
            lines
                .json()
                .event_format(JsonLine { service, format })
                .boxed()
        }
        Format::Text => {
            let colour = terminal && !is_set(env::var_os("NO_COLOR").as_deref());
            let format = format::format().with_ansi(colour);
            lines
                .with_ansi(colour)
                .event_format(TextLine { service, format })
                .boxed()
        }
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(own_and_libraries(&settings.rust_log, service)))
        .init();
    // A panic loses its request, not the process; it is an event like any other.
    panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
}

/// An empty variable isn't set, by the convention of <https://no-color.org>.
fn is_set(variable: Option<&OsStr>) -> bool {
    variable.is_some_and(|value| !value.is_empty())
}

/// `{"service":"oneapi",`, the fields of the span that the event is in, such as `"trace_id":"…",`, and then the
/// event's own.
struct JsonLine<F> {
    service: &'static str,
    format: F,
}

impl<S, N, F> FormatEvent<S, N> for JsonLine<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::with_capacity(256);
        self.format
            .format_event(context, Writer::new(&mut line), event)?;
        let fields = line.strip_prefix('{').unwrap_or(&line);
        write!(writer, "{{\"service\":\"{}\",", self.service)?;
        if let Some(span) = context.lookup_current()
            && let Some(of_span) = span.extensions().get::<FormattedFields<N>>()
            && let Some(of_span) = of_span
                .strip_prefix('{')
                .and_then(|it| it.strip_suffix('}'))
            && !of_span.is_empty()
        {
            write!(writer, "{of_span},")?;
        }
        writer.write_str(fields)
    }
}

/// The service's name, and then the event as usual.
struct TextLine<F> {
    service: &'static str,
    format: F,
}

impl<S, N, F> FormatEvent<S, N> for TextLine<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        write!(writer, "{} ", self.service)?;
        self.format.format_event(context, writer, event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_turns_colour_off_unless_it_is_empty() {
        assert!(is_set(Some(OsStr::new("1"))));
        assert!(!is_set(Some(OsStr::new(""))));
        assert!(!is_set(None));
    }
}
