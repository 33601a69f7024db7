//! How the files of the crates may depend on each other. In each crate no file leads back to itself, over
//! whatever others: a `mod.rs` that uses its children has nothing that a child uses. In this crate the
//! folders import only from those below them, as `lib.rs` has it, and some keep foreign crates out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

const CRATES: [&str; 8] = [
    "bench",
    "chassis",
    "cluster",
    "documents",
    "e2e",
    "load",
    "oneapi",
    "twoapi",
];

/// Each folder of this crate, where it may import from, and which foreign crates it must not know.
const FOLDERS: [(&str, &str, &str); 12] = [
    (
        "app",
        "endpoints http server faults cli telemetry lifecycle config system base text",
        "axum hyper",
    ),
    (
        "endpoints",
        "http server faults telemetry lifecycle config system",
        "",
    ),
    (
        "http",
        "server faults telemetry lifecycle config base text",
        "",
    ),
    ("server", "lifecycle config system base", "axum"),
    ("faults", "lifecycle config system base text", "axum"),
    ("cli", "config text", "axum"),
    ("telemetry", "config system base text", "axum"),
    ("lifecycle", "config", "axum hyper"),
    ("config", "text", "axum"),
    ("system", "base", "axum hyper"),
    ("base", "", "axum hyper"),
    ("text", "", "axum hyper"),
];

