//! What a query string asks for, as parameters. Every name is known or refused: a typo must not be obeyed
//! in part, in silence.

use std::{borrow::Cow, collections::BTreeMap};

use super::refusal::Refusal;
use crate::text::shown;

/// The parameters by name, each once. What is known may be missing.
///
/// # Errors
/// 400 for a parameter that isn't known or is given twice, and for wrong percent-encoding.
pub fn parameters<'q>(
    query: &'q str,
    known: &[&'static str],
) -> Result<BTreeMap<&'static str, Cow<'q, str>>, Refusal> {
    check_percent_encoding(query)?;
    let mut values = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let Some(known) = known.iter().find(|known| **known == name) else {
            let name = shown(name.as_bytes());
            let allowed = match known {
                [] => "none is allowed".to_owned(),
                _ => format!("allowed: {}", known.join(", ")),
            };
            return Err(Refusal::bad_input(format!(
                "there is no parameter '{name}'; {allowed}"
            )));
        };
        if values.insert(*known, value).is_some() {
            return Err(Refusal::bad_input(format!("{known} is given twice")));
        }
    }
    Ok(values)
}

/// Refuses a query that has any parameter: if it were ignored, it would seem to have been obeyed.
///
/// # Errors
/// 400, as [`parameters`] has it.
pub fn no_parameters(query: &str) -> Result<(), Refusal> {
    parameters(query, &[]).map(drop)
}

/// `form_urlencoded` replaces what it can't decode, and so would change a caller's name.
fn check_percent_encoding(query: &str) -> Result<(), Refusal> {
    let mut decoded = Vec::with_capacity(query.len());
    let mut rest = query.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let encoded = (byte == b'%').then(|| {
            let digits = after
                .get(..2)
                .filter(|d| d.iter().all(u8::is_ascii_hexdigit));
            let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
            digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())
        });
        match encoded {
            None => {
                decoded.push(byte);
                rest = after;
            }
            Some(Some(byte)) => {
                decoded.push(byte);
                rest = &after[2..];
            }
            Some(None) => {
                let sentence = "the query has a '%' without two hexadecimal digits: a percent \
                                sign itself is written as %25";
                return Err(Refusal::bad_input(sentence));
            }
        }
    }
    // Parameters are separated by single bytes: when the whole is UTF-8, each of them is.
    match String::from_utf8(decoded) {
        Ok(_) => Ok(()),
        Err(_) => Err(Refusal::bad_input(
            "the query is not UTF-8 when its percent-encoding is decoded",
        )),
    }
}
