#!/bin/bash
# What is linked into a service: `linked.sh licenses oneapi` prints its parts, their licences and the texts of
# these, `linked.sh sbom oneapi` the same parts as CycloneDX. The Dockerfile calls it, in the folder where both
# are built, so the crates' sources and Debian's notices are there; `oneapi licenses` prints what it wrote.
# VERSION, COMMIT and FEATURES say what was built, SOURCE_DATE_EPOCH when. docs/architecture.md says why no tool does this.

set -euo pipefail
export LC_ALL=C

kind=${1-} service=${2-}
[[ "$kind $service" =~ ^(licenses|sbom)\ (oneapi|twoapi)$ ]] || {
  sed -n -e 1d -e '/^#/!q' -e 's/^# \{0,1\}//p' "$0" # the first lines, which say how it is used
  [ "$kind" = --help ] || exit 2
  exit 0
}
: "${VERSION:=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)}" "${COMMIT:=unknown}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The crates, `name|version|licence`: those of both programs as they are built together, so that features are
# the same, and then the paragraph of this one. The workspace's own crates stand with a path.
crates() {
  cargo tree --locked -p oneapi -p twoapi --features "${FEATURES:-}" --edges normal,no-proc-macro --prefix none \
    --no-dedupe --format '{p}|{l}' |
    awk -v RS= -v service="$service " 'index($0, service) == 1' | sort -u |
    sed -nE '/ \(/!s/^([^ ]+) v([^|]+)\|(.+)$/\1|\2|\3/p' | sed -E 's, ?/ ?, OR ,g'
}

# What every program of Rust has, and what a static one has of Debian.
rust=$(rustc --version | cut -d ' ' -f 2)
# The same version for each architecture: Debian lets no two be installed together.
libc=libc6-dev:${TARGETARCH:-$(dpkg --print-architecture)}
glibc=$(dpkg-query --show --showformat '${Version}' "$libc")
[ -n "$glibc" ]
gcc=$(gcc -dumpversion)
crates=$(crates)
[ -n "$crates" ]

