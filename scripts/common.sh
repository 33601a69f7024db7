# shellcheck shell=bash
# Sourced by each script of this folder first of all, with its words: what they have in common. `--help` prints
# the comment at the beginning of the script. All of them keep to bash 3.2, since macOS has that.

set -u
LC_ALL=C          # [a-z] depends on the locale
export KUBERC=off # else a user's own defaults change what kubectl does and prints

fail() { # SENTENCE [CODE]
  echo "$1" >&2
  exit "${2:-1}"
}

unusable() { # SENTENCE
  fail "$1 $0 --help says how it is used." 2
}

# Ends the script if it has other words than one of these; an empty one stands for none.
takes() { # 'WORD|WORD…' "$@"
  local words="|$1|"
  shift
  [[ $# -le 1 && $words == *"|${1:-}|"* ]] || unusable "There is no $0 \"$*\"."
}

case ${1:-} in
  -h | --help)
    sed -n -e 1d -e '/^#/!q' -e 's/^# \{0,1\}//p' "$0"
    exit
    ;;
esac
cd "$(dirname "$0")/.." || exit 1

# A part of the name of oneapi's image in the deployment: 1, the registry, or 2, the tag.
written() { sed -n -E "s/^[ -]*image: +([^ ]+)\/oneapi:([^ @]+).*/\\$1/p" k8s/deployment.yaml; }

# What make gives, for whoever calls a script without it.
: "${NAMESPACE=chesterns}" "${REGISTRY=$(written 1)}" "${TAG=$(written 2)}"

kubectl() { command kubectl ${CONTEXT:+--context "$CONTEXT"} "$@"; }

# The last line of an error, which is the one that says what is wrong.
last_line() { printf '%s\n' "$1" | grep . | tail -n 1; }

# The folder that cargo builds into.
built() {
  cargo metadata --locked --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}

# Tries a command ten times a second until it succeeds.
within() { # SECONDS COMMAND…
  local tries=$(($1 * 10))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $((tries -= 1)) -gt 0 ] || return 1
    sleep 0.1
  done
}
