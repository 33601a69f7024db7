//! Compares an output with the one in a document, after what differs from run to run has been
//! replaced on both sides: IPs, hashes, ages, times and the like. What a single output may differ in
//! besides, its rule says.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use snapbox::{Data, Redactions, report};

use crate::document::{Numbers, Rule};

/// In the order in which they are applied: what is longer and more special comes first.
const REDACTIONS: &[(&str, &str)] = &[
    // Times. RFC 3339, as in manifests and logs; RFC 1123, as in `kubectl describe` and HTTP.
    (
        "[TIME]",
        r"\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})",
    ),
    (
        "[TIME]",
        r"\b[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} (?:GMT|[+-]\d{4})",
    ),
    ("[TIME]", r"\b\d{2}:\d{2}:\d{2}(?:\.\d+)?\b"),
    // Identities.
    ("[UID]", r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"),
    ("[ID]", r"\b[0-9a-f]{64}\b"),
    ("[VERSION]", r"\bresourceVersion: (?<redacted>\S+)"),
    // Versions of Kubernetes and of its parts.
    ("[VERSION]", r"\bv1\.\d+\.\d+(?:[-+][-+.\w]*)?"),
    ("[VERSION]", r"\bkube-probe/(?<redacted>1\.\d+)"),
    // Addresses. A port that nobody chose is one above 30,000: a node port, or an ephemeral one.
    (
        "[PORT]",
        r"(?:\d|\]|localhost|[0-9a-f]):(?<redacted>(?:[345]\d{4}|6[0-5]\d{3}))\b",
    ),
    ("[IP]", r"\b\d{1,3}(?:\.\d{1,3}){3}\b"),
    ("[IP]", r"\b[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){7}\b"),
    (
        "[IP]",
        r"\b[0-9a-f]{2,4}(?::[0-9a-f]{1,4}){1,6}::(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4})*)?",
    ),
    (
        "[IP]",
        r"\b[0-9a-f]{2,4}::(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4})*)?",
    ),
    // Names that a controller makes: of a ReplicaSet (the digits of a number, written in
    // [4-9bcdf]), of its pods and of a Job's (five of 27 letters and digits), of an event.
    (
        "[HASH]",
        r"[a-z0-9]-(?<redacted>[4-9bcdf]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5})\b",
    ),
    ("[HASH]", r"[a-z0-9]-(?<redacted>[4-9bcdf]{6,10})\b"),
    (
        "[HASH]",
        r"[a-z0-9]-(?<redacted>[bcdfghjklmnpqrstvwxz2456789]{5})\b",
    ),
    ("[HASH]", r"\bhash[=:] ?(?<redacted>[4-9bcdf]{6,10})\b"),
    ("[HASH]", r"[a-z0-9]\.(?<redacted>[0-9a-f]{16})\b"),
    // Ages: alone in a column, `(13s ago)`, `(x2 over 5s)`.
    (
        "[AGE]",
        r"(?m)(?:^ *|\s{2,})(?<redacted>\d+(?:\.\d+)?(?:ms|[smhdy])(?:\d+[smhd])?)(?:\s{2,}|\s\(|$)",
    ),
    ("[AGE]", r"(?<redacted>\d+[smhdy](?:\d+[smhd])?) ago\b"),
    ("[COUNT]", r"\(x(?<redacted>\d+) over "),
    (
        "[AGE]",
        r"\(x\[COUNT\] over (?<redacted>\d+[smhdy](?:\d+[smhd])?)\)",
    ),
    // How long the kubelet took to pull an image, and the image's size.
    (
        "[TOOK]",
        r#"in (?<redacted>\d+(?:\.\d+)?m?s \(\d+(?:\.\d+)?m?s including waiting\)\. Image size: \d+ bytes)"#,
    ),
    // What the runner calls the nodes.
    ("[NODE]", r"\bnode\d+\b"),
];

static STEPS: LazyLock<Vec<Redactions>> = LazyLock::new(|| {
    // One at a time: within one set, snapbox applies the longest expression first.
    let step = |(placeholder, expression): &(&'static str, &str)| {
        let mut step = Redactions::new();
        let expression = Regex::new(expression).expect("it is tested");
        step.insert(placeholder, expression)
            .expect("it is in brackets");
        step
    };
    REDACTIONS.iter().map(step).collect()
});

static SPACES: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?<text>\S)[ \t]+").expect("it is tested"));
static NUMBER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\d+(?:\.\d+)?").expect("it is tested"));

