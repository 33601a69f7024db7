//! The reference's tables of settings, subcommands and endpoints say what the programs themselves say, and
//! all of it.

use std::{collections::BTreeSet, path::Path, sync::LazyLock};

use regex::Regex;

use super::{Documents, at, commands::Makefile};
use crate::{
    document::{is_chinese, twin},
    page::{Cell, Kind, Page},
};

/// A request that a service answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// The service's name.
    pub service: String,
    /// The method.
    pub method: String,
    /// The path's template, such as `/burns/{id}`.
    pub template: String,
}

/// What the programs say of themselves.
#[derive(Clone, Debug, Default)]
pub struct Programs {
    /// Their command lines, which have their settings.
    pub commands: Vec<clap::Command>,
    /// What they answer.
    pub endpoints: Vec<Endpoint>,
}

/// A setting of one or more programs.
#[derive(Debug, PartialEq, Eq)]
struct Setting {
    name: String,
    /// The default of each program that has it, without those that are the same.
    defaults: Vec<String>,
    /// The default in words, where the program finds it out.
    described: Option<String>,
}

/// The document that has the tables.
const REFERENCE: &str = "docs/reference.md";

/// Below these paths are a page's own parts, which nobody asks for but the page itself.
const PARTS_OF_THE_PAGE: &str = "/page/";

static REQUEST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?<method>GET|PUT|POST|DELETE|HEAD|PATCH) (?<path>/[^?\s]*)(?:\?\S*)?$")
        .expect("it is tested")
});
static NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[A-Z][A-Z0-9_]*$").expect("it is tested"));
static DESCRIBED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\[default: (?<default>[^\]]+)\]").expect("it is tested"));

impl Programs {
    /// The settings, in the order of the programs' help.
    fn settings(&self) -> Vec<Setting> {
        let mut settings: Vec<Setting> = Vec::new();
        let arguments = self
            .commands
            .iter()
            .flat_map(|command| std::iter::once(command).chain(command.get_subcommands()))
            .flat_map(clap::Command::get_arguments);
        for argument in arguments {
            let Some(name) = argument.get_env() else {
                continue;
            };
            let name = name.to_string_lossy().into_owned();
            let help = argument
                .get_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let described = DESCRIBED
                .captures(&help)
                .map(|found| found["default"].to_owned());
            let index = settings.iter().position(|known| known.name == name);
            let index = index.unwrap_or_else(|| {
                settings.push(Setting {
                    name,
                    defaults: Vec::new(),
                    described,
                });
                settings.len() - 1
            });
            for default in argument.get_default_values() {
                let default = default.to_string_lossy().into_owned();
                if !settings[index].defaults.contains(&default) {
                    settings[index].defaults.push(default);
                }
            }
        }
        settings
    }

    /// Finds flags that the program of a command doesn't have.
    pub(super) fn check_flags(&self, words: &[&str], sentences: &mut Vec<String>) {
        // The command itself, or the one that `kubectl exec … --` runs.
        let start = words
            .iter()
            .position(|word| *word == "--")
            .map_or(0, |at| at + 1);
        for words in [words, &words[start..]] {
            let Some((program, words)) = words.split_first() else {
                continue;
            };
            let program = program.rsplit('/').next().unwrap_or_default();
            let command = self
                .commands
                .iter()
                .find(|command| command.get_name() == program);
            let Some(command) = command else { continue };
            let subcommand = words.iter().find_map(|word| command.find_subcommand(word));
            for word in words {
                let flag = word.split('=').next().unwrap_or_default();
                let Some(flag) = flag.strip_prefix("--") else {
                    continue;
                };
                let known = subcommand
                    .unwrap_or(command)
                    .get_arguments()
                    .any(|argument| argument.get_long() == Some(flag));
                if !known && !matches!(flag, "" | "help" | "version") {
                    let subcommand = subcommand.map_or("", clap::Command::get_name);
                    let program = format!("{program} {subcommand}");
                    sentences.push(format!("{} has no flag --{flag}.", program.trim()));
                }
            }
            break;
        }
    }
}

pub(super) fn check(
    root: &Path,
    documents: &Documents,
    programs: &Programs,
    findings: &mut Vec<String>,
) {
    match documents.page(Path::new(REFERENCE)) {
        Some(page) => check_page(root, page, programs, findings),
        None => findings.push(format!(
            "There is no {REFERENCE}, which has the tables of settings and endpoints."
        )),
    }
    // If there is none, `pairs` says so.
    if let Some(page) = documents.page(&twin(Path::new(REFERENCE))) {
        check_page(root, page, programs, findings);
    }
}

fn check_page(root: &Path, page: &Page, programs: &Programs, findings: &mut Vec<String>) {
    let rows: Vec<(usize, &[Cell])> = page
        .elements
        .iter()
        .filter_map(|element| match &element.kind {
            Kind::Row(cells) => Some((element.line, cells.as_slice())),
            _ => None,
        })
        .collect();
    check_settings(root, page, &rows, programs, findings);
    check_subcommands(page, &rows, programs, findings);
    check_endpoints(page, &rows, programs, findings);
}

