//! Logs: one line an event on stdout, JSON in a container, text on a terminal. What is logged,
//! and with which fields, stands where it happens.

use std::{io::IsTerminal, panic};

use tracing_subscriber::{Layer, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// How an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For people, in colour on a terminal.
    Text,
}

/// Starts logging for the whole process. Call it once.
pub fn start(format: Option<Format>, filter: Targets) {
    let terminal = std::io::stdout().is_terminal();
    let format = format.unwrap_or(if terminal { Format::Text } else { Format::Json });
    let lines = tracing_subscriber::fmt::layer();
    let lines = match format {
        Format::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .boxed(),
        Format::Text => lines.with_ansi(terminal).boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .init();
    // A panic loses its request, not the process; it is an event like any other.
    panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
}