#[test]
fn no_file_leads_back_to_itself() {
    let mut circles = BTreeSet::new();
    for name in CRATES {
        let files = files_of(name);
        for file in &files {
            let circle: Vec<_> = files
                .iter()
                .filter(|other| reaches(&files, file, other) && reaches(&files, other, file))
                .map(|other| other.path())
                .collect();
            if !circle.is_empty() {
                circles.insert(format!("{name}: {}", circle.join(" ")));
            }
        }
    }
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn folders_import_only_from_those_below_them() {
    let files = files_of("chassis");
    let mut imports = 0;
    for (name, allowed, without) in FOLDERS {
        let own: Vec<_> = files.iter().filter(|file| file.folder() == name).collect();
        assert!(!own.is_empty(), "there is no {name}");
        for file in own {
            for other in &file.uses {
                let other = other.first().map_or("lib", String::as_str);
                if other != name {
                    let path = file.path();
                    assert!(
                        allowed.split(' ').any(|allowed| allowed == other),
                        "{path} imports from {other}; {name} may import from: {allowed}"
                    );
                    imports += 1;
                }
            }
            for foreign in without.split_whitespace() {
                assert!(
                    !file.foreign.contains(foreign),
                    "{} uses {foreign}, which {name} should not know",
                    file.path()
                );
            }
        }
    }
    assert!(imports > 50, "only {imports} imports are seen at all");
    let named: BTreeSet<_> = FOLDERS.iter().map(|(name, ..)| *name).collect();
    let there = files.iter().map(File::folder).filter(|name| *name != "lib");
    assert_eq!(there.collect::<BTreeSet<_>>(), named);
}

#[test]
fn every_way_to_name_another_file_is_seen() {
    let text = r#"
        //! [`crate::no`]
        mod child;
        #[cfg(test)]
        mod in_another_file;
        use axum::http::Uri;
        use crate::{a::{self, b::Item, c::*}, text::shown};
        use super::sibling::Thing as Other;
        fn f() { super::up(); child::run(); self::child::g::<crate::d::D>(); "crate::no" }
        mod inner { use super::super::from_inner; use super::not_another_file; }
        #[cfg(test)]
        mod tests { use crate::no; }
    "#;
    let modules = [
        "",
        "a",
        "a/b",
        "a/c",
        "d",
        "text",
        "m",
        "m/here",
        "m/here/child",
        "m/sibling",
        "no",
    ];
    let modules = modules.map(module).into();
    let (uses, foreign) = names(text, &module("m/here"), &modules);
    let uses: Vec<_> = uses.iter().map(|used| used.join("/")).collect();
    let expected = [
        "a",
        "a/b",
        "a/c",
        "d",
        "m",
        "m/here/child",
        "m/sibling",
        "text",
    ];
    assert_eq!(uses, expected);
    assert!(foreign.contains("axum"));
}

type Module = Vec<String>;

fn module(path: &str) -> Module {
    let parts = path.split('/').filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

struct File {
    module: Module,
    /// The modules of other files that it names.
    uses: BTreeSet<Module>,
    /// What else its paths begin with, foreign crates among them.
    foreign: BTreeSet<String>,
}

impl File {
    fn path(&self) -> String {
        match &self.module[..] {
            [] => "lib".to_owned(),
            module => module.join("/"),
        }
    }

    fn folder(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }
}

/// Over one step at least.
fn reaches(files: &[File], from: &File, to: &File) -> bool {
    let file_of = |module: &Module| files.iter().find(|file| file.module == *module);
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(file) = next.pop() {
        for used in &file.uses {
            if *used == to.module {
                return true;
            }
            if seen.insert(used) {
                next.extend(file_of(used));
            }
        }
    }
    false
}

/// All of a crate's library.
fn files_of(name: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    let mut texts = BTreeMap::new();
    collect(&root.join("src"), &mut Vec::new(), &mut texts);
    assert!(texts.len() > 3, "{name}: only {} files", texts.len());
    let modules = texts.keys().cloned().collect();
    texts
        .iter()
        .map(|(module, text)| {
            let (uses, foreign) = names(text, module, &modules);
            File {
                module: module.clone(),
                uses,
                foreign,
            }
        })
        .collect()
}

fn collect(folder: &Path, at: &mut Module, texts: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && name == "bin" {
            // Programs of their own, which nothing else of the crate can use.
        } else if path.is_dir() {
            at.push(name);
            collect(&path, at, texts);
            at.pop();
        } else if path.extension().is_some_and(|end| end == "rs") && name != "main" {
            let mut module = at.clone();
            if name != "mod" && name != "lib" {
                module.push(name);
            }
            texts.insert(module, fs::read_to_string(path).unwrap());
        }
    }
}

/// The modules of other files that a file's text names, its unit tests at the end aside, and what its other paths
/// begin with.
fn names(
    text: &str,
    module: &Module,
    modules: &BTreeSet<Module>,
) -> (BTreeSet<Module>, BTreeSet<String>) {
    let tokens = tokens(without_tests(text));
    let mut reader = Reader {
        tokens: &tokens,
        module,
        modules,
        uses: BTreeSet::new(),
        foreign: BTreeSet::new(),
    };
    let mut inline = Vec::new(); // modules within the file, each with its depth in braces
    let (mut at, mut depth) = (0, 0);
    while at < tokens.len() {
        match &*tokens[at] {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inline.pop_if(|(_, opened)| *opened == depth);
            }
            "mod" if tokens.get(at + 2).is_some_and(|token| token == "{") => {
                inline.push((tokens[at + 1].clone(), depth));
                at += 1;
            }
            "use" => {
                let mut here = module.clone();
                here.extend(inline.iter().map(|(name, _)| name.clone()));
                at = reader.tree(at + 1, &here, &[]);
                continue;
            }
            // Behind `$` a path is for whoever calls the macro, and behind `in` it says who may see.
            token
                if is_name(token)
                    && (at == 0 || !matches!(&*tokens[at - 1], "::" | "$" | "in")) =>
            {
                let mut here = module.clone();
                here.extend(inline.iter().map(|(name, _)| name.clone()));
                let mut path = vec![token.to_owned()];
                while tokens.get(at + 1).is_some_and(|token| token == "::")
                    && tokens.get(at + 2).is_some_and(|token| is_name(token))
                {
                    path.push(tokens[at + 2].clone());
                    at += 2;
                }
                if path.len() > 1 {
                    reader.note(&here, &path);
                }
            }
            _ => {}
        }
        at += 1;
    }
    (reader.uses, reader.foreign)
}