fn check_settings(
    root: &Path,
    page: &Page,
    rows: &[(usize, &[Cell])],
    programs: &Programs,
    findings: &mut Vec<String>,
) {
    let makefile = Makefile::read(root);
    let settings = programs.settings();
    let mut named = Vec::new();
    for (line, cells) in rows {
        let [first, default, ..] = cells else {
            continue;
        };
        // A row of a setting begins with its name.
        let [name] = &first.code[..] else { continue };
        if first.text != *name || !NAME.is_match(name) {
            continue;
        }
        named.push(name);
        let setting = settings.iter().find(|setting| setting.name == *name);
        let variable = makefile.variables.iter().find(|(known, _)| known == name);
        let (expected, described) = match (setting, variable) {
            (Some(setting), _) => (setting.defaults.clone(), setting.described.as_deref()),
            // What a command finds out depends on what was chosen here.
            (None, Some((_, default))) if default.starts_with("$(") => continue,
            (None, Some((_, default))) => {
                let default = Some(default.clone()).filter(|default| !default.is_empty());
                (default.into_iter().collect(), None)
            }
            (None, None) => {
                let sentence = format!(
                    "{name} is neither a setting of a program nor a variable of the Makefile."
                );
                findings.push(at(&page.path, *line, &sentence));
                continue;
            }
        };
        let mut said = default.code.clone();
        let mut expected = expected;
        said.sort();
        expected.sort();
        if !expected.is_empty() && said != expected {
            let sentence = format!("The default of {name} is {}.", expected.join(", "));
            findings.push(at(&page.path, *line, &sentence));
        } else if expected.is_empty() && !is_chinese(&page.path) {
            // What the program finds out itself is said in the words of its help.
            let described = described.unwrap_or_default();
            if default.text != described.replace('`', "") {
                let sentence = format!("The default of {name} is \"{described}\" in its help.");
                findings.push(at(&page.path, *line, &sentence));
            }
        }
    }
    for setting in &settings {
        if !named.contains(&&setting.name) {
            findings.push(format!(
                "{} has no row for the setting {}.",
                page.path.display(),
                setting.name
            ));
        }
    }
}

fn check_subcommands(
    page: &Page,
    rows: &[(usize, &[Cell])],
    programs: &Programs,
    findings: &mut Vec<String>,
) {
    for program in &programs.commands {
        for subcommand in program.get_subcommands() {
            let name = format!("{} {}", program.get_name(), subcommand.get_name());
            let words: BTreeSet<&str> = rows
                .iter()
                .filter(|(_, cells)| {
                    let first = cells.first();
                    first.is_some_and(|cell| {
                        cell.code.iter().any(|code| {
                            code.strip_prefix(&name)
                                .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
                        })
                    })
                })
                .flat_map(|(_, cells)| cells.iter().flat_map(|cell| &cell.code))
                .flat_map(|code| code.split(|letter: char| letter.is_whitespace() || letter == '='))
                .collect();
            if words.is_empty() {
                findings.push(format!("{} has no row for {name}.", page.path.display()));
                continue;
            }
            for argument in subcommand.get_arguments() {
                let Some(long) = argument.get_long() else {
                    continue;
                };
                // A flag with a variable is a setting, which has a row of its own.
                let flag = format!("--{long}");
                if argument.get_env().is_none() && !words.contains(flag.as_str()) {
                    findings.push(format!(
                        "{} doesn't say in the rows of {name} that it has the flag {flag}.",
                        page.path.display()
                    ));
                }
            }
        }
    }
}

fn check_endpoints(
    page: &Page,
    rows: &[(usize, &[Cell])],
    programs: &Programs,
    findings: &mut Vec<String>,
) {
    let services: BTreeSet<&str> = programs
        .endpoints
        .iter()
        .map(|endpoint| endpoint.service.as_str())
        .collect();
    let mut named = BTreeSet::new();
    for (line, cells) in rows {
        let [first, requests, ..] = cells else {
            continue;
        };
        let of: Vec<&str> = match first.text.as_str() {
            "both" | "两者" => services.iter().copied().collect(),
            service => services.get(service).copied().into_iter().collect(),
        };
        for (method, path) in requests_in(requests) {
            for service in &of {
                let endpoint = programs.endpoints.iter().find(|endpoint| {
                    endpoint.service == *service
                        && endpoint.method == method
                        && matches(&endpoint.template, &path)
                });
                match endpoint {
                    Some(endpoint) => drop(named.insert(endpoint)),
                    None => {
                        let sentence = format!("{service} doesn't serve {method} {path}.");
                        findings.push(at(&page.path, *line, &sentence));
                    }
                }
            }
        }
    }
    for endpoint in &programs.endpoints {
        if !named.contains(endpoint) && !endpoint.template.starts_with(PARTS_OF_THE_PAGE) {
            findings.push(format!(
                "{} has no row for {} {} of {}.",
                page.path.display(),
                endpoint.method,
                endpoint.template,
                endpoint.service
            ));
        }
    }
}

/// The methods and paths in a cell. A gRPC service is a path's first part, with its methods after it.
fn requests_in(cell: &Cell) -> Vec<(String, String)> {
    let mut requests = Vec::new();
    let mut service = None;
    for code in &cell.code {
        if let Some(request) = REQUEST.captures(code) {
            requests.push((request["method"].to_owned(), request["path"].to_owned()));
        } else if code.starts_with("grpc.") {
            service = Some(code);
        } else if let Some(service) = service {
            requests.push(("POST".to_owned(), format!("/{service}/{code}")));
        }
    }
    requests
}

/// Whether a path, in which a name in capitals stands for any, is one of a template.
fn matches(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(part), Some(said)) => {
                let variable = part.starts_with('{') && NAME.is_match(said);
                if !variable && part != said {
                    return false;
                }
            }
            _ => return false,
        }
    }
}
