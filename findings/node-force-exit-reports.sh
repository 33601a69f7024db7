#!/bin/bash
# node:test: with `--test-force-exit`, tests that have run and passed are now and then left out of the report.
#
# Version:   Node 26.10.0; 20.20.2 does the same
# Expected:  the option ends a process that something keeps alive, once all its tests are over and told.
# Behaviour: each file has a process, which tells its tests through a pipe. The option ends it before all of them are
#            written. So the runner counts fewer tests than the file has, says that all have passed, and exits with
#            0. The more there are, and the busier the machine, the more often. If a test fails that isn't told, the
#            exit code of the process still makes the file fail, but not by the test's name.
# What to do: close what keeps the process alive, and leave the option out; or compare the number of tests.
#
# Seen, in one of the first ten runs, of 3000 tests:
#   run 1, with --test-force-exit: 2929 tests, exit code 0
#   without it, in 1 of 1 runs: 3000 tests, exit code 0
#
# Exits with 1 when this has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >npm.log
npm install --silent --no-audit --no-fund node@26.10.0 >>npm.log
cat >many.test.mjs <<'END'
import { test } from "node:test";
for (let number = 1; number <= 3000; number++) test(`number ${number}`, () => {});
END

# What the runner says, and its exit code.
printed() { # OPTION…
  local code=0
  node_modules/node/bin/node --test --test-reporter=tap "$@" many.test.mjs >output.txt 2>&1 || code=$?
  echo "$(awk '$1 == "#" && $2 == "tests" { print $3 }' output.txt) tests, exit code $code"
}

all=0 fewer=
for run in $(seq 30); do
  [ "$(printed)" != '3000 tests, exit code 0' ] || all=$((all + 1))
  said=$(printed --test-force-exit)
  echo "run $run, with --test-force-exit: $said"
  [ "$said" = '3000 tests, exit code 0' ] || { fewer=$said; break; }
done
echo "without it, in $all of $run runs: 3000 tests, exit code 0"
[ "$all" -eq "$run" ] && [[ $fewer =~ ^[12][0-9]{3}' tests, exit code 0'$ ]]