/// Up to the file's unit tests: the first module for tests whose text stands here. Another item for tests
/// is read like the rest, and one that only names its file hides nothing.
fn without_tests(text: &str) -> &str {
    let mut items = text.match_indices("#[cfg(test)]");
    let tests = items.find(|(at, attribute)| {
        let item = text[at + attribute.len()..].trim_start();
        let end = item.find(['{', ';']);
        item.starts_with("mod ") && end.is_some_and(|end| item[end..].starts_with('{'))
    });
    &text[..tests.map_or(text.len(), |(at, _)| at)]
}

struct Reader<'a> {
    tokens: &'a [String],
    module: &'a Module,
    modules: &'a BTreeSet<Module>,
    uses: BTreeSet<Module>,
    foreign: BTreeSet<String>,
}

impl Reader<'_> {
    /// What stands behind `use`, or within its braces; returns where that ends.
    fn tree(&mut self, mut at: usize, here: &Module, prefix: &[String]) -> usize {
        let mut path = prefix.to_vec();
        loop {
            match &*self.tokens[at] {
                "{" => {
                    at = self.tree(at + 1, here, &path);
                    path.truncate(prefix.len());
                    if prefix.is_empty() && self.tokens[at] == ";" {
                        return at;
                    }
                    continue;
                }
                token @ ("," | "}" | ";") => {
                    if path.len() > prefix.len() {
                        self.note(here, &path);
                    }
                    match token {
                        "," => path.truncate(prefix.len()),
                        "}" => return at + 1,
                        _ => return at,
                    }
                }
                "as" => at += 1, // and the new name
                token if is_name(token) || token == "*" => path.push(token.to_owned()),
                _ => {}
            }
            at += 1;
        }
    }

    fn note(&mut self, here: &Module, path: &[String]) {
        let mut base = here.clone();
        let mut rest = path;
        match &*path[0] {
            "crate" => base.clear(),
            "self" | "super" => {}
            first => {
                base.push(first.to_owned());
                if !self.modules.contains(&base) {
                    self.foreign.insert(first.to_owned());
                    return;
                }
                base.pop();
            }
        }
        if path[0] == "crate" || path[0] == "self" {
            rest = &path[1..];
        }
        while rest.first().is_some_and(|part| part == "super") {
            base.pop();
            rest = &rest[1..];
        }
        for part in rest {
            base.push(part.clone());
        }
        while !self.modules.contains(&base) {
            base.pop();
        }
        if base != *self.module {
            self.uses.insert(base);
        }
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|char: char| char.is_alphabetic() || char == '_')
}

/// Names, `::`, and each other character by itself; without comments, strings and characters.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(string) = rest.strip_prefix('"') {
            1 + string_length(string)
        } else if let Some(string) = rest.strip_prefix("r#\"") {
            3 + string.find("\"#").unwrap() + 2
        } else if let Some(char) = rest.strip_prefix('\'') {
            // A character, or the name of a lifetime.
            let end = match char.strip_prefix('\\') {
                Some(escaped) => escaped[1..].find('\'').map(|at| 2 + at),
                None => char.char_indices().nth(1).map(|(at, _)| at),
            };
            match end {
                Some(end) if char[end..].starts_with('\'') => 1 + end + 1,
                _ => 1,
            }
        } else if is_name(rest) {
            let end = |char: char| !char.is_alphanumeric() && char != '_';
            let length = rest.find(end).unwrap_or(rest.len());
            tokens.push(rest[..length].to_owned());
            length
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// Up to the closing quotation mark, with it.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, char) in text.char_indices() {
        if char == '"' && !is_escaped {
            return at + 1;
        }
        is_escaped = char == '\\' && !is_escaped;
    }
    text.len()
}
