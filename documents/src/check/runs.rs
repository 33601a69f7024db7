//! The outputs of a document are of one run, as far as that can be seen without a cluster: no two times in them are
//! further apart than a document may take, and a Pod that is asked by its name has one IP until it is deleted.

use std::{collections::HashMap, sync::LazyLock};

use humantime::parse_rfc3339;
use regex::Regex;

use super::tree::Tree;
use crate::{compare::regex, document::Document, run::DOCUMENT_LIMIT};

static TIME: LazyLock<Regex> = LazyLock::new(|| regex(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z"));
static IP: LazyLock<Regex> = LazyLock::new(|| regex(r"\b\d+(?:\.\d+){3}\b"));
/// A Service counts if it has the name of a Pod: then it has that one alone.
static ASKED: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"(?:\b(?:pods|services)/|get pod )(?<name>[a-z0-9-]+)(?::\d+/test| -o wide)")
});

pub(super) fn check(tree: &Tree<'_>, findings: &mut Vec<String>) {
    for document in &tree.documents {
        check_document(document, findings);
    }
}

fn check_document(document: &Document, findings: &mut Vec<String>) {
    let mut times = Vec::new();
    let mut known: HashMap<&str, (&str, usize)> = HashMap::new();
    for block in &document.blocks {
        if block.code.contains("delete") {
            known.retain(|name, _| !block.code.contains(name));
        }
        let Some((line, text)) = &block.output else {
            continue;
        };
        let found = TIME.find_iter(text).map(|it| parse_rfc3339(it.as_str()));
        times.extend(found.flatten().map(|time| (time, *line)));
        let mut asked: Vec<_> = ASKED.captures_iter(&block.code).collect();
        asked.dedup_by(|a, b| a["name"] == b["name"]);
        let mut ips: Vec<_> = IP.find_iter(text).map(|it| it.as_str()).collect();
        ips.dedup();
        let ([asked], [ip]) = (&asked[..], &ips[..]) else {
            continue;
        };
        let name = asked.name("name").expect("each has it").as_str();
        if document.text.contains(&format!("pods/{name}:")) {
            let (other, at) = *known.entry(name).or_insert((ip, *line));
            if other != *ip {
                let sentence = format!("The IP of {name} is {ip}, and in line {at} it is {other}.");
                findings.push(document.at(*line, &sentence));
            }
        }
    }
    if let (Some(first), Some(last)) = (times.iter().min(), times.iter().max())
        && first.0 + DOCUMENT_LIMIT < last.0
    {
        let sentence = "is later than a run takes since the first, which is in line";
        findings.push(document.at(last.1, &format!("A time here {sentence} {}.", first.1)));
    }
}
