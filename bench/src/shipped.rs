//! Builds what is shipped: the release profile, with the flags of `static.toml`, which the images
//! are built with too. Builds the reference with the same flags.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

/// The top of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where results go.
///
/// # Errors
/// When it can't be made.
pub fn results() -> Result<PathBuf> {
    // This program is target/PROFILE/bench.
    let itself = env::current_exe()?;
    let target = itself.ancestors().nth(2).context("it is in a target")?;
    let folder = target.join("bench");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A service's binary: the one that its variable names (`ONEAPI`, `TWOAPI`), or else built.
///
/// # Errors
/// When there is none, or cargo fails.
pub fn service(name: &str) -> Result<PathBuf> {
    let variable = name.to_uppercase();
    match env::var_os(&variable).filter(|value| !value.is_empty()) {
        Some(path) => {
            fs::canonicalize(&path).with_context(|| format!("{variable}: {}", path.display()))
        }
        None => build(name, name, "release", &[]),
    }
}

/// The same with its symbols, which tell where its code is from. It is always built.
///
/// # Errors
/// When cargo fails.
pub fn with_symbols(name: &str) -> Result<PathBuf> {
    build(name, name, "release", &["-C", "strip=none"])
}

/// A bare program.
///
/// # Errors
/// When cargo fails.
pub fn bare(name: &str) -> Result<PathBuf> {
    build("bench", name, "reference", &[])
}

/// `flags` are for the last step alone, so that the crates of both kinds of build are the same.
fn build(package: &str, program: &str, profile: &str, flags: &[&str]) -> Result<PathBuf> {
    let output = Command::new("cargo")
        .args(["--config", "static.toml", "rustc", "--quiet", "--locked"])
        .args(["--package", package, "--bin", program])
        .args(["--profile", profile])
        .args(["--message-format", "json-render-diagnostics", "--"])
        .args(flags)
        // What the programs say they are doesn't matter here, and would build them anew.
        .env_remove("COMMIT")
        .current_dir(root())
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cargo can't be started")?;
    ensure!(output.status.success(), "{program} could not be built");
    let messages = String::from_utf8_lossy(&output.stdout);
    let built = executable(&messages, program)
        .with_context(|| format!("cargo doesn't say where {program} is"))?;
    // Both kinds of build end in the same file, and the next one replaces it.
    let kind = if flags.is_empty() { "" } else { "-symbols" };
    let kept = results()?.join(format!("{program}{kind}"));
    // A program that still runs keeps its file, which can't be written to.
    match fs::remove_file(&kept) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => fs::copy(&built, &kept),
    }
    .with_context(|| format!("{} can't be written", kept.display()))?;
    Ok(kept)
}

/// The program among cargo's messages, one JSON object a line.
fn executable(messages: &str, program: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .find(|path| path.file_name() == Some(OsStr::new(program)))
}

/// The size of a binary, and of its gzip, in bytes.
///
/// # Errors
/// When it can't be read, or there is no gzip.
pub fn size(program: &Path) -> Result<(u64, u64)> {
    let gzip = Command::new("gzip")
        .args(["-9", "-c", "-n"])
        .arg(program)
        .output()
        .context("gzip can't be started")?;
    ensure!(gzip.status.success(), "gzip fails");
    Ok((fs::metadata(program)?.len(), gzip.stdout.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_images_are_built_with_the_flags_of_what_is_measured() {
        let dockerfile = fs::read_to_string(root().join("Dockerfile")).unwrap();
        assert!(
            dockerfile.contains("\nCOPY static.toml .cargo/config.toml\n"),
            "it takes the file"
        );
        for word in ["crt-static", "rustflags", "RUSTFLAGS", "CARGO_PROFILE"] {
            assert!(!dockerfile.contains(word), "{word} stands elsewhere");
        }
    }

    #[test]
    fn a_built_program_is_found_by_its_name() {
        let messages = r#"{"reason":"compiler-artifact","executable":null}
{"reason":"compiler-artifact","executable":"/target/release/oneapi"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(
            executable(messages, "oneapi"),
            Some(PathBuf::from("/target/release/oneapi"))
        );
        assert_eq!(executable(messages, "twoapi"), None);
    }
}