/// Replaces what differs from run to run, and takes each run of spaces for one: a column is as wide
/// as what is in it. Spaces at the start of a line are kept.
pub fn normalise(text: &str) -> String {
    let redacted = STEPS
        .iter()
        .fold(text.replace('\r', ""), |text, step| step.redact(&text));
    let mut lines: Vec<String> = redacted
        .lines()
        .map(|line| SPACES.replace_all(line, "$text ").trim_end().to_owned())
        .collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.join("\n")
}

/// The differences between the output in a document and the one that was seen; none if they match.
pub fn difference(expected: &str, seen: &str, rule: Rule) -> Option<String> {
    let mut expected = normalise(expected);
    let mut seen = normalise(seen);
    if rule.any_order {
        expected = sorted(&expected);
        seen = sorted(&seen);
    }
    match rule.numbers {
        Numbers::Equal => {}
        Numbers::Within(share) => seen = adopt(&expected, &seen, share),
        Numbers::Vary => {
            expected = NUMBER.replace_all(&expected, "[NUMBER]").into_owned();
            seen = NUMBER.replace_all(&seen, "[NUMBER]").into_owned();
        }
    }
    if expected == seen {
        return None;
    }
    let mut diff = String::new();
    report::write_diff(
        &mut diff,
        &Data::text(expected + "\n"),
        &Data::text(seen + "\n"),
        Some(&"in the document"),
        Some(&"seen"),
        report::Palette::plain(),
    )
    .expect("a String takes all that is written to it");
    Some(diff)
}

/// In the order of the lines without their numbers, which may differ.
fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_by_cached_key(|line| (NUMBER.replace_all(line, "").into_owned(), *line));
    lines.join("\n")
}

/// What was seen, with those of its numbers that are close enough replaced by the expected ones.
fn adopt(expected: &str, seen: &str, share: f64) -> String {
    let mut expected = expected.lines();
    let adopted = seen.lines().map(|seen| {
        let expected = expected.next().unwrap_or_default();
        if NUMBER.replace_all(seen, "#") != NUMBER.replace_all(expected, "#") {
            return seen.to_owned();
        }
        let mut numbers = NUMBER.find_iter(expected);
        let adopted = NUMBER.replace_all(seen, |captures: &Captures<'_>| {
            let seen = &captures[0];
            let expected = numbers.next().map_or(seen, |number| number.as_str());
            let value = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
            let close = (value(seen) - value(expected)).abs() <= share * value(expected);
            if close { expected } else { seen }.to_owned()
        });
        adopted.into_owned()
    });
    adopted.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SEEN_AND_NORMAL: &str = r#"
ip is 10.244.0.12 ⇒ ip is [IP]
10.244.0.0/16 ⇒ [IP]/16
fd00:10:244::5 and fe80::1 and :: ⇒ [IP] and [IP] and ::
dial tcp 10.244.0.15:5999: refused ⇒ dial tcp [IP]:5999: refused
from 10.244.0.1:43210 ⇒ from [IP]:[PORT]
[::]:5000 ⇒ [::]:5000
5001:31234/TCP ⇒ 5001:[PORT]/TCP
at 2026-01-02T03:04:05.678Z. ⇒ at [TIME].
Wed, 25 Nov 2026 13:36:38 +0000 ⇒ [TIME]
date: Fri, 02 Jan 2026 03:04:05 GMT ⇒ date: [TIME]
13:36:38.123 started ⇒ [TIME] started
6f2c1d3e-0a1b-4c5d-8e9f-001122334455 ⇒ [UID]
chesterdeployment-5d79c7596-lgds2 ⇒ chesterdeployment-[HASH]
replicaset.apps/chesterdeployment-5d79c7596 ⇒ replicaset.apps/chesterdeployment-[HASH]
pod-template-hash=5d79c7596 ⇒ pod-template-hash=[HASH]
load-x7k2z ⇒ load-[HASH]
oneapi.18a3f0c2b4d5e6f7 ⇒ oneapi.[HASH]
Restarted (13s ago) ⇒ Restarted ([AGE] ago)
0/1   Error   2 (1m3s ago)   24s ⇒ 0/1 Error 2 ([AGE] ago) [AGE]
  Normal  Pulled  3s (x2 over 5s)  kubelet ⇒   Normal Pulled [AGE] (x[COUNT] over [AGE]) kubelet
