//! Makes one document of the page's files, in each language: a page in parts, which a browser asks for one by
//! one, would be mixed from two versions during an update. It is compressed here, so that the program has it
//! both ways and compresses nothing while it runs.

use std::{env, fs, num::NonZeroU64, path::PathBuf};

use base64::{Engine, prelude::BASE64_STANDARD};
use lazy_regex::Regex;
use oxc_allocator::Allocator;
use oxc_codegen::{Codegen, CodegenOptions, CommentOptions};
use oxc_mangler::MangleOptions;
use oxc_minifier::{
    CompressOptions, ManglePropertiesOptions, ManglePropertyCache, Minifier, MinifierOptions,
};
use oxc_parser::Parser;
use oxc_semantic::SemanticBuilder;
use oxc_span::SourceType;
use sha2::{Digest, Sha256};
use zopfli::{Format, Options};

fn main() {
    println!("cargo::rerun-if-changed=page");
    let mut policy = Policy::default();
    let mut document = String::new();
    let mut texts = String::new();
    for line in read("index.html").lines().map(str::trim) {
        if let Some(name) = attribute(line, "<link rel=\"stylesheet\" href=\"page/") {
            let style = minifier::css::minify(&read(name))
                .unwrap_or_else(|error| panic!("page/{name}: {error}"))
                .to_string()
                // In a sum, as in `clamp(15px, 0.4vw + 10.5px, 20px)`, spaces have to stay.
                .replace('+', " + ");
            // Nor does the last declaration of a rule need its semicolon.
            let style = style.replace(";}", "}");
            policy.styles.push(hash(&style));
            document += &format!("<style>{style}</style>");
        } else if let Some(name) = attribute(line, "<link rel=\"icon\" href=\"page/") {
            // A URL in quotes needs no more, and other than Base64 it can be compressed.
            let icon = read(name).trim().replace('"', "'").replace('#', "%23");
            document += &format!("<link rel=\"icon\" href=\"data:image/svg+xml,{icon}\">");
        } else if let Some(name) = attribute(line, "<script id=\"texts\" src=\"page/") {
            texts = read(name);
            document += "<script id=\"texts\" type=\"application/json\">{texts}</script>";
        } else if let Some(name) = attribute(line, "<script src=\"page/") {
            let mut modules = Vec::new();
            collect(name, &mut modules);
            let script: String = modules.iter().map(|module| script(module)).collect();
            let script = minified(&script);
            assert!(
                !script.contains("</script") && !script.contains("<!--"),
                "{name} would end its element"
            );
            policy.scripts.push(hash(&script));
            document += &format!("<script type=\"module\">{script}</script>");
        } else {
            document += &shortened(line);
        }
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let mut table = format!("const POLICY: &str = {:?};\n", policy.text());
    let mut add = |name: &str, language: &str, bytes: &[u8]| {
        let (path, hash) = (
            out.join(name),
            BASE64_STANDARD.encode(&Sha256::digest(bytes)[..9]),
        );
        fs::write(&path, bytes).expect("OUT_DIR can be written");
        table += &format!(
            "const {name}: Encoded = Encoded {{ language: {language:?}, etag: \"\\\"{hash}\\\"\", bytes: include_bytes!({path:?}) }};\n"
        );
    };
    let document_in = |place, language| {
        let document = document.replacen("<html lang=en", &format!("<html lang={language}"), 1);
        document.replacen("{texts}", &texts_in(&texts, place), 1)
    };
    let (english, chinese) = (document_in(0, "en"), document_in(1, "zh"));
    add("EN", "en", english.as_bytes());
    add("EN_GZIP", "en", &compressed(&english));
    add("ZH_GZIP", "zh", &compressed(&chinese));
    fs::write(out.join("document.rs"), table).expect("OUT_DIR can be written");
}

fn compressed(document: &str) -> Vec<u8> {
    let mut compressed = Vec::new();
    let options = Options {
        iteration_count: const { NonZeroU64::new(60).unwrap() },
        ..Options::default()
    };
    zopfli::compress(options, Format::Gzip, document.as_bytes(), &mut compressed)
        .expect("into memory");
    compressed
}

/// The hashes of what stands in the document, by which a browser knows that it is the page's own.
/// <https://www.w3.org/TR/CSP3/#framework-directive-source-list>
#[derive(Default)]
struct Policy {
    styles: Vec<String>,
    scripts: Vec<String>,
}

impl Policy {
    /// Whatever isn't in the document comes from this server, and nobody may frame the page.
    fn text(&self) -> String {
        format!(
            "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; img-src 'self' data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            self.scripts.join(" "),
            self.styles.join(" "),
        )
    }
}

fn hash(text: &str) -> String {
    format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)))
}

