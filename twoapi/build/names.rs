//! Gives the page's own names in its script short ones: constants, functions, classes, variables and parameters.
//! Properties keep theirs, since events, texts and browsers know them.
//!
//! Within a part, which is a statement at the top level or a member of a class, each name stands for one
//! other name, and what is declared at the top level is so in all parts. So no name hides another one.

use std::collections::{BTreeMap, BTreeSet};

const KEYWORDS: &str = "async await break case catch class const continue default do else export extends false \
    finally for function get if import in instanceof let new null of return set static super switch this throw \
    true try typeof void while yield";

/// What a browser knows by its bare name, and the page uses. Those that begin with a large letter are known.
const GLOBALS: &str = "addEventListener clearTimeout devicePixelRatio document encodeURIComponent fetch getComputedStyle history \
    localStorage location matchMedia navigator onafterprint onbeforeprint performance reportError \
    requestAnimationFrame setTimeout undefined window";

/// What a brace or a bracket encloses.
#[derive(Clone, Copy, PartialEq)]
enum Scope {
    Block,
    Class,
    Object,
    Other,
    Template,
}

/// What a word is.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    /// One of the page's own names.
    Own,
    /// One that stands for a property and for the variable with its value: `{ pod }`.
    Shorthand,
    /// The end of a declaration and the beginning of the next one, which become one.
    Merged,
    Other,
}

/// A script with short names.
pub(crate) fn shorter(script: &str) -> String {
    let tokens = tokens(script);
    let fixed: BTreeSet<&str> = [KEYWORDS, GLOBALS]
        .iter()
        .flat_map(|list| list.split_whitespace())
        .collect();
    let mut roles = vec![Role::Other; tokens.len()];
    let mut parts = vec![0; tokens.len()];
    let mut top_level = BTreeSet::new();
    let mut scopes = Vec::new();
    let (mut before, mut last, mut opens_class) = ("", "", false);
    // Whether a statement at the top level declares names, and whether they are being read.
    let (mut declares, mut reads) = (false, false);
    let mut part = 0;
    // How deep the statements stand that declare names.
    let mut lets = BTreeSet::new();
    for (i, token) in tokens.iter().copied().enumerate() {
        let depth = usize::from(scopes.first() == Some(&Scope::Class));
        let scope = scopes.last().copied();
        parts[i] = part;
        if is_word(token) {
            let next = tokens[i + 1..]
                .iter()
                .find(|token| !token.trim().is_empty());
            let next = next.copied().unwrap_or_default();
            let begins = matches!(last, "{" | ",");
            let is_property = last == "." && before != "."
                || scope == Some(Scope::Object) && begins && matches!(next, ":" | "(")
                || scope == Some(Scope::Class) && matches!(last, "{" | "}" | ";" | "async");
            if !fixed.contains(token) && !is_property {
                let is_shorthand =
                    scope == Some(Scope::Object) && begins && matches!(next, "," | "}" | "=");
                roles[i] = if is_shorthand {
                    Role::Shorthand
                } else {
                    Role::Own
                };
                let is_function = matches!(last, "function" | "class") && scopes.is_empty();
                if is_function || reads && matches!(last, "let" | "," | "[" | "{") {
                    top_level.insert(token);
                }
            }
            opens_class |= token == "class";
            if token == "let" && scopes.is_empty() {
                (declares, reads) = (true, true);
            }
        }
        if token.starts_with('}') || matches!(token, ")" | "]") {
            lets.remove(&scopes.len());
            scopes.pop();
        }
        let opens = !matches!(token.chars().next(), Some('"' | '\'' | '/'));
        if opens && token.ends_with('{') || matches!(token, "(" | "[") {
            scopes.push(match (token, last) {
                ("{", _) if opens_class => Scope::Class,
                ("{", ")" | ";" | "{" | "}" | "else" | "try" | "finally" | "do") => Scope::Block,
                ("{", ">") if before == "=" => Scope::Block,
                ("{", _) => Scope::Object,
                ("(" | "[", _) => Scope::Other,
                _ => Scope::Template,
            });
            opens_class &= token != "{";
        }
        if token == "let" && matches!(last, ";" | "{" | "}" | "") {
            lets.insert(scopes.len());
        }
        if token == ";" && lets.contains(&scopes.len()) {
            let next = |i: &usize| !tokens[*i].trim().is_empty();
            match (i + 1..tokens.len()).find(next) {
                Some(next) if tokens[next] == "let" => {
                    roles[i] = Role::Merged;
                    roles[next] = Role::Merged;
                }
                _ => _ = lets.remove(&scopes.len()),
            }
        }
        if scopes.is_empty() {
            match token {
                "=" => reads = false,
                "," => reads = declares,
                ";" => (declares, reads) = (false, false),
                _ => {}
            }
        }
        if scopes.len() <= depth && matches!(token, ";" | "}") {
            part += 1;
        }
        if !token.trim().is_empty() {
            (before, last) = (last, token);
        }
    }
    // Only what is declared at the top level begins with a large letter; everything else is the browser's.
    let is_large = |name: &str| name.starts_with(|c: char| c.is_ascii_uppercase());
    let mut names: BTreeMap<&str, Name> = BTreeMap::new();
    for (i, token) in tokens.iter().copied().enumerate() {
        if !matches!(roles[i], Role::Own | Role::Shorthand) {
            continue;
        }
        if is_large(token) && !top_level.contains(token) {
            roles[i] = Role::Other;
            continue;
        }
        let name = names.entry(token).or_default();
        name.count += 1;
        if top_level.contains(token) {
            name.parts.extend(0..=part);
        }
        name.parts.insert(parts[i]);
    }
    let short = choose(&names, &fixed);
    let mut shorter = String::new();
    for (i, token) in tokens.iter().copied().enumerate() {
        match roles[i] {
            Role::Own => shorter += &short[token],
            Role::Shorthand => shorter += &format!("{token}:{}", short[token]),
            Role::Merged if token == ";" => shorter.push(','),
            Role::Merged => {}
            // A space between two words, and no other one.
            Role::Other if token.trim().is_empty() => {
                let next = tokens.get(i + 1).copied().unwrap_or_default();
                if shorter.ends_with(is_part) && next.starts_with(is_part) {
                    shorter.push(' ');
                }
            }
            Role::Other => shorter += token,
        }
    }
    shorter
}