3s          Warning   Unhealthy ⇒ [AGE] Warning Unhealthy
a   5s   3s ⇒ a [AGE] [AGE]
v1.35.4 v1.34.1+k3s1 ⇒ [VERSION] [VERSION]
"agent":"kube-probe/1.35" ⇒ "agent":"kube-probe/[VERSION]"
on node1 ⇒ on [NODE]
pulled image "a" in 1.2s (1.3s including waiting). Image size: 1234 bytes. ⇒ pulled image "a" in [TOOK].
resourceVersion: "1234" ⇒ resourceVersion: [VERSION]
"#;

    #[test]
    fn what_differs_from_run_to_run_is_replaced() {
        for case in SEEN_AND_NORMAL.trim_matches('\n').lines() {
            let (seen, normal) = case.split_once(" ⇒ ").unwrap();
            assert_eq!(normalise(seen), normal);
        }
    }

    #[test]
    fn what_a_document_is_about_is_kept() {
        for text in [
            "Liveness: http-get http://:5000/livez delay=0s timeout=1s period=10s",
            "after 3s",
            "took 250 millicores",
            "exit code 137",
            "oneapi 1.0",
            "chesterdeployment chesterservice chester-page",
            "sleep 30",
            "Running 0",
            "a:5000",
        ] {
            assert_eq!(normalise(text), text);
        }
    }

    #[test]
    fn columns_may_be_wider_and_indentation_may_not() {
        let rule = Rule::default();
        assert_eq!(
            difference("NAME   A\nx      y  \n", "NAME A\nx   y\n\n", rule),
            None
        );
        assert!(difference("  a: b\n", "a: b\n", rule).is_some());
    }

    #[test]
    fn a_difference_shows_both_sides() {
        let shown = difference("a\nb\n", "a\nc\n", Rule::default()).unwrap();
        assert!(shown.contains("- b") && shown.contains("+ c"), "{shown}");
    }

    #[test]
    fn lines_in_any_order_match_only_where_that_is_allowed() {
        let any_order = Rule {
            any_order: true,
            ..Rule::default()
        };
        assert_eq!(difference("a\nb\n", "b\na\n", any_order), None);
        assert!(difference("a\nb\n", "b\na\n", Rule::default()).is_some());
        assert!(difference("a\nb\n", "b\nb\n", any_order).is_some());
    }

    #[test]
    fn numbers_may_differ_by_the_share_that_is_allowed_and_by_no_more() {
        let within = Rule {
            numbers: Numbers::Within(0.2),
            ..Rule::default()
        };
        assert_eq!(
            difference("burnt 250 of 1.5\n", "burnt 300 of 1.25\n", within),
            None
        );
        let shown = difference("burnt 250 of 1.5\n", "burnt 301 of 1.25\n", within).unwrap();
        assert!(
            shown.contains("burnt 301 of 1.5"),
            "the close one is no difference: {shown}"
        );
        assert!(difference("burnt 250\n", "used 250\n", within).is_some());
        assert!(difference("a 0\n", "a 1\n", within).is_some());
        let both = Rule {
            any_order: true,
            ..within
        };
        assert_eq!(difference("b 9\na 20\n", "a 19\nb 10\n", both), None);
    }

    #[test]
    fn numbers_that_vary_only_have_to_be_there() {
        let vary = Rule {
            numbers: Numbers::Vary,
            ..Rule::default()
        };
        assert_eq!(difference("1.5 of 3\n", "7 of 123\n", vary), None);
        assert!(difference("1.5 of 3\n", "some of 3\n", vary).is_some());
    }
}
