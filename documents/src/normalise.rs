//! Compares an output with the one in a document, after what differs from run to run has been
//! replaced on both sides: IPs, hashes, ages, times and the like. What a single output may differ in
//! besides, its rule says.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use snapbox::{Data, Redactions, report};

use crate::document::Rule;

/// Each line is a placeholder, and an expression. The placeholder replaces what the expression finds, or only
/// its group `redacted` if it has one. They are applied in this order, so the more special ones come first.
const REDACTIONS: &str = r#"
# Times. RFC 3339, as in manifests and logs; RFC 1123, as in `kubectl describe` and HTTP.
[TIME] \b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})
[TIME] \b[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} (?:GMT|[+-]\d{4})
[TIME] \b\d{2}:\d{2}:\d{2}(?:\.\d+)?\b

# Identities.
[UID] \b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b
[ID] \b[0-9a-f]{64}\b
[VERSION] \bresourceVersion: (?<redacted>\S+)

# Versions of Kubernetes and of its parts.
[VERSION] \bv1\.\d+\.\d+(?:[-+][-+.\w]*)?
[VERSION] \bkube-probe/(?<redacted>1\.\d+)

# Addresses. A port that nobody chose is one above 30,000: a node port, or an ephemeral one.
[PORT] (?:\d|\]|localhost|[0-9a-f]):(?<redacted>(?:[345]\d{4}|6[0-5]\d{3}))\b
[IP] \b\d{1,3}(?:\.\d{1,3}){3}\b
[IP] \b[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){7}\b
[IP] \b[0-9a-f]{2,4}(?::[0-9a-f]{1,4}){0,6}::(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4})*)?

# Names that a controller makes: of a ReplicaSet (the digits of a number, written in [4-9bcdf]), of its
# pods and of a Job's (five of 27 letters and digits), of an event.
[HASH] [a-z0-9]-(?<redacted>[4-9bcdf]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5})\b
[HASH] [a-z0-9]-(?<redacted>[4-9bcdf]{6,10})\b
[HASH] [a-z0-9]-(?<redacted>[bcdfghjklmnpqrstvwxz2456789]{5})\b
[HASH] \bhash[=:] ?(?<redacted>[4-9bcdf]{6,10})\b
[HASH] [a-z0-9]\.(?<redacted>[0-9a-f]{16})\b

# Ages: alone in a column, `(13s ago)`, `(x2 over 5s)`.
[AGE] (?m)(?:^ *|\s{2,})(?<redacted>\d+(?:\.\d+)?(?:ms|[smhdy])(?:\d+[smhd])?)(?:\s{2,}|\s\(|$)
[AGE] (?<redacted>\d+[smhdy](?:\d+[smhd])?) ago\b
[COUNT] \(x(?<redacted>\d+) over\b
[AGE] \(x\[COUNT\] over (?<redacted>\d+[smhdy](?:\d+[smhd])?)\)

# How long the kubelet took to pull an image, and the image's size.
[TOOK] in (?<redacted>\d+(?:\.\d+)?m?s \(\d+(?:\.\d+)?m?s including waiting\)\. Image size: \d+ bytes)

# What the runner calls the nodes.
[NODE] \bnode\d+\b
"#;

static STEPS: LazyLock<Vec<Redactions>> = LazyLock::new(|| {
    let lines = REDACTIONS.lines().filter(|line| line.starts_with('['));
    // One at a time: within one set, snapbox applies the longest expression first.
    let step = |line: &'static str| {
        let (placeholder, expression) = line.split_once(' ').expect("it has both");
        let expression = Regex::new(expression).expect("it is tested");
        let mut step = Redactions::new();
        step.insert(placeholder, expression)
            .expect("it is in brackets");
        step
    };
    lines.map(step).collect()
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
    if rule.numbers > 0.0 {
        seen = adopt(&expected, &seen, rule.numbers);
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
    if NUMBER.replace_all(seen, "#") != NUMBER.replace_all(expected, "#") {
        return seen.to_owned();
    }
    let mut numbers = NUMBER.find_iter(expected);
    let adopted = NUMBER.replace_all(seen, |captures: &Captures<'_>| {
        let seen = &captures[0];
        let expected = numbers.next().map_or(seen, |number| number.as_str());
        let value = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
        let close = (value(seen) - value(expected)).abs() <= share * value(expected);
        if close || share.is_infinite() {
            expected.to_owned()
        } else {
            seen.to_owned()
        }
    });
    adopted.into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What is seen, and what it is replaced by; without that, it is what a document is about.
    const CASES: &str = r#"
Liveness: http-get http://:5000/livez delay=0s timeout=1s period=10s
after 3s
took 250 millicores
exit code 137
oneapi 1.0
chesterdeployment chesterservice chester-page
sleep 30
Running 0
a:5000
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
        for case in CASES.trim_matches('\n').lines() {
            let (seen, normal) = case.split_once(" ⇒ ").unwrap_or((case, case));
            assert_eq!(normalise(seen), normal);
        }
    }

    #[test]
    fn outputs_match_as_their_rule_says_and_a_difference_shows_both() {
        let rule = |any_order, numbers| Rule { any_order, numbers };
        let exact = Rule::default();
        let close = rule(false, 0.2);
        let vary = rule(false, f64::INFINITY);
        for (rule, expected, seen, matches) in [
            (exact, "NAME   A\nx      y  \n", "NAME A\nx   y\n\n", true),
            (exact, "  a: b\n", "a: b\n", false),
            (exact, "a 1.0", "a 1", false),
            (exact, "a\nb\n", "b\na\n", false),
            (rule(true, 0.0), "a\nb\n", "b\na\n", true),
            (rule(true, 0.0), "a\nb\n", "b\nb\n", false),
            (close, "burnt 250 of 1.5\n", "burnt 300 of 1.25\n", true),
            (close, "burnt 250\n", "burnt 301\n", false),
            (close, "burnt 250\n", "used 250\n", false),
            (close, "a 0\n", "a 1\n", false),
            (rule(true, 0.2), "b 9\na 20\n", "a 19\nb 10\n", true),
            (vary, "1.5 of 0\n", "7 of 123\n", true),
            (vary, "1.5 of 3\n", "some of 3\n", false),
        ] {
            let difference = difference(expected, seen, rule);
            assert_eq!(difference.is_none(), matches, "{seen}: {difference:?}");
        }
        let shown = difference("a 250 of 1.5\n", "a 301 of 1.25\n", close).unwrap();
        assert!(shown.contains("- a 250 of 1.5"), "{shown}");
        assert!(
            shown.contains("+ a 301 of 1.5"),
            "the close one is the same: {shown}"
        );
    }
}
