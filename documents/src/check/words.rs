//! The words that the sheet in CONTRIBUTING.md rules out, in what readers read: sentences, tables, headings and
//! diagrams. Code, output and quotations of output are as programs have them.

use std::{path::Path, sync::LazyLock};

use regex::{Captures, Regex};

use super::tree::Tree;
use crate::elements::{Element, Kind};

/// Above the table. A word in its first column is a regular expression.
const SHEET: &str = "the sheet of words";

/// Blocks but diagrams, hidden comments, code in sentences, targets of links, and quotations.
static LEFT_OUT: LazyLock<Regex> = LazyLock::new(|| {
    let blocks = r"^ *```mermaid$|^ *```\w+$.*?^ *```$|^ *```$";
    let others = r"<!--.*?-->|`[^`]*`|\]\([^)]*\)|^>[^\n]*";
    Regex::new(&format!("(?ms){blocks}|{others}")).expect("it is tested")
});

pub(super) fn check(tree: &Tree<'_>, findings: &mut Vec<String>) {
    let Some(sheet) = tree.document(Path::new("CONTRIBUTING.md")) else {
        return;
    };
    let is_sheet = |it: &&Element| matches!(&it.kind, Kind::Comment(text, _) if text == SHEET);
    let below = sheet.elements.iter().skip_while(|it| !is_sheet(it));
    let table = below.take_while(|it| !matches!(it.kind, Kind::Heading(..)));
    let mut ruled_out = Vec::new();
    for row in table.filter_map(Element::row) {
        for word in &row[0].code {
            let expression = word.replace(' ', r"\s+");
            let expression = match word.is_ascii() {
                true => format!(r"\b(?:{expression})\b"),
                false => expression,
            };
            match Regex::new(&expression) {
                Ok(expression) => ruled_out.push((expression, &row[1].text)),
                Err(error) => findings.push(sheet.at(1, &error.to_string())),
            }
        }
    }
    for document in &tree.documents {
        let lines_alone = |found: &Captures<'_>| "\n".repeat(found[0].matches('\n').count());
        let text = LEFT_OUT.replace_all(&document.text, lines_alone);
        for (expression, better) in &ruled_out {
            findings.extend(expression.find_iter(&text).map(|found| {
                let line = text[..found.start()].matches('\n').count() + 1;
                let found = found.as_str().replace('\n', " ");
                document.at(line, &format!("Not \"{found}\", but: {better}."))
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{check::Programs, document::Document};

    const SHEET: &str = "<!-- the sheet of words -->\n| Not | But |\n| --- | --- |\n\
        | `pods?`, `in vain` | Pod |\n| `烧` | 消耗 |\n\n## More\n\n| A |\n| --- |\n| `two` |\n";
    const LEFT_OUT: &str = "`a pod` [a](../k8s/pod.yaml) <!-- pod -->\n\n> pods\n\n\
        ```yaml\npod: 烧\n```\n\npods_ two\n";
    const FOUND: &str = "```mermaid\na pod\n```\n\nIt is in\nvain.\n\n不烧了\n";

    #[test]
    fn words_that_the_sheet_rules_out_are_found_in_what_readers_read() {
        let programs = Programs::default();
        let document = |path: &str, text| Document::parse(Path::new(path), text);
        let documents = vec![
            document("CONTRIBUTING.md", SHEET.to_owned()),
            document("NOTES.md", format!("{LEFT_OUT}{FOUND}")),
        ];
        let root = Path::new("");
        let tree = Tree {
            root,
            documents,
            programs: &programs,
        };
        let mut findings = Vec::new();
        check(&tree, &mut findings);
        let expected = [
            "NOTES.md:11: Not \"pod\", but: Pod.",
            "NOTES.md:14: Not \"in vain\", but: Pod.",
            "NOTES.md:17: Not \"烧\", but: 消耗.",
        ];
        assert_eq!(findings, expected);
    }
}
