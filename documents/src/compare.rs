//! Compares an output with the one in a document. What differs from run to run (IPs, the ends of names, ages,
//! times and the like) has to be there, whichever it is. But what is one IP or one name in the document has to
//! be one in the run, and what are two, two. What a single output may differ in besides, its rule says.

use std::{ops::Range, sync::LazyLock};

use regex::{Regex, escape};

use crate::document::Rule;

/// A line of an output in a document that stands for any number of lines.
const LINES: &str = "...";
/// What stands for anything within a line.
const ANYTHING: &str = "[..]";

/// What differs from run to run: whether it matters which one it is, its shape, and where it stands. The more
/// special ones come first.
const VARIABLE: &str = r"
any | \d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2}) | \b{}
any | [A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} (?:GMT|[+-]\d{4}) | \b{}
any | \d{2}:\d{2}:\d{2}(?:\.\d+)? | \b{}\b

# Identities.
one | [0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12} | \b{}\b
one | [0-9a-f]{64} | \b{}\b
any | \S+ | \bresourceVersion: {}

# Versions of Kubernetes and of its parts.
any | v1\.\d+\.\d+(?:[-+][-+.\w]*)? | \b{}
any | 1\.\d+ | \bkube-probe/{}

# Addresses. A port that nobody chose is one above 30,000: a node port, or an ephemeral one.
any | [345]\d{4}|6[0-5]\d{3} | (?:\d|\]|localhost|[0-9a-f]):{}\b
one | \d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){7}|[0-9a-f]{2,4}(?::[0-9a-f]{1,4}){0,6}::(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4})*)? | \b{}

# Names that a controller makes: of a ReplicaSet (the digits of a number, written in [4-9bcdf]), of its
# Pods and of a Job's (five of 27 letters and digits), of an event.
one | [4-9bcdf]{6,10} | (?:[a-z0-9]-|\bhash[=:] ?){}\b
one | [bcdfghjklmnpqrstvwxz2456789]{5} | [a-z0-9]-{}\b
one | [0-9a-f]{16} | [a-z0-9]\.{}\b

