//! Gives a script's variables short names, and keeps the names of properties, which the server and the
//! browser know. A variable has the same name in all of its places, since modules share one scope. Words
//! that are in no function together may get the same name, which makes the script easier to compress.

use std::collections::{BTreeMap, BTreeSet};

const KEYWORDS: &str = " if for while switch catch return await of in do as ";

/// A piece of a script: a word, or one character of what isn't a word, or a whole string.
#[derive(Debug)]
struct Token<'a> {
    text: &'a str,
    is_word: bool,
}

pub(crate) fn shorter(script: &str) -> String {
    let tokens = tokens(script);
    // Of each word: how often it is there, and in which statements of a module or methods of a class.
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut places: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    let (mut place, mut global) = (1, BTreeSet::new());
    let (mut properties, mut short, mut declared) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    // What is open: `(`, `[`, the `{` of a block, `o` for that of an object, `c` for that of a class, or
    // `head` for what declares names.
    let mut open: Vec<&str> = Vec::new();
    // How deep in these each `let` is that isn't over, since it declares what is after its commas too.
    let mut lets: Vec<usize> = Vec::new();
    // What one `let` after another can do without: it goes on behind a comma.
    let (mut joined, mut left_out) = (BTreeSet::new(), BTreeSet::new());
    let mut is_class = false;
    let at = |i: usize| tokens.get(i).map_or("", |token| token.text);
    let significant = |mut i: usize| {
        while at(i) == " " || at(i) == "\n" {
            i += 1;
        }
        i
    };
    let mut before = ("", "");
    for (i, token) in tokens.iter().enumerate() {
        let text = token.text;
        if text.trim().is_empty() {
            continue;
        }
        let next = at(significant(i + 1));
        let (mut previous, earlier) = before;
        before = (text, previous);
        if previous == "," && lets.last() == Some(&open.len()) {
            previous = "let";
        }
        if !token.is_word {
            assert!(
                !(open.is_empty() && previous == "let"),
                "a module of the page declares several names in one pattern"
            );
            match text {
                "{" if is_class => {
                    open.push("c");
                    is_class = false;
                }
                "(" if is_head(&tokens, i, previous) => open.push("head"),
                "[" if previous == "let" => open.push("head"),
                "[" if open.last() == Some(&"head") && matches!(previous, "(" | "," | "[") => {
                    open.push("head");
                }
                "{" if matches!(
                    previous,
                    "(" | "," | "=" | ":" | "[" | "?" | "&" | "|" | "return" | "let" | "."
                ) =>
                {
                    let declares =
                        previous == "let" || open.last() == Some(&"head") && previous != "=";
                    open.push(if declares { "pattern" } else { "o" });
                }
                "(" | "[" | "{" => open.push(text),
                ")" | "]" | "}" => drop(open.pop()),
                _ => {}
            }
            if text == ";" && next == "let" && lets.last() == Some(&open.len()) {
                let word = significant(i + 1);
                joined.insert(i);
                left_out.extend(i + 1..significant(word + 1));
            }
            lets.retain(|&depth| depth < open.len() || depth == open.len() && text != ";");
            if matches!(text, ";" | "}") && matches!(open[..], [] | ["c"]) {
                place += 1;
            }
            continue;
        }
        is_class |= text == "class";
        if text == "let" {
            lets.push(open.len());
        }
        let within = open.last().copied().unwrap_or_default();
        let is_spread = previous == "." && earlier == ".";
        let is_object = matches!(within, "o" | "pattern");
        let begins = matches!(previous, "{" | ",") && !is_spread;
        let is_short = is_object && begins && matches!(next, "," | "}" | "=");
        let is_method = matches!(within, "o" | "c")
            && next == "("
            && at(significant(closing(&tokens, significant(i + 1)) + 1)) == "{";
        let is_field = within == "c" && previous != "=" && matches!(next, "=" | ";" | "}");
        let is_key = is_object && begins && next == ":";
        if previous == "." && !is_spread || is_key || is_method || is_field {
            properties.insert(i);
            continue;
        }
        if is_short {
            short.insert(i);
        }
        *counts.entry(text).or_default() += 1;
        places.entry(text).or_default().insert(place);
        if open.is_empty() && matches!(previous, "let" | "function" | "class") {
            assert!(
                global.insert(text),
                "two modules of the page declare {text}"
            );
        }
        if matches!(previous, "let" | "function" | "class")
            || within == "head" && (is_spread || matches!(previous, "(" | "," | "["))
            || within == "pattern" && (is_spread || is_short || previous == ":")
            || next == "=" && at(significant(i + 1) + 1) == ">"
        {
            declared.insert(text);
        }
    }
    let mut renamed: Vec<&str> = declared.into_iter().collect();
    renamed.retain(|word| word.len() > 1 && !KEYWORDS.contains(&format!(" {word} ")));
    renamed.sort_by_key(|word| std::cmp::Reverse(counts[word]));
    // All that is declared in a module shares the place 0.
    for word in global {
        places.entry(word).or_default().insert(0);
    }
    let letters = || ('a'..='z').chain('A'..='Z');
    let pairs = letters().flat_map(|a| letters().map(move |b| format!("{a}{b}")));
    let free: Vec<String> = letters().map(String::from).chain(pairs).collect();
    let mut taken: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (word, places) in places.iter().filter(|(word, _)| !renamed.contains(word)) {
        taken.insert(word, places.clone());
    }
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    for word in renamed {
        let own = &places[word];
        let is_free = |name: &&String| {
            let others = taken.get(name.as_str());
            others.is_none_or(|others| others.is_disjoint(own))
                && !KEYWORDS.contains(&format!(" {name} "))
        };
        let name = free.iter().find(is_free).expect("there are thousands");
        taken.entry(name).or_default().extend(own);
        names.insert(word, name);
    }
    let renamed = tokens
        .iter()
        .enumerate()
        .filter(|(i, _)| !left_out.contains(i))
        .map(|(i, token)| match names.get(token.text) {
            _ if joined.contains(&i) => ",".to_owned(),
            Some(name) if short.contains(&i) => format!("{}:{name}", token.text),
            Some(name) if token.is_word && !properties.contains(&i) => (*name).to_owned(),
            _ => token.text.to_owned(),
        });
    renamed.collect()
}

