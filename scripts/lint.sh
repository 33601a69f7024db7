#!/bin/bash
# What `make lint` checks with programs that not everybody has: scripts, the types of the live page's
# scripts, and the dependencies' licences. One that isn't there is told of, and with STRICT=1 an error.

. "$(dirname "$0")/common.sh"
takes '' "$@"
failed=0

check() { # WHAT INSTALL COMMAND…
  local what=$1 install=$2
  shift 2
  if command -v "$1" >/dev/null; then
    "$@" || failed=1
  else
    echo "${1##*/} is not installed: $what are not checked. $install" >&2
    [ -z "${STRICT:-}" ] || failed=1
  fi
}

check "shell scripts" "Debian's package shellcheck has it." \
  shellcheck --severity=warning scripts/*.sh .ci/run findings/*.sh
page=twoapi/tests/page
check "the types of the page's scripts" "'make test-page' installs it." \
  "$page/node_modules/.bin/tsc" -p "$page"
deny="'cargo install --locked cargo-deny' installs it."
check licences "$deny" \
  cargo-deny --locked check --hide-inclusion-graph bans licenses sources
# Where all checkers have to be there, the database of advisories may not be: it comes from GitHub.
[ -n "${STRICT:-}" ] || check advisories "$deny" cargo-deny --locked check advisories
exit "$failed"
