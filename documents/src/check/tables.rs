//! The reference's tables. Those of settings and of subcommands are written from the programs' command
//! lines; those of endpoints and of the Makefile's variables are compared with them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::LazyLock,
};

use anyhow::Result;
use clap::Arg;
use regex::Regex;

use super::{
    commands::Makefile,
    tree::{Programs, Tree},
};
use crate::{
    document::{Document, counterpart, is_chinese},
    elements::Cell,
};

/// The document that has the tables.
const REFERENCE: &str = "docs/reference.md";

/// Below these paths are a page's own parts, which nobody asks for but the page itself.
const PARTS_OF_THE_PAGE: &str = " /page/";

/// A method and a path without its query, or a method of a gRPC service.
static REQUEST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:(?<method>[A-Z]+) /|grpc\.)(?<path>[^?\s]*)").expect("it is tested")
});
/// A part of a path that stands for any.
static ANY: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"/(?:\{[^}]*\}|[A-Z]+\b)").expect("it is tested"));

/// A setting, a subcommand or an argument of one.
struct Row {
    /// Its name, and what it takes.
    name: String,
    /// The programs and subcommands that have it.
    of: Vec<String>,
    /// The default of each that has another one.
    defaults: Vec<String>,
    help: String,
}

/// Adds a row, to one of the same name if there is one.
fn add(rows: &mut Vec<Row>, name: String, of: &str, (default, help): (Option<String>, String)) {
    match rows.iter_mut().find(|row| row.name == name) {
        Some(row) => {
            row.of.push(of.to_owned());
            row.defaults.extend(default);
            row.defaults.dedup();
        }
        None => rows.push(Row {
            name,
            of: vec![of.to_owned()],
            defaults: Vec::from_iter(default),
            help,
        }),
    }
}

/// The default of an argument, and what it is for.
fn described(argument: &Arg) -> (Option<String>, String) {
    let code = |text: &str| format!("`{text}`");
    let default = argument.get_default_values().first();
    let mut default = default.map(|default| code(&default.to_string_lossy()));
    let help = argument.get_help().map(ToString::to_string);
    let mut help = help.unwrap_or_default();
    // What the program finds out itself is said in its help.
    if let Some((before, found)) = help.split_once(" [default: ") {
        default = Some(found.trim_end_matches(']').to_owned());
        help = before.to_owned();
    }
    if !argument.get_action().takes_values() {
        return (None, help); // clap gives a flag values, too
    }
    let values = argument.get_possible_values();
    let values: Vec<_> = values.iter().map(|value| code(value.get_name())).collect();
    if !values.is_empty() {
        help = format!("{help}: {}", values.join(", "));
    }
    (default, help)
}

impl Programs {
    /// Rows of the name, the default, and what it is for.
    fn settings(&self) -> Vec<[String; 3]> {
        let mut rows = Vec::new();
        for program in &self.commands {
            let of = program.get_name();
            let subcommands = program.get_subcommands();
            let subcommands = subcommands.map(|command| (format!("`{of} {command}`"), command));
            for (of, command) in std::iter::once((of.to_owned(), program)).chain(subcommands) {
                for argument in command.get_arguments() {
                    if let Some(name) = argument.get_env() {
                        let name = name.to_string_lossy().into_owned();
                        add(&mut rows, name, &of, described(argument));
                    }
                }
            }
        }
        // First those of all services.
        rows.sort_by_key(|row| row.of.len() == 1);
        let cells = rows.into_iter().map(|row| {
            let help = match &row.of[..] {
                [of] => format!("{of}: {}", row.help),
                _ => row.help,
            };
            [format!("`{}`", row.name), row.defaults.join(", "), help]
        });
        cells.collect()
    }

    fn subcommands(&self) -> Vec<[String; 3]> {
        let mut rows = Vec::new();
        for program in &self.commands {
            let of = program.get_name();
            for command in program.get_subcommands() {
                let mut command = command.clone();
                let usage = command.render_usage().to_string();
                let usage = usage.replace("Usage: ", "").replace(" [OPTIONS]", "");
                let about = command.get_about().map(ToString::to_string);
                add(&mut rows, usage, of, (None, about.unwrap_or_default()));
                for argument in command.get_arguments() {
                    if argument.get_env().is_none() && argument.get_id() != "help" {
                        let name = format!("{command} … {argument}");
                        add(&mut rows, name, of, described(argument));
                    }
                }
            }
        }
        let cells = rows.into_iter().map(|row| {
            let names = row.of.iter().map(|of| format!("`{of} {}`", row.name));
            let names = names.collect::<Vec<_>>().join(", ");
            [names, row.defaults.join(", "), row.help]
        });
        cells.collect()
    }
}

/// Writes the tables into the reference in both languages.
pub fn write(root: &Path, programs: &Programs) -> Result<()> {
    for path in [REFERENCE.into(), counterpart(Path::new(REFERENCE))] {
        let document = Document::read(root, &path)?;
        let text = written(&document, programs, &mut Vec::new());
        fs::write(root.join(&path), text)?;
    }
    Ok(())
}

