//! Compresses the page's files, so that the program has them both ways and compresses nothing while
//! it runs. Its modules become one file, which is smaller than they are and takes a browser one request.
//! Comments and indentation are for those who read the sources: they are left out.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use zopfli::{Format, Options};

/// The page's own modules, each after those that it imports. Their names at the top level have to
/// differ from one another's.
const MODULES: &[&str] = &["text", "lanes", "cards", "chart", "story", "stream", "main"];

fn main() {
    println!("cargo::rerun-if-changed=page");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let mut files: Vec<PathBuf> = fs::read_dir("page")
        .expect("the folder page is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| content_type(path).is_some())
        .collect();
    files.sort();
    let mut table = String::from("const ASSETS: &[Asset] = &[\n");
    for path in files {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.expect("the page's files have plain names");
        let module = name.strip_suffix(".js").unwrap_or_default();
        let source = if module == "main" {
            MODULES
                .iter()
                .map(|module| without_imports(module))
                .collect()
        } else if MODULES.contains(&module) {
            continue;
        } else {
            fs::read_to_string(&path).expect("the page's files are text")
        };
        // A library comes as its authors made it.
        let text = if name.starts_with("uplot") {
            source
        } else {
            without_spaces(name, without_comments(&source))
        };
        let hash = fnv1a(text.as_bytes());
        let etags = [format!("\"{hash:016x}\""), format!("\"{hash:016x}-gzip\"")];
        let (plain, gzip) = (out.join(name), out.join(format!("{name}.gz")));
        let mut compressed = Vec::new();
        zopfli::compress(
            Options::default(),
            Format::Gzip,
            text.as_bytes(),
            &mut compressed,
        )
        .expect("into memory");
        fs::write(&gzip, compressed).expect("OUT_DIR can be written");
        fs::write(&plain, &text).expect("OUT_DIR can be written");
        let content_type = content_type(&path).expect("others are left out above");
        let encoded = |etag: &str, path: &Path| {
            format!("Encoded {{ etag: {etag:?}, bytes: include_bytes!({path:?}) }}")
        };
        table += &format!(
            "    Asset {{ name: {name:?}, content_type: {content_type:?}, plain: {}, gzip: {} }},\n",
            encoded(&etags[0], &plain),
            encoded(&etags[1], &gzip),
        );
    }
    table += "];\n";
    fs::write(out.join("assets.rs"), table).expect("OUT_DIR can be written");
}

/// A module's code, for one file with those that it imports.
fn without_imports(module: &str) -> String {
    let source = fs::read_to_string(format!("page/{module}.js"));
    let source = source.expect("each module is a file");
    let lines = source.lines().filter(|line| !line.starts_with("import "));
    let lines = lines.map(|line| line.strip_prefix("export ").unwrap_or(line));
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn content_type(path: &Path) -> Option<&'static str> {
    match path.extension()?.to_str()? {
        "html" => Some("text/html; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

/// Leaves out lines that are nothing but comment, types within a line, and indentation. The page's
/// own scripts have no text of several lines in which these would matter.
fn without_comments(source: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for line in source.lines() {
        let line = line.trim();
        let begins = line.starts_with("/*") && !line.contains("*/");
        if inside || begins {
            inside = !line.ends_with("*/");
            continue;
        }
        if !line.is_empty() && !line.starts_with("//") {
            let mut rest = line;
            let before = text.len();
            while let Some((code, comment)) = rest.split_once("/*") {
                text += code;
                let (_, after) = comment.split_once("*/").expect("it ends on its line");
                rest = after.trim_start();
            }
            text += rest;
            if text.len() > before {
                text.push('\n');
            }
        }
    }
    text
}

/// Leaves out the spaces round signs that stand in no text of these files. The files with the texts
/// are left as they are.
fn without_spaces(name: &str, text: String) -> String {
    let signs: &[(&str, &str)] = match name.rsplit_once('.') {
        Some((_, "css")) => &[
            (" { ", "{"),
            (" {", "{"),
            ("; }", "}"),
            ("; ", ";"),
            (": ", ":"),
            (";}", "}"),
            (", ", ","),
            ("\n", ""),
        ],
        Some(("en" | "zh", _)) => &[],
        Some((_, "js")) => &[
            (", ", ","),
            (" => ", "=>"),
            (" = ", "="),
            (" === ", "==="),
            (" !== ", "!=="),
            (" && ", "&&"),
            (" || ", "||"),
            (" ?? ", "??"),
            (" + ", "+"),
            (" += ", "+="),
            (" >= ", ">="),
            (" <= ", "<="),
            ("if (", "if("),
            ("for (", "for("),
            (" < ", "<"),
            (" > ", ">"),
            (" ? ", "?"),
            (" : ", ":"),
            (" * ", "*"),
            ("{ ", "{"),
            (" }", "}"),
            ("; ", ";"),
            (") {", "){"),
            // A line that ends in one of these goes on, or has ended, without its break.
            (";\n", ";"),
            ("{\n", "{"),
            (",\n", ","),
            ("(\n", "("),
        ],
        _ => &[],
    };
    let replace = |text: String, (from, to): &(&str, &str)| text.replace(from, to);
    signs.iter().fold(text, replace)
}

/// The 64-bit FNV-1a hash: it only has to change when the content does.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
