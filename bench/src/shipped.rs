//! Builds what is shipped: the release profile, with the flags of `static.toml`, which the images are
//! built with too. Builds the reference with the same flags.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use cluster::{manifest, set};

/// Both together, as in the Dockerfile: what one of them wants of a crate that both have, the other one
/// gets too.
const SERVICES: &str = "--release --bins -p oneapi -p twoapi";

/// A service's binary: the one that its variable names (`ONEAPI`, `TWOAPI`), or else built.
pub fn service(name: &str) -> Result<PathBuf> {
    let variable = name.to_uppercase();
    match set(&variable) {
        Some(path) => fs::canonicalize(&path).with_context(|| format!("{variable}: {path}")),
        None => build(SERVICES, name),
    }
}

/// A bare program.
pub fn bare(name: &str) -> Result<PathBuf> {
    build(&format!("--profile reference -p bench --bin {name}"), name)
}

fn build(what: &str, program: &str) -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["--config", "static.toml", "build", "--quiet", "--locked"]);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    // What the programs say they are doesn't matter here, and would build them anew.
    cargo.args(what.split(' ')).env_remove("COMMIT");
    cargo.current_dir(manifest::path(""));
    cargo.stderr(Stdio::inherit());
    let output = cargo.output().context("cargo can't be started")?;
    ensure!(output.status.success(), "{program} could not be built");
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut built = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    let built = built.find(|path| path.file_name() == Some(OsStr::new(program)));
    built.with_context(|| format!("cargo doesn't say where {program} is"))
}

/// The size of a binary, and of its gzip, in bytes.
pub fn size(program: &Path) -> Result<[u64; 2]> {
    let mut gzip = Command::new("gzip");
    let gzip = gzip.args(["-9", "-c", "-n"]).arg(program).output();
    let gzip = gzip.context("gzip can't be started")?;
    ensure!(gzip.status.success(), "gzip fails");
    Ok([fs::metadata(program)?.len(), gzip.stdout.len() as u64])
}

/// Of each service its binary, and the gzip of it.
pub const SIZES: [&str; 4] = ["oneapi", "oneapi after gzip", "twoapi", "twoapi after gzip"];

/// The sizes of both services, by name.
pub fn sizes() -> Result<Vec<(String, u64)>> {
    let sizes = [size(&service("oneapi")?)?, size(&service("twoapi")?)?].concat();
    Ok(SIZES.map(str::to_owned).into_iter().zip(sizes).collect())
}

/// What a program prints.
pub fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().display().to_string();
    let output = command.output();
    let output = output.with_context(|| format!("{program} can't be started: is it installed?"))?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    ensure!(output.status.success(), "{program} fails: {out}{err}");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_images_are_built_with_the_flags_of_what_is_measured() {
        let dockerfile = fs::read_to_string(manifest::path("Dockerfile")).unwrap();
        let flags = "\nCOPY static.toml .cargo/config.toml\n";
        assert!(dockerfile.contains(flags), "it takes the file");
        assert!(dockerfile.contains(&format!("cargo auditable build --locked {SERVICES}")));
        for word in "crt-static rustflags RUSTFLAGS CARGO_PROFILE strip".split(' ') {
            assert!(!dockerfile.contains(word), "{word} stands elsewhere");
        }
    }
}
