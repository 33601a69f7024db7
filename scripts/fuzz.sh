#!/bin/bash
# `make fuzz`: feeds each parser with hostile input, as many at once as there are CPUs, and compares what they
# read with what others read. FUZZ_SECONDS says for how long, 60 without it; TARGET chooses one. They begin with the
# inputs in fuzz/corpus; what reaches more code is kept in target/fuzz, and they begin with that too the next time.
# With a SEED they begin with fuzz/corpus alone, and feed nearly the same each time.
# An input that fails is printed, and is kept in fuzz/artifacts.

. "$(dirname "$0")/common.sh"
takes '' "$@"

target=$(built)
TMPDIR=$(mktemp -d)
trap 'rm -rf "$TMPDIR"' EXIT
export target TMPDIR seconds="${FUZZ_SECONDS:-60}" seed="${SEED:-0}" # libFuzzer's 0 stands for any

# Lints what is compiled anyway.
export RUSTC_WORKSPACE_WRAPPER=clippy-driver

# No parser is unsafe, so that a sanitizer would find nothing; without one, stable Rust does. `--dev` is the profile
# that shares macros and build scripts with `make test`, in its folder.
fuzz() { # SUBCOMMAND …
  local subcommand=$1
  shift
  cargo fuzz "$subcommand" --dev --sanitizer none --target-dir "$target" "$@"
}

feed() { # TARGET
  local found=$target/fuzz/$1
  [ "$seed" = 0 ] || found=$TMPDIR/$1
  mkdir -p "$found"
  # An input of 16 kB, as long as headers may be, takes milliseconds. A minute leaves time for all that goes first on a
  # busy machine.
  if fuzz run "$1" "$found" "fuzz/corpus/$1" -- -seed="$seed" \
    -max_total_time="$seconds" -max_len=16384 -timeout=60 -rss_limit_mb=1024 >"$found.log" 2>&1; then
    sed -n "s/^Done \([0-9]*\) runs in \([0-9]*\) .*/$1: \1 inputs in \2 s/p" "$found.log"
  else
    tail -n 40 "$found.log" >&2
    fail "$1 has failed."
  fi
}
export -f fail fuzz feed

fuzz build || exit 1
printf '%s\n' "${TARGET:-$(cargo fuzz list)}" |
  xargs -P "$(getconf _NPROCESSORS_ONLN)" -I '{}' bash -c 'feed {}'
