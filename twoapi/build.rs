//! Makes one document of the page's files: a page in parts, which a browser asks for one by one, would
//! be mixed from two versions during an update. It is compressed here, so that the program has it both
//! ways and compresses nothing while it runs. Comments and indentation are for those who read the
//! sources: they are left out.

use std::{env, fs, path::PathBuf};

use base64::{Engine, prelude::BASE64_STANDARD};
use zopfli::{Format, Options};

/// The page's own modules, each after those that it imports. Their names at the top level have to
/// differ from one another's.
const MODULES: &[&str] = &[
    "en", "zh", "text", "lanes", "cards", "chart", "story", "stream", "main",
];

fn main() {
    println!("cargo::rerun-if-changed=page");
    let mut policy = Policy::default();
    let mut document = String::new();
    for line in without_comments(&read("index.html")).lines() {
        if let Some(name) = attribute(line, "<link rel=\"stylesheet\" href=\"page/") {
            let style = without_spaces(name, without_comments(&read(name)));
            policy.styles.push(hash(&style));
            document += &format!("<style>{style}</style>\n");
        } else if let Some(name) = attribute(line, "<link rel=\"icon\" href=\"page/") {
            let icon = BASE64_STANDARD.encode(read(name).trim());
            document += &format!("<link rel=\"icon\" href=\"data:image/svg+xml;base64,{icon}\">\n");
        } else if let Some(name) = attribute(line, "<script src=\"page/") {
            assert_eq!(name, "main.js", "the page has one script, of its modules");
            let script: String = MODULES.iter().map(|module| script(module)).collect();
            assert!(
                !script.contains("</script") && !script.contains("<!--"),
                "{name} would end its element"
            );
            policy.scripts.push(hash(&script));
            document += &format!("<script type=\"module\">{script}</script>\n");
        } else {
            document += line;
            document.push('\n');
        }
    }
    let mut compressed = Vec::new();
    zopfli::compress(
        Options::default(),
        Format::Gzip,
        document.as_bytes(),
        &mut compressed,
    )
    .expect("into memory");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let (plain, gzip) = (out.join("index.html"), out.join("index.html.gz"));
    fs::write(&plain, &document).expect("OUT_DIR can be written");
    fs::write(&gzip, compressed).expect("OUT_DIR can be written");
    let hash = fnv1a(document.as_bytes());
    let table = format!(
        "const PLAIN: Encoded = Encoded {{ etag: \"\\\"{hash:016x}\\\"\", bytes: include_bytes!({plain:?}) }};\n\
         const GZIP: Encoded = Encoded {{ etag: \"\\\"{hash:016x}-gzip\\\"\", bytes: include_bytes!({gzip:?}) }};\n\
         const POLICY: &str = {:?};\n",
        policy.text(),
    );
    fs::write(out.join("document.rs"), table).expect("OUT_DIR can be written");
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
            "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; img-src data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            self.scripts.join(" "),
            self.styles.join(" "),
        )
    }
}

fn hash(text: &str) -> String {
    let hash = sha256(text.as_bytes());
    format!("'sha256-{}'", BASE64_STANDARD.encode(hash))
}

fn read(name: &str) -> String {
    let text = fs::read_to_string(format!("page/{name}"));
    text.unwrap_or_else(|error| panic!("page/{name} can't be read: {error}"))
}

/// The rest of an attribute's value, in a line that begins like this.
fn attribute<'a>(line: &'a str, beginning: &str) -> Option<&'a str> {
    line.strip_prefix(beginning)?.split('"').next()
}

/// A module's code, for one script with those that it imports.
fn script(module: &str) -> String {
    let name = format!("{module}.js");
    let default = format!("const {module} = ");
    let mut script = String::new();
    for line in read(&name)
        .lines()
        .filter(|line| !line.starts_with("import "))
    {
        match line.strip_prefix("export default ") {
            Some(rest) => script.extend([default.as_str(), rest]),
            None => script += line.strip_prefix("export ").unwrap_or(line),
        }
        script.push('\n');
    }
    without_spaces(&name, without_comments(&script))
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

/// The SHA-256 hash: what a policy can name. <https://doi.org/10.6028/NIST.FIPS.180-4>
fn sha256(text: &[u8]) -> [u8; 32] {
    let mut message = text.to_vec();
    message.push(0x80);
    while message.len() % 64 != 56 {
        message.push(0);
    }
    message.extend((8 * text.len() as u64).to_be_bytes());
    let mut hash = SQUARE_ROOTS;
    for block in message.chunks_exact(64) {
        let mut words = [0_u32; 64];
        for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
            *word = bytes
                .iter()
                .fold(0, |word, byte| word << 8 | u32::from(*byte));
        }
        for i in 16..64 {
            let (x, y) = (words[i - 15], words[i - 2]);
            let x = x.rotate_right(7) ^ x.rotate_right(18) ^ x >> 3;
            let y = y.rotate_right(17) ^ y.rotate_right(19) ^ y >> 10;
            words[i] = [words[i - 16], x, words[i - 7], y]
                .into_iter()
                .fold(0, u32::wrapping_add);
        }
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = hash;
        for (constant, word) in CUBE_ROOTS.into_iter().zip(words) {
            let turned = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
            let chosen = e & f ^ !e & g;
            let first = [h, turned, chosen, constant, word]
                .into_iter()
                .fold(0, u32::wrapping_add);
            let turned = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
            let most = a & b ^ a & c ^ b & c;
            (h, g, f, e) = (g, f, e, d.wrapping_add(first));
            (d, c, b, a) = (c, b, a, first.wrapping_add(turned).wrapping_add(most));
        }
        for (sum, part) in hash.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *sum = sum.wrapping_add(part);
        }
    }
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.chunks_exact_mut(4).zip(hash) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

/// Of the fractional parts of the square roots of the first primes, the first 32 bits.
const SQUARE_ROOTS: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The same of their cube roots.
const CUBE_ROOTS: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];