/// The document with its tables as the programs have them. In Chinese, what is in words stays as it is; a
/// row without words is a finding.
fn written(document: &Document, programs: &Programs, findings: &mut Vec<String>) -> String {
    let path = document.path.display();
    let mut text = document.text.clone();
    for (table, rows) in [
        ("settings", programs.settings()),
        ("subcommands", programs.subcommands()),
    ] {
        let mark = format!("<!-- from the programs: {table} -->\n");
        let Some(begin) = text.find(&mark) else {
            findings.push(format!("{path} has no table below {}.", mark.trim()));
            continue;
        };
        // The mark, an empty line, the headings, and the line below them.
        let lines = text[begin..].split_inclusive('\n').map(str::len);
        let begin = begin + lines.take(4).sum::<usize>();
        let lines = text[begin..].split_inclusive('\n');
        let lines = lines.take_while(|line| line.starts_with('|'));
        let end = begin + lines.map(str::len).sum::<usize>();
        let mut known = BTreeMap::new();
        for row in text[begin..end].lines() {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            if let ["", name, default, words, ..] = cells[..] {
                known.insert(name, (default, words));
            }
        }
        let mut table = String::new();
        for [name, mut default, mut words] in rows {
            if is_chinese(&document.path) {
                let (known_default, known_words) = known.get(&*name).copied().unwrap_or_default();
                if !default.is_empty() && !default.starts_with('`') {
                    known_default.clone_into(&mut default);
                }
                known_words.clone_into(&mut words);
            }
            if words.is_empty() {
                findings.push(format!("{path}: It doesn't say what {name} is."));
            }
            let row = format!("| {name} | {default} | {words} |\n");
            table += &row.replace("|  |", "| |");
        }
        text.replace_range(begin..end, &table);
    }
    text
}

pub(super) fn check(tree: &Tree<'_>, findings: &mut Vec<String>) {
    for path in [REFERENCE.into(), counterpart(Path::new(REFERENCE))] {
        let Some(document) = tree.document(&path) else {
            let path = path.display();
            findings.push(format!("There is no {path}, which has the tables."));
            continue;
        };
        if written(document, tree.programs, findings) != document.text {
            let path = path.display();
            findings.push(format!(
                "{path}: Its tables are out of date: `BLESS=1 cargo test -p documents --test repository` \
                 writes them."
            ));
        }
        check_variables(tree, document, findings);
        check_requests(tree, document, findings);
    }
}

/// The first two cells of each row, with its line.
fn rows(document: &Document) -> impl Iterator<Item = (usize, &Cell, &Cell)> {
    let rows = document.elements.iter();
    rows.filter_map(|element| match element.row() {
        Some([first, second, ..]) => Some((element.line, first, second)),
        _ => None,
    })
}

/// Variables of the Makefile have the defaults that the table says.
fn check_variables(tree: &Tree<'_>, document: &Document, findings: &mut Vec<String>) {
    let variables = Makefile::read(tree.root).variables;
    for (line, name, default) in rows(document) {
        let variable = variables.iter().find(|(known, _)| *known == name.text);
        if let Some((name, value)) = variable
            // What a command finds out depends on what was chosen here.
            && !value.starts_with("$(")
            && !default.code.contains(value)
        {
            let sentence = format!("The default of {name} is {value}.");
            findings.push(document.at(line, &sentence));
        }
    }
}

/// Each request of the table is served, and each one that is served is in the table.
fn check_requests(tree: &Tree<'_>, document: &Document, findings: &mut Vec<String>) {
    let path = document.path.display();
    let requests = tree.programs.requests.iter();
    let served: BTreeSet<(&str, String)> = requests
        .map(|(service, request)| (service.as_str(), any(request)))
        .collect();
    let services: BTreeSet<&str> = served.iter().map(|(service, _)| *service).collect();
    let mut named = BTreeSet::new();
    for (_, of, requests) in rows(document) {
        let of_both = matches!(of.text.as_str(), "both" | "两者");
        for service in &services {
            if of_both || of.text == *service {
                let requests = requests.code.iter().filter_map(|code| request(code));
                named.extend(requests.map(|request| (*service, request)));
            }
        }
    }
    for (service, request) in named.difference(&served) {
        findings.push(format!(
            "{path} names {request}, which {service} doesn't serve."
        ));
    }
    for (service, request) in served.difference(&named) {
        if !request.contains(PARTS_OF_THE_PAGE) {
            findings.push(format!("{path} has no row for {request} of {service}."));
        }
    }
}

/// The method and the path that a piece of code in the table names.
fn request(code: &str) -> Option<String> {
    let found = REQUEST.captures(code)?;
    let path = &found["path"];
    Some(any(&match found.name("method") {
        Some(method) => format!("{} /{path}", method.as_str()),
        None => format!("POST /grpc.{path}"),
    }))
}

/// A request with `*` for each part of its path that stands for any.
fn any(request: &str) -> String {
    ANY.replace_all(request, "/*").into_owned()
}
