//! What a query string asks for, and the sentence that refuses it. Every name is known or
//! refused: a typo such as `milicores` must not burn a whole core in silence.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use chassis::http::Refusal;

use crate::burn::{Ask, Millicores};

/// What the tutorial's loop burns: one core.
const MILLICORES: Millicores = 1000;

/// The most that may be asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) minutes: f64,
    pub(crate) millicores: Millicores,
}

/// Reads `minutes=N&millicores=M&force=true`; all may be missing, `minutes` then being 0.
pub(crate) fn ask(query: &str, most: Bounds) -> Result<Ask, Refusal> {
    let mut values = values(query, &["minutes", "millicores", "force"])?;
    let minutes = match values.remove("minutes") {
        Some(text) => minutes(&text, most.minutes)?,
        None => 0.0,
    };
    Ok(Ask {
        duration: Duration::from_secs_f64(minutes * 60.0),
        millicores: match values.remove("millicores") {
            Some(text) => millicores(&text, most.millicores)?,
            None => MILLICORES.min(most.millicores),
        },
        force: match values.remove("force").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => return Err(wrong("force", other, "true or false")),
        },
    })
}

/// The parameters by name, each once.
fn values<'q>(
    query: &'q str,
    known: &[&'static str],
) -> Result<BTreeMap<&'static str, Cow<'q, str>>, Refusal> {
    let mut values = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let Some(known) = known.iter().find(|known| **known == name) else {
            let known = known.join(", ");
            return Err(Refusal::bad_input(format!(
                "there is no parameter '{name}': there are {known}"
            )));
        };
        if values.insert(*known, value).is_some() {
            return Err(Refusal::bad_input(format!("{name} is given twice")));
        }
    }
    Ok(values)
}

fn minutes(text: &str, most: f64) -> Result<f64, Refusal> {
    match text.parse::<f64>() {
        // Rust reads "inf" and "NaN" as numbers too.
        Ok(minutes) if (0.0..=most).contains(&minutes) => Ok(minutes),
        _ => Err(wrong(
            "minutes",
            text,
            format_args!("a number from 0 to {most}, such as 2 or 0.05"),
        )),
    }
}

fn millicores(text: &str, most: Millicores) -> Result<Millicores, Refusal> {
    match text.parse() {
        Ok(millicores) if (1..=most).contains(&millicores) => Ok(millicores),
        _ => Err(wrong(
            "millicores",
            text,
            format_args!("a whole number from 1 to {most}"),
        )),
    }
}

fn wrong(name: &str, text: &str, allowed: impl std::fmt::Display) -> Refusal {
    Refusal::bad_input(format!("{name} can't be '{text}': it is {allowed}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Bounds = Bounds {
        minutes: 60.0,
        millicores: 2000,
    };

    fn asked(query: &str) -> Ask {
        ask(query, MOST).unwrap_or_else(|refusal| panic!("{query}: {refusal:?}"))
    }

    #[test]
    fn nothing_asked_is_one_core_for_no_time() {
        assert_eq!(
            asked(""),
            Ask {
                millicores: 1000,
                duration: Duration::ZERO,
                force: false
            }
        );
    }

    #[test]
    fn decimals_of_a_minute_are_understood() {
        assert_eq!(asked("minutes=0.05").duration, Duration::from_secs(3));
        assert_eq!(
            asked("minutes=60&millicores=2000&force=true"),
            Ask {
                millicores: 2000,
                duration: Duration::from_secs(3600),
                force: true
            }
        );
        assert_eq!(
            asked("minutes=%31").duration,
            Duration::from_secs(60),
            "percent-encoded"
        );
    }

    #[test]
    fn every_refusal_names_the_field_and_what_is_allowed() {
        let minutes = "it is a number from 0 to 60, such as 2 or 0.05";
        let millicores = "it is a whole number from 1 to 2000";
        for (query, said) in [
            ("minutes=x", format!("minutes can't be 'x': {minutes}")),
            ("minutes=", format!("minutes can't be '': {minutes}")),
            ("minutes=-1", format!("minutes can't be '-1': {minutes}")),
            ("minutes=inf", format!("minutes can't be 'inf': {minutes}")),
            ("minutes=NaN", format!("minutes can't be 'NaN': {minutes}")),
            (
                "minutes=60.1",
                format!("minutes can't be '60.1': {minutes}"),
            ),
            (
                "minutes=1e999",
                format!("minutes can't be '1e999': {minutes}"),
            ),
            ("minutes=1&minutes=1", "minutes is given twice".into()),
            (
                "millicores=0",
                format!("millicores can't be '0': {millicores}"),
            ),
            (
                "millicores=-5",
                format!("millicores can't be '-5': {millicores}"),
            ),
            (
                "millicores=1.5",
                format!("millicores can't be '1.5': {millicores}"),
            ),
            (
                "millicores=2001",
                format!("millicores can't be '2001': {millicores}"),
            ),
            (
                "force=yes",
                "force can't be 'yes': it is true or false".into(),
            ),
            (
                "milicores=5",
                "there is no parameter 'milicores': there are minutes, millicores, force".into(),
            ),
        ] {
            assert_eq!(ask(query, MOST), Err(Refusal::bad_input(said)), "{query}");
        }
    }
}