if [ "$kind" = sbom ]; then
  component() { # NAME VERSION LICENCE [PURL]
    printf '    {"type":"library","name":"%s","version":"%s","licenses":[{"expression":"%s"}]%s}' \
      "$1" "$2" "$3" "${4:+,\"purl\":\"$4\"}"
  }
  cat <<END
{
  "bomFormat": "CycloneDX",
  "specVersion": "1.6",
  "version": 1,
  "metadata": {
    "timestamp": "$(date -u -d "@${SOURCE_DATE_EPOCH:-0}" +%Y-%m-%dT%H:%M:%SZ)",
    "component": {"type":"application","bom-ref":"$service","name":"$service","version":"$VERSION","licenses":[{"expression":"MIT OR Apache-2.0"}],"properties":[{"name":"commit","value":"$COMMIT"}]}
  },
  "components": [
END
  while IFS='|' read -r name version licence; do
    component "$name" "$version" "$licence" "pkg:cargo/$name@$version"
    echo ,
  done <<<"$crates"
  component rust-std "$rust" "MIT OR Apache-2.0"
  echo ,
  component libc6-dev "$glibc" LGPL-2.1-or-later \
    "pkg:deb/debian/libc6-dev@${glibc//+/%2B}?distro=debian-$(cut -d . -f 1 /etc/debian_version)&upstream=glibc"
  echo ,
  component libgcc "$gcc" "GPL-3.0-or-later WITH GCC-exception-3.1"
  printf '\n  ]\n}\n'
  exit
fi

cat <<END
$service $VERSION (commit $COMMIT) is licensed under MIT or Apache-2.0, at your choice.
This is what is linked into it, and under which licences; the texts follow, those that are equal once.

END
row() { printf '%-24s %-24s %s\n' "$@"; }
while IFS='|' read -r name version licence; do row "$name" "$version" "$licence"; done <<<"$crates"
row "Rust's standard library" "$rust" "MIT OR Apache-2.0"
row "GNU C Library" "$glibc" "LGPL-2.1-or-later, and others for parts"
row "GCC's runtime library" "$gcc" "GPL-3.0-or-later WITH GCC-exception-3.1"
cat <<END

The GNU C Library is linked statically. You may change it and link $service with it again: $service is built by the
Dockerfile of its sources, at the commit above, from Debian's package $libc $glibc. The library's sources are
https://snapshot.debian.org/package/glibc/$glibc/. If you pass $service on, pass both on too, or say where they are,
as section 6 of the LGPL has it. GCC's exception puts no condition on what its runtime library is linked into.
END


# The files with texts, `part<TAB>file`.
others='LICENSE-APACHE|LICENSE-Apache|LICENSE-BSD|LICENSE-ZLIB|UNLICENSE|COPYING'
files() {
  local name version licence folder found
  while IFS='|' read -r name version licence; do
    folder=$(echo "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"$name-$version")
    found=$(find "$folder" -type f ! -name '*.rs' -iregex '.*/\(un\)?\(licen[sc]e\|copying\|copyright\|notice\)[^/]*')
    case $name-$version in
      qrcodegen-1.8.0) # the text is the first comment of its source alone
        found=$work/$name
        sed '/\*\//q' "$folder/src/lib.rs" >"$found"
        ;;
    esac
    # Of licences to choose from, MIT's text is the shortest, and is enough.
    [ ! -f "$folder/LICENSE-MIT" ] || found=$(grep -vE "/($others)[^/]*$" <<<"$found")
    # Apache's text names no holder, and is the same everywhere.
    [[ -n $found || $licence != Apache-2.0 ]] || found=/usr/share/common-licenses/Apache-2.0
    [ -n "$found" ] || {
      echo "$name $version comes without the text of its licence: find where it is, and add that to $0." >&2
      return 1
    }
    sort <<<"$found" | sed "s/^/$name $version"$'\t/'
  done <<<"$crates"

  # Notices of the standard library and of the crates in it: each is in a <pre>, below the crate's name.
  if [ -f "$notices" ]; then
    sed -n '/id="in-tree-files"/,/id="out-of-tree/p' "$notices" | sed 's/<[^>]*>//g' | grep '[^ ]' >"$work/library"
    printf "Rust's standard library\t%s\n" "$work/library" "${notices%/*}"/licenses/{MIT,Unicode-3.0}.txt
    awk -v work="$work" -v others="^($others)" '
      /<h3>/ { gsub(/<[^>]*>|^[^<]*<h3>[^ ]* /, ""); crate = $NF }
      /<summary>/ { gsub(/<[^>]*>/, ""); name = $1 }
      # Crates that it has on other systems alone.
      crate ~ /^(windows|r-efi|wasi|wit-|hermit|moto|vex|fortanix)/ { next }
      file && /<\/pre>/ { sub(/<\/pre>.*/, ""); print > file; close(file); file = "" }
      file { print > file }
      /<pre>/ && name !~ others { file = work "/notice" ++n; sub(/.*<pre>/, ""); print > file
        printf "%s in Rust\47s standard library\t%s\n", crate, file }
    ' "$notices"
  fi
  printf 'GNU C Library\t%s\n' /usr/share/doc/libc6-dev/copyright /usr/share/common-licenses/LGPL-2.1
}
notices=$(rustc --print sysroot)/share/doc/rust/COPYRIGHT-library.html
[ -f "$notices" ] || printf '\n%s\n' "The notices of Rust's standard library are in COPYRIGHT-library.html of Rust $rust: this was built without it."

# Texts count as equal if they differ in blanks alone.
files >"$work/files"
awk -F '\t' '
  {
    text = key = ""
    while ((getline line < $2) > 0) {
      gsub(/\r/, "", line); gsub(/&#34;/, "\"", line); gsub(/&#39;/, "\47", line)
      gsub(/&#60;/, "<", line); gsub(/&#62;/, ">", line); gsub(/&#38;/, "\\&", line)
      text = text line "\n"
      gsub(/[ \t]/, "", line)
      key = key line
    }
    close($2)
    if (!(key in parts)) { order[++n] = key; texts[key] = text; parts[key] = $1 }
    else if (index(", " parts[key] ", ", ", " $1 ", ") == 0) parts[key] = parts[key] ", " $1
  }
  END {
    for (i = 1; i <= n; i++) printf "\n%080d\n%s:\n\n%s", 0, parts[order[i]], texts[order[i]]
  }
' "$work/files" | sed 's/^0\{80\}$/--------------------------------------------------------------------------------/'
