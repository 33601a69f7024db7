#!/bin/bash
# minifier: `css::minify` takes spaces away without which a sum in CSS is none.
#
# Version:   minifier 0.3.6
# Expected:  a minified style sheet means what the style sheet meant.
# Behaviour: the spaces round the plus in `clamp(15px, 0.4vw + 10.5px, 20px)` are taken away. CSS has it that a plus
#            or a minus in a sum stands between spaces: `0.4vw+10.5px` is two values side by side, so a browser
#            leaves the whole declaration out, a `font` with its family too. Nothing says so: `minify` returns Ok,
#            and a declaration that is left out is no error in a browser's console. In `calc(…)` the spaces
#            stay, so that a style sheet with `calc` alone shows nothing of this.
# What to do: put the spaces back, or write the sum as `calc(0.4vw + 10.5px)` inside of `clamp`; and compare the
#            rules that a browser has read (`cssText` of `document.styleSheets`) with those of the source.
#
# Seen:
#   clamp(15px,0.4vw+10.5px,20px)
#   min(0.4vw+10.5px,20px)
#   calc(0.4vw + 10.5px)
#
# Exits with 1 when this has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'MANIFEST'
[package]
name = "shown"
version = "0.0.0"
edition = "2021"

[dependencies]
minifier = { version = "=0.3.6", default-features = false }
MANIFEST
cat >src/main.rs <<'PROGRAM'
fn main() {
    for size in [
        "clamp(15px, 0.4vw + 10.5px, 20px)",
        "min(0.4vw + 10.5px, 20px)",
        "calc(0.4vw + 10.5px)",
    ] {
        let sheet = format!("p {{ width: {size}; }}");
        let minified = minifier::css::minify(&sheet).expect("it is valid CSS").to_string();
        let value = minified.split(':').nth(1).unwrap_or_default();
        println!("{}", value.trim_end_matches(['}', ';']));
    }
}
PROGRAM
seen=$(cargo run -q)
echo "$seen"
[ "$seen" = "clamp(15px,0.4vw+10.5px,20px)
min(0.4vw+10.5px,20px)
calc(0.4vw + 10.5px)" ]
