//! `make size`: what each binary is made of by crate, and whether it is within its budget. Code and
//! data come from the symbols of a build that differs in nothing else from what is shipped. What
//! inlining has moved into another crate's function is counted there.

use std::{collections::BTreeMap, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::{figures::Unit, record, shipped};

/// The budgets, in bytes of each binary and of its gzip.
const BUDGETS: &str = "bench/size-budget.txt";

/// Crates with less than this are summed up.
const SMALL: u64 = 8_000;

/// The sum of the small crates.
pub const SMALL_CRATES: &str = "crates with less than 8 kB each";
/// What no symbol says the crate of.
pub const NO_SYMBOL: &str = "without a symbol: constants, texts, unwind tables";

/// A binary and what it is made of.
#[derive(Debug, Deserialize, Serialize)]
pub struct Binary {
    /// The service.
    pub name: String,
    /// Of the file.
    pub bytes: u64,
    /// Of its gzip.
    pub compressed: u64,
    /// The crates, the largest first; then what is summed up.
    pub parts: Vec<(String, u64)>,
}

/// Prints what both are made of; returns that, and whether they are within their budgets.
///
/// # Errors
/// When something can't be built or read.
pub fn run() -> Result<(Vec<Binary>, bool)> {
    let budgets = record::read(BUDGETS)?;
    let mut within = true;
    let mut binaries = Vec::new();
    for name in ["oneapi", "twoapi"] {
        let (size, compressed) = shipped::size(&shipped::service(name)?)?;
        let parts = parts(&shipped::with_symbols(name)?, size)?;
        println!("{name}:");
        for (part, bytes) in &parts {
            println!("{:>10}  {part}", Unit::Bytes.text(*bytes as f64));
        }
        binaries.push(Binary {
            name: name.to_owned(),
            bytes: size,
            compressed,
            parts,
        });
        for (what, bytes) in [
            (name.to_owned(), size),
            (format!("{name} compressed"), compressed),
        ] {
            let budget = budgets
                .get(&what)
                .with_context(|| format!("{BUDGETS} has no line for {what}"))?;
            let over = bytes > *budget;
            within &= !over;
            println!(
                "{what}: {bytes} bytes, {} of {budget}{}",
                if over {
                    "above the budget"
                } else {
                    "within the budget"
                },
                if over {
                    format!(
                        " by {}; if it is worth it, raise the budget in {BUDGETS}",
                        bytes - budget
                    )
                } else {
                    String::new()
                }
            );
        }
        println!();
    }
    Ok((binaries, within))
}

/// Bytes by crate, the largest first; then what has no symbol.
fn parts(binary: &Path, size: u64) -> Result<Vec<(String, u64)>> {
    let output = Command::new("nm")
        .args(["--print-size", "--radix=d", "--demangle"])
        .arg(binary)
        .output()
        .context("nm is needed and not installed: it is part of binutils")?;
    ensure!(output.status.success(), "nm fails");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut by_crate = BTreeMap::<String, u64>::new();
    let mut seen = None;
    for (address, bytes, name) in text.lines().filter_map(symbol) {
        // Functions with the same code share it.
        if seen.replace(address) != Some(address) {
            *by_crate.entry(crate_of(name)).or_default() += bytes;
        }
    }
    let (small, mut parts): (Vec<_>, Vec<_>) =
        by_crate.into_iter().partition(|(_, bytes)| *bytes < SMALL);
    parts.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let sum = |parts: &[(String, u64)]| parts.iter().map(|(_, bytes)| bytes).sum::<u64>();
    let (small, named) = (sum(&small), sum(&parts));
    parts.push((SMALL_CRATES.to_owned(), small));
    parts.push((NO_SYMBOL.to_owned(), size.saturating_sub(small + named)));
    Ok(parts)
}

/// The address, the size and the name of a line of nm; none of what takes no place in the file.
fn symbol(line: &str) -> Option<(&str, u64, &str)> {
    let mut words = line.splitn(4, ' ');
    let (address, bytes) = (words.next()?, words.next()?.parse().ok()?);
    let (kind, name) = (words.next()?, words.next()?);
    (!matches!(kind, "b" | "B")).then_some((address, bytes, name))
}

/// The crate of a demangled name: of `<A as B>::f` that of `A`, and of a generic type outside of
/// all crates, such as `&T`, that of `B`.
pub(crate) fn crate_of(name: &str) -> String {
    const C: &str = "C library";
    let mut rest = name;
    loop {
        rest = rest.trim_start_matches(['<', '&', '*', '(', '[', ' ']);
        rest = rest
            .strip_prefix("mut ")
            .or_else(|| rest.strip_prefix("const "))
            .or_else(|| rest.strip_prefix("dyn "))
            .unwrap_or(rest);
        if !rest.starts_with(['<', '&', '*', '(', '[']) {
            break;
        }
    }
    // A closure or a shim of a crate is `core::ops::…<crate::…>`: counted where it is written.
    let end = rest
        .find(|it: char| !it.is_alphanumeric() && it != '_')
        .unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    if name.starts_with('<') && !after.starts_with("::") && !after.starts_with('[') {
        if let Some((_, of)) = name.split_once(" as ") {
            return crate_of(of);
        }
        return "core".to_owned();
    }
    // The newer mangling gives the crate's hash: `tokio[5a3f…]::…`.
    if after.starts_with("::") || after.starts_with('[') {
        match word {
            "core" | "alloc" | "std" => "std".to_owned(),
            other => other.to_owned(),
        }
    } else {
        C.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_belongs_to_the_crate_that_wrote_it() {
        for (name, krate) in [
            ("tokio::runtime::task::raw::poll", "tokio"),
            (
                "<hyper::proto::h1::Conn<I,B,T> as core::fmt::Debug>::fmt",
                "hyper",
            ),
            ("<&mut axum::Router<S> as tower::Service<R>>::call", "axum"),
            ("<&T as core::fmt::Debug>::fmt", "std"),
            ("core::ptr::drop_in_place<tokio::time::Sleep>", "std"),
            ("alloc::vec::Vec<T,A>::push", "std"),
            ("malloc", "C library"),
            ("__libc_start_main", "C library"),
        ] {
            assert_eq!(crate_of(name), krate, "{name}");
        }
    }

    #[test]
    fn a_line_of_nm_has_an_address_a_size_a_kind_and_a_name() {
        assert_eq!(
            symbol("0000000004243216 0000000000000112 t <A as B>::f"),
            Some(("0000000004243216", 112, "<A as B>::f"))
        );
        assert_eq!(symbol("0000000004243216 t without_a_size"), None);
        assert_eq!(symbol("0000000004243216 0000000000000112 b zeroes"), None);
    }

    #[test]
    fn each_binary_has_a_budget() {
        let budgets = record::read(BUDGETS).unwrap();
        for name in ["oneapi", "oneapi compressed", "twoapi", "twoapi compressed"] {
            assert!(budgets.contains_key(name), "{name}");
        }
    }
}
