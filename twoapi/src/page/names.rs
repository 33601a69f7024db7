//! Names of hosts, as settings have them.

use std::net::IpAddr;

/// Whether a text may be the name of a host, without anything around it such as a scheme or a port.
/// Between two dots there is something; a last dot may end the name.
pub(super) fn is_name(text: &str) -> bool {
    let is_of_a_name = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
    let labels = text.strip_suffix('.').unwrap_or(text).split('.');
    text.chars().all(is_of_a_name) && !labels.into_iter().any(str::is_empty)
}

/// One of the pods in `PODS_NAME`.
///
/// # Errors
/// A sentence that says what is allowed.
pub(super) fn name_or_ip(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.parse::<IpAddr>().is_ok() || is_name(name) {
        Ok(name.to_owned())
    } else {
        Err(
            "pods are names and IPs with commas between them, without scheme, port and brackets"
                .to_owned(),
        )
    }
}

/// One of the hosts in `PAGE_HOSTS`. A name that begins with a dot stands for all names below it.
///
/// # Errors
/// A sentence that says what is allowed.
pub(super) fn host_name(text: &str) -> Result<String, String> {
    let name = text.trim().to_ascii_lowercase();
    if is_name(name.strip_prefix('.').unwrap_or(&name)) && !name.ends_with('.') {
        Ok(name)
    } else {
        Err(
            "a host is written as lab.example.com, without scheme and port, \
             or as .example.com for all names below it"
                .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_named_without_scheme_and_port() {
        for (text, name) in [
            ("chesterservice-all", "chesterservice-all"),
            (" a.b.svc.cluster.local ", "a.b.svc.cluster.local"),
            ("a.b.svc.cluster.local.", "a.b.svc.cluster.local."),
            ("10.244.0.7", "10.244.0.7"),
            ("fd00::7", "fd00::7"),
        ] {
            assert_eq!(name_or_ip(text).as_deref(), Ok(name), "{text}");
        }
        for text in [
            "",
            ".",
            "a..b",
            ".a",
            "a:5001",
            "http://a",
            "[fd00::7]",
            "a b",
            "a/b",
            "\u{e9}t\u{e9}",
        ] {
            assert!(name_or_ip(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_listed_host_is_a_name_alone() {
        assert_eq!(host_name(" Lab.example.com"), Ok("lab.example.com".into()));
        assert_eq!(host_name(".example.com"), Ok(".example.com".into()));
        for text in [
            "",
            ".",
            "..",
            "..a",
            "a..b",
            "lab.",
            "http://lab",
            "lab:5001",
            "lab/page",
            "*.example.com",
        ] {
            let why = host_name(text).unwrap_err();
            assert!(why.contains("lab.example.com"), "{text}: {why}");
        }
    }
}
