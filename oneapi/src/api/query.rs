//! What a query string asks for, and the sentence that refuses it. Every name is known or
//! refused: a typo such as `milicores` must not burn a whole core in silence.

use std::{borrow::Cow, fmt, time::Duration};

use chassis::{
    http::{Refusal, parameters},
    text::shown,
};

use crate::burn::{BurnRequest, Caller, Millicores};

/// One core, which is what the tutorial's loop burns.
const DEFAULT_MILLICORES: Millicores = 1000;

/// The most that a burn may ask for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestLimits {
    pub(crate) max_minutes: f64,
    pub(crate) max_millicores: Millicores,
}

/// Reads `minutes=N&millicores=M&force=true&caller=NAME`. Each may be missing; without `minutes` the burn
/// takes no time.
pub(super) fn burn_request(query: &str, limits: RequestLimits) -> Result<BurnRequest, Refusal> {
    let mut values = parameters(query, &["minutes", "millicores", "force", "caller"])?;
    let minutes = match values.remove("minutes") {
        Some(text) => minutes(&text, limits.max_minutes)?,
        None => 0.0,
    };
    Ok(BurnRequest {
        duration: Duration::from_secs_f64(minutes * 60.0),
        millicores: match values.remove("millicores") {
            Some(text) => millicores(&text, limits.max_millicores)?,
            None => DEFAULT_MILLICORES.min(limits.max_millicores),
        },
        force: match values.remove("force").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => return Err(invalid("force", other, format_args!("true or false"))),
        },
        caller: values.remove("caller").map(caller).transpose()?,
    })
}

/// Reads `caller=NAME`, which may be missing.
pub(super) fn only_caller(query: &str) -> Result<Option<Caller>, Refusal> {
    let mut values = parameters(query, &["caller"])?;
    values.remove("caller").map(caller).transpose()
}

fn minutes(text: &str, max: f64) -> Result<f64, Refusal> {
    match text.parse::<f64>() {
        // Rust reads "inf" and "NaN" as numbers too.
        Ok(minutes) if (0.0..=max).contains(&minutes) => Ok(minutes),
        _ => Err(invalid(
            "minutes",
            text,
            format_args!("a number from 0 to {max}, such as 2 or 0.05"),
        )),
    }
}

fn millicores(text: &str, max: Millicores) -> Result<Millicores, Refusal> {
    match text.parse() {
        Ok(millicores) if (1..=max).contains(&millicores) => Ok(millicores),
        _ => Err(invalid(
            "millicores",
            text,
            format_args!("a whole number from 1 to {max}"),
        )),
    }
}

/// An empty name is refused too: a script whose variable is unset must not end everybody's burns.
fn caller(text: Cow<'_, str>) -> Result<Caller, Refusal> {
    let allowed = format_args!("1 to {} printable ASCII characters", Caller::MAX_LENGTH);
    Caller::new(&text).ok_or_else(|| invalid("caller", &text, allowed))
}

fn invalid(name: &str, text: &str, allowed: fmt::Arguments<'_>) -> Refusal {
    let text = shown(text);
    Refusal::bad_input(format!("{name} can't be '{text}': it is {allowed}"))
}

#[cfg(test)]
mod tests {
    use chassis::text::MAX_SHOWN;

    use super::*;

    const LIMITS: RequestLimits = RequestLimits {
        max_minutes: 60.0,
        max_millicores: 2000,
    };

    fn requested(query: &str) -> BurnRequest {
        burn_request(query, LIMITS).unwrap_or_else(|refusal| panic!("{query}: {refusal:?}"))
    }

    #[test]
    fn an_empty_query_asks_for_one_core_for_no_time() {
        assert_eq!(
            requested(""),
            BurnRequest {
                millicores: 1000,
                duration: Duration::ZERO,
                force: false,
                caller: None
            }
        );
    }

    #[test]
    fn decimals_of_a_minute_are_understood() {
        assert_eq!(requested("minutes=0.05").duration, Duration::from_secs(3));
        assert_eq!(
            requested("minutes=60&millicores=2000&force=true&caller=a+b%2Bc"),
            BurnRequest {
                millicores: 2000,
                duration: Duration::from_secs(3600),
                force: true,
                caller: Caller::new("a b+c")
            }
        );
        assert_eq!(
            requested("minutes=%31").duration,
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
                "there is no parameter 'milicores'; allowed: minutes, millicores, force, caller"
                    .into(),
            ),
        ] {
            assert_eq!(
                burn_request(query, LIMITS),
                Err(Refusal::bad_input(said)),
                "{query}"
            );
        }
    }

    #[test]
    fn wrong_percent_encoding_is_refused() {
        let digits = "the query has a '%' without two hexadecimal digits: a percent sign itself \
                      is written as %25";
        let utf8 = "the query is not UTF-8 when its percent-encoding is decoded";
        for (query, said) in [
            ("caller=%", digits),
            ("caller=%4", digits),
            ("caller=%zz", digits),
            ("caller=%+1", digits),
            ("caller=%-1", digits),
            ("%=1", digits),
            ("caller=100%&minutes=1", digits),
            ("caller=%ff", utf8),
            ("caller=%c3&minutes=%a4", utf8),
        ] {
            let refused = Err(Refusal::bad_input(said));
            assert_eq!(burn_request(query, LIMITS), refused, "{query}");
        }
    }

    #[test]
    fn a_callers_name_is_refused_when_it_could_not_be_shown() {
        let allowed = "it is 1 to 64 printable ASCII characters";
        let long = "x".repeat(300);
        for (query, shown) in [
            ("caller=", ""),
            ("caller", ""),
            ("caller=a%0Ab", "a\\nb"),
            ("caller=%00", "\\0"),
            (
                &format!("caller={long}"),
                &format!("{}…", &long[..MAX_SHOWN - 1]),
            ),
        ] {
            let said = format!("caller can't be '{shown}': {allowed}");
            assert_eq!(
                burn_request(query, LIMITS),
                Err(Refusal::bad_input(said.clone())),
                "{query}"
            );
            assert_eq!(only_caller(query), Err(Refusal::bad_input(said)));
        }
        assert_eq!(only_caller(""), Ok(None));
        assert_eq!(only_caller("caller=a"), Ok(Caller::new("a")));
        assert_eq!(
            only_caller("caller=a&minutes=1"),
            Err(Refusal::bad_input(
                "there is no parameter 'minutes'; allowed: caller"
            ))
        );
    }

    #[test]
    fn absurd_input_is_repeated_in_part() {
        let refusal = burn_request(&format!("minutes={}", "9".repeat(5000)), LIMITS);
        let nines = "9".repeat(MAX_SHOWN - 1);
        assert_eq!(
            refusal.unwrap_err().sentence,
            format!("minutes can't be '{nines}…': it is a number from 0 to 60, such as 2 or 0.05")
        );
    }
}
