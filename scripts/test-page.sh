#!/bin/bash
# `make test-page`: tests the live page in a real Chromium, against real pairs of two versions on this
# machine's loopback addresses. `scripts/test-page.sh screenshots` makes screenshots instead, with DOCS=1
# those of the documents too; `scripts/test-page.sh endurance MINUTES` tells whether the page's memory
# stays flat. What it needs from npm is installed into the folder of these tests;
# CHROMIUM is the browser.

. "$(dirname "$0")/common.sh"
[ "${1:-}" = endurance ] || takes '|screenshots' "$@"
set -e

export CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
[ -n "$CHROMIUM" ] || fail "Chromium is needed and not installed; CHROMIUM names one that isn't on the PATH."

built=$(built)
for version in 1.1 1.0; do
  VERSION=$version cargo build -q --locked -p oneapi -p twoapi
  mkdir -p "$built/page/$version"
  cp --remove-destination "$built/debug/oneapi" "$built/debug/twoapi" "$built/page/$version/"
done
export PAGE_BINARIES=$built/page

cd twoapi/tests/page
[ node_modules -nt package-lock.json ] || { npm ci --silent --no-audit --no-fund && touch node_modules; }
case ${1:-} in
  screenshots) exec node screenshots.mjs "$built/screenshots" ${DOCS:+"$OLDPWD/docs/images"} ;;
  endurance) exec node endurance.mjs "${2:-30}" ;;
  *) exec node --test --test-concurrency=1 ;;
esac