fn read(name: &str) -> String {
    let text = fs::read_to_string(format!("page/{name}"));
    text.unwrap_or_else(|error| panic!("page/{name} can't be read: {error}"))
}

/// A line of HTML without tags that may be left out, and without the quotes round a single word.
/// <https://html.spec.whatwg.org/multipage/syntax.html#optional-tags>
fn shortened(line: &str) -> String {
    if ["<head>", "</head>", "<body>", "</body>", "</html>"].contains(&line) {
        return String::new();
    }
    let parts = line.split('"').enumerate().map(|(i, part)| {
        let is_word = part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        match i % 2 {
            1 if part.is_empty() || !is_word => format!("\"{part}\""),
            _ => part.replace("</option>", ""),
        }
    });
    parts.collect()
}

/// The rest of an attribute's value, in a line that begins like this.
fn attribute<'a>(line: &'a str, beginning: &str) -> Option<&'a str> {
    line.strip_prefix(beginning)?.split('"').next()
}

/// Properties that neither the server nor the browser knows, nor a test in a browser.
const OWN: &str = "^(current|earlier|failedUntil|forget|heard|item|judged|known|lives|moments|normal|noticed|onAct|over|playing|running|seek|seen|setRate|share|sides|silent|states|steps|story|told|unready|unseen|until)$";

/// The script with short names, and without what means nothing to a browser.
fn minified(script: &str) -> String {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, script, SourceType::mjs()).parse();
    let mut program = parsed.program;
    let checked = SemanticBuilder::new()
        .with_check_syntax_error(true)
        .build(&program);
    let errors: Vec<_> = parsed
        .diagnostics
        .iter()
        .chain(&checked.diagnostics)
        .map(ToString::to_string)
        .collect();
    assert!(
        errors.is_empty(),
        "the page's modules in one scope: {}",
        errors.join("; ")
    );
    let names = MangleOptions {
        top_level: Some(true),
        ..MangleOptions::default()
    };
    let options = MinifierOptions {
        mangle: Some(names),
        compress: Some(CompressOptions::smallest()),
        mangle_properties: Some(ManglePropertiesOptions {
            include: Regex::new(OWN).expect("it is one"),
            exclude: None,
            reserved: Default::default(),
            mangle_quoted: false,
            debug: false,
            cache: ManglePropertyCache::default(),
        }),
    };
    let shorter = Minifier::new(options).minify(&allocator, &mut program);
    let options = CodegenOptions {
        comments: CommentOptions::disabled(),
        ..CodegenOptions::minify()
    };
    Codegen::new()
        .with_options(options)
        .with_scoping(shorter.scoping)
        .with_private_member_mappings(shorter.class_private_mappings)
        .build(&program)
        .code
}

/// Lists a module behind those that it imports, each once. All of them share one scope, so their names at
/// the top level have to differ from one another's.
fn collect(module: &str, modules: &mut Vec<String>) {
    if modules.iter().any(|known| known == module) {
        return;
    }
    for line in read(module).lines() {
        if let Some(imported) = line.strip_prefix("import ") {
            let name = imported.rsplit_once("\"./").expect("a file of the page").1;
            collect(name.trim_end_matches("\";"), modules);
        }
    }
    modules.push(module.to_owned());
}

/// A module's code, without its imports and exports.
fn script(module: &str) -> String {
    let lines = read(module);
    let code = lines.lines().filter(|line| !line.starts_with("import "));
    let code = code.map(|line| line.strip_prefix("export ").unwrap_or(line));
    code.flat_map(|line| [line, "\n"]).collect()
}

/// The texts of a language, as JSON.
fn texts_in(table: &str, place: usize) -> String {
    let lines = table.lines().filter(|line| line.starts_with("  "));
    let entries = lines.map(|line| {
        let entry = line.trim().trim_end_matches("\"],").split_once(": [\"");
        let (key, both) = entry.expect("each text has a line of its own");
        let texts: Vec<&str> = both.split("\", \"").collect();
        assert!(texts.len() == 2 && !both.contains(['\\', '<']), "{line}");
        format!("\"{}\":\"{}\"", key.trim_matches('"'), texts[place])
    });
    format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
}