/// Where a name stands, and how often.
#[derive(Default)]
struct Name {
    parts: BTreeSet<usize>,
    count: usize,
}

/// The short name of each name. What occurs most often chooses first.
fn choose<'a>(
    names: &BTreeMap<&'a str, Name>,
    fixed: &BTreeSet<&str>,
) -> BTreeMap<&'a str, String> {
    let letters = || ('a'..='z').chain('A'..='Z');
    let pairs = letters().flat_map(|a| letters().map(move |b| format!("{a}{b}")));
    let short = letters().map(String::from).chain(pairs);
    let mut short: Vec<(String, BTreeSet<usize>)> = short
        .filter(|name| !fixed.contains(name.as_str()))
        .map(|name| (name, BTreeSet::new()))
        .collect();
    let mut order: Vec<_> = names.iter().collect();
    order.sort_by_key(|(_, name)| std::cmp::Reverse(name.count));
    let mut choose_for = |(long, name): (&&'a str, &Name)| {
        let mut free = short.iter_mut();
        let free = free.find(|(_, taken)| taken.is_disjoint(&name.parts));
        let (short, taken) = free.expect("there are enough");
        taken.extend(&name.parts);
        (*long, short.clone())
    };
    order.into_iter().map(&mut choose_for).collect()
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$'
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '$')
}

/// The script in words, numbers, spaces, marks, strings, regular expressions, and the pieces of templates.
fn tokens(script: &str) -> Vec<&str> {
    let (mut tokens, mut rest) = (Vec::new(), script);
    // For each brace that is open, whether it is one of a template.
    let mut braces = Vec::new();
    while let Some(first) = rest.chars().next() {
        let last: &str = tokens
            .iter()
            .rev()
            .find(|token: &&&str| !token.trim().is_empty())
            .copied()
            .unwrap_or_default();
        let is_value =
            last != "return" && last.ends_with(|c: char| is_part(c) || ")]}".contains(c));
        let size = match first {
            '"' | '\'' => until(rest, |rest| rest.starts_with(first)),
            '`' => until(rest, |rest| rest.starts_with('`') || rest.starts_with("${")),
            '}' if braces.pop() == Some(true) => {
                until(rest, |rest| rest.starts_with('`') || rest.starts_with("${"))
            }
            '/' if !is_value => {
                let mut in_class = false;
                let size = until(rest, |rest| {
                    in_class = rest.starts_with('[') || in_class && !rest.starts_with(']');
                    rest.starts_with('/') && !in_class
                });
                size + rest[size..].find(|c| !is_part(c)).unwrap_or(0)
            }
            // With its point, so that what follows a point is a property.
            '0'..='9' => rest.find(|c| !is_part(c) && c != '.').unwrap_or(rest.len()),
            _ if is_part(first) => rest.find(|c| !is_part(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(size);
        if token == "{" {
            braces.push(false);
        } else if token.ends_with("${") {
            braces.push(true);
        }
        tokens.push(token);
        rest = after;
    }
    tokens
}

/// How long a text is up to its end and with it, where a backslash takes the meaning of what follows.
fn until(text: &str, mut is_end: impl FnMut(&str) -> bool) -> usize {
    let mut escaped = false;
    let ends = text.char_indices().skip(1).find(|(at, char)| {
        let ends = !escaped && is_end(&text[*at..]);
        escaped = !escaped && *char == '\\';
        ends
    });
    let (at, _) = ends.expect("each text has an end");
    at + if text[at..].starts_with("${") { 2 } else { 1 }
}