/// Whether this `(` begins the parameters of a function.
fn is_head(tokens: &[Token<'_>], i: usize, previous: &str) -> bool {
    let mut rest = tokens[closing(tokens, i) + 1..].iter();
    let mut rest = rest
        .by_ref()
        .map(|token| token.text)
        .filter(|text| !text.trim().is_empty());
    match (rest.next(), rest.next()) {
        (Some("="), Some(">")) => true,
        (Some("{"), _) => !KEYWORDS.contains(&format!(" {previous} ")),
        _ => false,
    }
}

/// Where the bracket is closed that is opened here.
fn closing(tokens: &[Token<'_>], i: usize) -> usize {
    let mut depth = 0;
    for (n, token) in tokens.iter().enumerate().skip(i) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return n;
        }
    }
    panic!("a bracket of the page's scripts isn't closed")
}

/// The text between the `${` and the `}` of a template is code, and all else of it is a string.
fn tokens(script: &str) -> Vec<Token<'_>> {
    let bytes = script.as_bytes();
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
    let (mut tokens, mut templates): (Vec<Token<'_>>, Vec<usize>) = (Vec::new(), Vec::new());
    let (mut i, mut depth) = (0, 0);
    while i < bytes.len() {
        let begin = i;
        let last = tokens
            .iter()
            .rev()
            .map(|token| token.text)
            .find(|text| !text.trim().is_empty());
        let last = last.unwrap_or("(");
        let is_word = is_part(bytes[i]);
        let ends_template = bytes[i] == b'}' && templates.last() == Some(&depth);
        i += 1;
        match bytes[begin] {
            _ if is_word => {
                while i < bytes.len() && is_part(bytes[i]) {
                    i += 1;
                }
            }
            b'`' => i = template(bytes, i, depth, &mut templates),
            b'}' if ends_template => {
                templates.pop();
                i = template(bytes, i, depth, &mut templates);
            }
            quote @ (b'"' | b'\'') => i = after(bytes, i, quote),
            b'/' if last == "return"
                || !last.ends_with(|c: char| is_part(c as u8) || ")]}\"'`".contains(c)) =>
            {
                i = after(bytes, i, b'/');
            }
            b'{' => depth += 1,
            b'}' => depth -= 1,
            byte if byte >= 0x80 => {
                while i < bytes.len() && bytes[i] >= 0x80 {
                    i += 1;
                }
            }
            _ => {}
        }
        tokens.push(Token {
            text: &script[begin..i],
            is_word,
        });
    }
    tokens
}

/// Where the rest of a template ends: behind its last character, or behind the `${` of code.
fn template(bytes: &[u8], mut i: usize, depth: usize, templates: &mut Vec<usize>) -> usize {
    while bytes[i] != b'`' {
        if bytes[i..].starts_with(b"${") {
            templates.push(depth);
            return i + 2;
        }
        i += if bytes[i] == b'\\' { 2 } else { 1 };
    }
    i + 1
}

/// Behind the end of a string or of a regular expression.
fn after(bytes: &[u8], mut i: usize, end: u8) -> usize {
    let mut is_set = false;
    while bytes[i] != end || is_set {
        match bytes[i] {
            b'\\' => i += 1,
            b'[' if end == b'/' => is_set = true,
            b']' => is_set = false,
            _ => {}
        }
        i += 1;
    }
    i + 1
}