# Ages: alone in a column, `(13s ago)`, `(x2 over 5s)`. A document takes ten minutes at most, and 301m are millicores.
any | \d+(?:\.\d+)?(?:ms|[smhdy])(?:\d+[smhd])? | (?:^ *|\s{2,})(?<it>\dm|\d+m\d+s|\d+(?:\.\d+)?(?:ms|[shdy])(?:\d+[smhd])?)(?:\s{2,}|\s\(|$)
any | \d+[smhdy](?:\d+[smhd])? | \b{} ago\b
any | \d+ | \(x{} over\b
any | \d+[smhdy](?:\d+[smhd])? | \(x\d+ over {}\)

# How long the kubelet took to pull an image, and the image's size.
any | \d+(?:\.\d+)?m?s \(\d+(?:\.\d+)?m?s including waiting\)\. Image size: \d+ bytes | in {}

# What the runner calls the nodes.
any | node\d+ | \b{}\b
";

/// An expression of this program.
pub(crate) fn regex(expression: &str) -> Regex {
    Regex::new(expression).expect("it is tested")
}

/// With the shape as the group `it` of its place.
static KINDS: LazyLock<Vec<(Part, &str, Regex)>> = LazyLock::new(|| {
    let kind = |row: &'static str| {
        let (which, row) = row.split_once(" | ")?;
        let (shape, place) = row.split_once(" | ")?;
        let part = if which == "one" { Part::One } else { Part::Any };
        let place = place.replace("{}", &format!("(?<it>{shape})"));
        Some((part, shape, regex(&place)))
    };
    VARIABLE.lines().filter_map(kind).collect()
});

const A_NUMBER: &str = r"\d+(?:\.\d+)?";
static NUMBER: LazyLock<Regex> = LazyLock::new(|| regex(A_NUMBER));
static SPACES: LazyLock<Regex> = LazyLock::new(|| regex(r"[ \t]+"));

/// What has been called what so far: in the document, and in the run. None: it doesn't matter.
pub type Known = Option<Vec<(String, String)>>;

/// What a part of a line may be in a run.
#[derive(Clone, Copy)]
enum Part {
    Elided,
    Any,
    One,
    Number,
}

/// A line of an output in a document.
struct Line<'a> {
    text: &'a str,
    parts: Vec<(Range<usize>, &'static str, Part)>,
    /// Matches what is seen, with a group for each part.
    regex: Regex,
}

impl<'a> Line<'a> {
    fn new(text: &'a str, rule: Rule) -> Self {
        let mut parts: Vec<(Range<usize>, _, _)> = Vec::new();
        let mut add = |it: Range<usize>, shape, part| {
            let mut others = parts.iter().map(|(range, ..)| range);
            if others.all(|other| other.end <= it.start || it.end <= other.start) {
                parts.push((it, shape, part));
            }
        };
        for (at, _) in text.match_indices(ANYTHING) {
            add(at..at + ANYTHING.len(), ".*?", Part::Elided);
        }
        for (part, shape, place) in KINDS.iter() {
            let mut from = 0;
            // What surrounds one may surround the next one too, so it is looked at again.
            while let Some(captures) = place.captures_at(text, from) {
                let it = captures.name("it").expect("each place has it");
                from = it.end();
                add(it.range(), shape, *part);
            }
        }
        for number in NUMBER.find_iter(text).filter(|_| rule.numbers > 0.0) {
            add(number.range(), A_NUMBER, Part::Number);
        }
        parts.sort_by_key(|(range, ..)| range.start);
        // Spaces at the start are kept. Any others are as many as fit what is in a column.
        let literal = |text: &str| SPACES.replace_all(&escape(text), r"[ \t]+").into_owned();
        let mut end = text.len() - text.trim_start().len();
        let mut expression = format!("^{}", &text[..end]);
        for (range, shape, _) in &parts {
            expression += &format!("{}({shape})", literal(&text[end..range.start.max(end)]));
            end = range.end;
        }
        let regex = regex(&format!("{expression}{}$", literal(&text[end..])));
        Self { text, parts, regex }
    }

    /// What was seen, elided as this line, and what is known then. Otherwise, what is wrong with it.
    fn matches(&self, seen: &str, rule: Rule, known: &Known) -> Result<(String, Known), String> {
        let captures = self.regex.captures(seen).ok_or_else(String::new)?;
        let (mut elided, mut end) = (String::new(), 0);
        let mut known = known.clone();
        for ((range, _, part), group) in self.parts.iter().zip(captures.iter().skip(1).flatten()) {
            let (expected, found) = (&self.text[range.clone()], group.as_str());
            match (part, &mut known) {
                (Part::Elided, _) => {
                    elided = elided + &seen[end..group.start()] + ANYTHING;
                    end = group.end();
                }
                (Part::Number, _) => {
                    let [expected, number] =
                        [expected, found].map(|it| it.parse().unwrap_or(f64::NAN));
                    if (number - expected).abs() > rule.numbers * expected {
                        return Err(format!("{found} is too far from {expected}."));
                    }
                }
                (Part::One, Some(known)) => {
                    if let Some((a, b)) =
                        known.iter().find(|(a, b)| (a == expected) != (b == found))
                    {
                        let before = format!("{b} was in place of {a}");
                        return Err(format!("{found} is in place of {expected}, and {before}."));
                    }
                    known.push((expected.to_owned(), found.to_owned()));
                }
                _ => {}
            }
        }
        Ok((elided + &seen[end..], known))
    }
}

/// What was wrong when most had been matched, and how many lines of the document were left then.
struct Wrong(usize, String);

impl Wrong {
    fn note(&mut self, expected: &[Line<'_>], seen: Option<&(usize, &str)>, why: &str) {
        if expected.len() < self.0 {
            let line = expected.first().map_or("the end", |it| it.text);
            let seen = seen.map_or("the end", |it| it.1);
            *self = Self(expected.len(), format!("- {line}\n+ {seen}\n{why}"));
        }
    }
}

/// The lines that were seen, by their index, elided as those of the document, last first; and what is known then.
fn matched(
    expected: &[Line<'_>],
    seen: &[(usize, &str)],
    rule: Rule,
    known: &Known,
    wrong: &mut Wrong,
) -> Option<(Vec<(usize, String)>, Known)> {
    let Some((first, rest)) = expected.split_first() else {
        wrong.note(expected, seen.first(), "");
        return seen.is_empty().then(|| (Vec::new(), known.clone()));
    };
    let next = |line, seen: &[_], known: &Known, wrong: &mut Wrong| {
        let (mut lines, known) = matched(rest, seen, rule, known, wrong)?;
        lines.push(line);
        Some((lines, known))
    };
    if first.text == LINES {
        let line = (usize::MAX, LINES.to_owned());
        return (0..=seen.len()).find_map(|at| next(line.clone(), &seen[at..], known, wrong));
    }
    if seen.is_empty() {
        wrong.note(expected, None, "");
    }
    let tries = seen.len().min(if rule.any_order { usize::MAX } else { 1 });
    (0..tries).find_map(|at| match first.matches(seen[at].1, rule, known) {
        Ok((line, known)) => {
            let rest = [&seen[..at], &seen[at + 1..]].concat();
            next((seen[at].0, line), &rest, &known, wrong)
        }
        Err(why) => {
            wrong.note(expected, seen.get(at), &why);
            None
        }
    })
}

/// The output that was seen, elided as the one in a document is, or else how it differs.
pub fn compare(
    expected: &str,
    seen: &str,
    rule: Rule,
    known: &mut Known,
) -> Result<String, String> {
    let lines = expected
        .trim_end()
        .lines()
        .map(|line| Line::new(line.trim_end(), rule));
    let seen = seen.replace('\r', "");
    let seen: Vec<_> = seen
        .trim_end()
        .lines()
        .map(str::trim_end)
        .enumerate()
        .collect();
    let mut wrong = Wrong(usize::MAX, String::new());
    let vary = rule.numbers.is_infinite();
    let before = if vary { &None } else { &*known };
    match matched(&lines.collect::<Vec<_>>(), &seen, rule, before, &mut wrong) {
        Some((mut lines, now)) => {
            lines.reverse();
            if rule.any_order {
                lines.sort();
            }
            if !vary {
                *known = now;
            }
            let lines: Vec<_> = lines.into_iter().map(|(_, line)| line).collect();
            Ok(lines.join("\n"))
        }
        None => Err(wrong.1),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The rule, if any; what a document has, and what matches it (`=`), or doesn't (`≠`). `⏎` ends a line.
    const CASES: &str = r#"
after 3s ≠ after 4s
took 250 millicores ≠ took 251 millicores
oneapi 1.0 ≠ oneapi 1.1
chesterdeployment chesterservice chester-page ≠ chesterdeployment chesterservice chester-pages
sleep 30 ≠ sleep 31
Running 0 ≠ Running 1
ip is 10.244.0.12 = ip is fd00:10:244::5
ip is 10.244.0.12 ≠ ip is <none>
10.244.0.0/16 ≠ 10.244.0.0/24
fd00:10:244::5 and fe80::1 and :: = 10.244.0.12 and 10.244.0.13 and ::
dial tcp 10.244.0.15:5999: refused ≠ dial tcp 10.244.0.15:5998: refused
from 10.244.0.1:43210 = from fd00::1:54321
[::]:5000 ≠ [::]:5001
5001:31234/TCP = 5001:30987/TCP
at 2026-01-02T03:04:05.678Z. = at 2027-01-02T03:04:05Z.
Wed, 25 Nov 2026 13:36:38 +0000 = Fri, 02 Jan 2026 03:04:05 GMT
13:36:38.123 started = 01:02:03 started
6f2c1d3e-0a1b-4c5d-8e9f-001122334455 = 7f2c1d3e-0a1b-4c5d-8e9f-001122334455
chesterdeployment-5d79c7596-lgds2 = chesterdeployment-76d99fd7f-b94sd
chesterdeployment-5d79c7596-lgds2 ≠ chesterdeployment-76d99fd7f-begin
replicaset.apps/chesterdeployment-5d79c7596 = replicaset.apps/chesterdeployment-76d99fd7f
pod-template-hash=5d79c7596 = pod-template-hash=76d99fd7f
oneapi.18a3f0c2b4d5e6f7 = oneapi.28a3f0c2b4d5e6f7
Restarted (13s ago) = Restarted (1m3s ago)
0/1   Error   2 (1m3s ago)   24s = 0/1     Error   2 (3s ago)   5m
0/1   Error   2 (1m3s ago)   24s ≠ 0/1     Error   1 (3s ago)   5m
  Normal  Pulled  3s (x2 over 5s)  kubelet =   Normal  Pulled  13s (x20 over 1m5s)  kubelet
3s          Warning   Unhealthy = 13s         Warning   Unhealthy
a   5s   3s = a   15s   400ms
a   2m5s = a   12m
a   301m   4Mi ≠ a   500m   4Mi
v1.35.4 v1.34.1+k3s1 = v1.36.0 v1.36.0-rc.1
"agent":"kube-probe/1.35" = "agent":"kube-probe/1.36"
on node1 = on node3
image "a" in 1.2s (1.3s including waiting). Image size: 1234 bytes. = image "a" in 22ms (22ms including waiting). Image size: 99 bytes.
resourceVersion: "1234" = resourceVersion: "99"
a⏎...⏎d = a⏎b⏎c⏎d
a⏎...⏎d = a⏎d
a⏎...⏎d ≠ a⏎b
...⏎b⏎... = a⏎a⏎b
{"id":[..],"left":3} = {"id":7,"more":[],"left":3}
{"id":[..],"left":3} ≠ {"id":7,"left":4}
10.0.0.1⏎10.0.0.2⏎10.0.0.1 = 10.9.9.9⏎10.9.9.8⏎10.9.9.9
10.0.0.1⏎10.0.0.2⏎10.0.0.1 ≠ 10.9.9.9⏎10.9.9.8⏎10.9.9.8
10.0.0.1⏎10.0.0.2 ≠ 10.9.9.9⏎10.9.9.9
a-76d99fd7f-b94sd⏎a-76d99fd7f-bn525 ≠ a-76d99fd7f-b94sd⏎a-5d79c7596-bn525
NAME   A⏎x      y   = NAME A⏎x   y⏎
  a: b ≠ a: b
a ≠ a⏎b
a⏎b ≠ a
a⏎b ≠ b⏎a
order: a⏎b = b⏎a
order: a⏎b ≠ b⏎b
order: a⏎... = b⏎a⏎c
close: burnt 250 of 1.5 = burnt 300 of 1.25
close: burnt 250 ≠ burnt 301
close: burnt 250 ≠ used 250
close: a 0 ≠ a 1
close order: b 9⏎a 20 = a 19⏎b 10
vary: 1.5 of 0 = 7 of 123
vary: 1.5 of 3 ≠ some of 3
vary: 10.0.0.1⏎10.0.0.1 = 10.9.9.9⏎10.9.9.8
"#;

    fn rule(words: &str) -> Rule {
        Rule {
            any_order: words.contains("order"),
            numbers: match words {
                _ if words.contains("close") => 0.2,
                "vary" => f64::INFINITY,
                _ => 0.0,
            },
        }
    }

    #[test]
    fn what_differs_from_run_to_run_may_differ_and_what_is_the_same_stays_it() {
        let words = Regex::new("^((?:close|order|vary| )+): ").unwrap();
        for case in CASES.trim_matches('\n').lines() {
            let rule = rule(words.captures(case).map_or("", |it| it.extract::<1>().1[0]));
            let text = words.replace(case, "").replace('⏎', "\n");
            let (parts, matches) = match text.split_once(" = ") {
                Some(parts) => (parts, true),
                None => (text.split_once(" ≠ ").unwrap(), false),
            };
            let compared = compare(parts.0, parts.1, rule, &mut Some(Vec::new()));
            assert_eq!(compared.is_ok(), matches, "{case}: {compared:?}");
        }
    }

    #[test]
    fn what_was_one_in_an_earlier_output_is_one_in_a_later_one_and_a_difference_shows_both() {
        let mut known = Some(Vec::new());
        let mut compare = |expected, seen| compare(expected, seen, rule("close order"), &mut known);
        assert!(compare("a 10.0.0.1\nb 10.0.0.2", "a 10.9.9.9\nb 10.9.9.8").is_ok());
        assert!(compare("10.0.0.1\n10.0.0.2", "10.9.9.8\n10.9.9.9").is_ok());
        assert!(compare("10.0.0.3\na", "10.9.9.7\nb").is_err());
        assert!(
            compare("10.0.0.3", "10.9.9.6").is_ok(),
            "what fails leaves nothing"
        );
        let why = compare("ip is 10.0.0.1", "ip is 10.9.9.8").unwrap_err();
        let both = "- ip is 10.0.0.1\n+ ip is 10.9.9.8\n";
        let before = "10.9.9.8 is in place of 10.0.0.1, and 10.9.9.9 was in place of 10.0.0.1.";
        assert_eq!(why, both.to_owned() + before);
        let why = compare("a\na 250 of 1.5\n", "a\na 301 of 1.25\n").unwrap_err();
        assert_eq!(
            why,
            "- a 250 of 1.5\n+ a 301 of 1.25\n301 is too far from 250."
        );
    }

    #[test]
    fn what_was_seen_is_elided_as_in_the_document() {
        let expected = "NAME  AGE\n...\nx-76d99fd7f-b94sd   [..]   3s\n...\n";
        let seen = "NAME                AGE\na   b   1s\nx-5d79c7596-lgds2   c d   12s\nmore\n";
        let written = compare(expected, seen, Rule::default(), &mut None).unwrap();
        let elided = "NAME                AGE\n...\nx-5d79c7596-lgds2   [..]   12s\n...";
        assert_eq!(written, elided);
        let compared = compare(
            "a 1\nb\na 2\n...\n",
            "d\na 2\na 1\nb",
            rule("order"),
            &mut None,
        );
        assert_eq!(
            compared.unwrap(),
            "a 2\na 1\nb\n...",
            "in the order of the run"
        );
    }
}
