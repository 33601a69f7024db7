//! The folders of this crate import only from those below them, as `lib.rs` has it.

#![allow(clippy::unwrap_used)] // a test may

use std::{fs, path::Path};

/// Each folder, and what it may import from.
const ALLOWED: [(&str, &[&str]); 10] = [
    (
        "app",
        &[
            "http",
            "server",
            "faults",
            "cli",
            "telemetry",
            "lifecycle",
            "config",
            "system",
            "text",
        ],
    ),
    (
        "http",
        &[
            "server",
            "faults",
            "telemetry",
            "lifecycle",
            "config",
            "system",
            "text",
        ],
    ),
    ("server", &["lifecycle", "config", "system"]),
    ("faults", &["lifecycle", "config", "system", "text"]),
    ("cli", &["config", "text"]),
    ("telemetry", &["config", "system", "text"]),
    ("lifecycle", &["config"]),
    ("config", &["text"]),
    ("system", &[]),
    ("text", &[]),
];

#[test]
fn imports_never_run_back_up() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut imports = 0;
    for (folder, allowed) in ALLOWED {
        let mut files = Vec::new();
        collect(&source.join(folder), &mut files);
        collect(&source.join(format!("{folder}.rs")), &mut files);
        assert!(!files.is_empty(), "there is no {folder}");
        for (name, text) in files {
            for other in ALLOWED.map(|(other, _)| other) {
                if other != folder && imports_from(&text, other) {
                    assert!(
                        allowed.contains(&other),
                        "{name} imports from {other}; {folder} may import from {allowed:?}"
                    );
                    imports += 1;
                }
            }
        }
    }
    assert!(imports > 10, "only {imports} imports are seen at all");
}

/// As `crate::other`, or in braces behind `crate::`.
fn imports_from(text: &str, other: &str) -> bool {
    text.contains(&format!("crate::{other}"))
        || text.split("use crate::{").skip(1).any(|group| {
            let group = group.split(';').next().unwrap();
            let starts = |line: &str| line.trim().starts_with(&format!("{other}::"));
            group.lines().any(starts) || group.split(", ").any(starts)
        })
}

/// The path itself, if it is a file, or the files below it.
fn collect(path: &Path, files: &mut Vec<(String, String)>) {
    if let Ok(entries) = fs::read_dir(path) {
        entries.for_each(|entry| collect(&entry.unwrap().path(), files));
    } else if let Ok(text) = fs::read_to_string(path) {
        files.push((path.display().to_string(), text));
    }
}
