//! Numbers that are kept in the repository, and compared with: a line each, `name value`, after
//! lines of comment.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result};

use crate::shipped;

/// Reads a file, by its path from the top of the repository.
///
/// # Errors
/// When it can't be read, or a line is written otherwise.
pub fn read(file: &str) -> Result<BTreeMap<String, u64>> {
    let text = fs::read_to_string(shipped::root().join(file));
    let text = text.with_context(|| format!("{file} can't be read"))?;
    parse(&text).with_context(|| format!("{file} is not as it should be"))
}

/// Replaces the numbers of a file, and keeps its comment.
///
/// # Errors
/// When it can't be read or written.
pub fn write(file: &str, numbers: &BTreeMap<String, u64>) -> Result<()> {
    let path = shipped::root().join(file);
    let old = fs::read_to_string(&path).with_context(|| format!("{file} can't be read"))?;
    let comment: String = old
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect();
    let lines: String = numbers
        .iter()
        .map(|(name, number)| format!("{name} {number}\n"))
        .collect();
    Ok(fs::write(path, comment + &lines)?)
}

fn parse(text: &str) -> Result<BTreeMap<String, u64>> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (name, number) = line.rsplit_once(' ').with_context(|| line.to_owned())?;
            let number = number.parse().with_context(|| line.to_owned())?;
            Ok((name.to_owned(), number))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_spaces_and_a_comment_is_no_number() {
        let numbers = parse("# why\noneapi 12\noneapi compressed 3\n").unwrap();
        assert_eq!(numbers["oneapi"], 12);
        assert_eq!(numbers["oneapi compressed"], 3);
        assert!(parse("oneapi").is_err() && parse("oneapi many").is_err());
    }
}
