#!/bin/bash
# `make run`: builds both services and runs them on this machine, as the containers of one pod do:
# they share its localhost. Says where they are as soon as both answer. Ctrl-C stops both in good
# order, and again at once; when one of them ends by itself, the other is stopped too, exit 1.
#
# Settings in the environment are passed on, all but LISTEN, which can't be the same for both.
# It keeps to what bash 3.2 knows, since macOS has that: no `wait -n`.

set -u
cd "$(dirname "$0")/.." || exit 1

cargo build -p oneapi -p twoapi || exit 1
built=$(cargo metadata --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/debug

stopping= oneapi= twoapi=
stop() {
  stopping=yes
  # shellcheck disable=SC2086 # two words, or none before they run
  [ -z "$oneapi$twoapi" ] || kill -TERM $oneapi $twoapi 2>/dev/null
}
trap stop INT TERM HUP

# Job control puts each service in a process group of its own, where the terminal's Ctrl-C doesn't
# reach it: it gets one signal, from here. A second one would mean "at once".
set -m
"$built/oneapi" --listen '[::]:5000' </dev/null &
oneapi=$!
"$built/twoapi" --listen '[::]:5001' </dev/null &
twoapi=$!
set +m
[ -z "$stopping" ] || stop # told while they were being started

running() {
  kill -0 "$1" 2>/dev/null
}

# In a tenth of a second nobody grows impatient, and 10 looks a second are nothing to a machine.
look_again() {
  sleep 0.1
}

answers() {
  "$built/oneapi" probe "$1" 2>/dev/null
}

shown=
while running "$oneapi" && running "$twoapi"; do
  # Asked from the far end: when this answers, both do. And then once more whether both run, since
  # it may be another program that answered, on a port that one of them could not have.
  if [ -z "$shown$stopping" ] && answers http://localhost:5001/test/calloneapi && answers http://localhost:5000/test; then
    shown=yes
    if running "$oneapi" && running "$twoapi"; then
      echo
      echo "  oneapi  http://localhost:5000/test"
      echo "  twoapi  http://localhost:5001/test/calloneapi"
      echo
      echo "  Ctrl-C stops both."
      echo
    fi
  fi
  look_again
done

# Whoever ended without having been told to is what is wrong.
culprit=
if [ -z "$stopping" ]; then
  running "$oneapi" || culprit="oneapi"
  running "$twoapi" || culprit="${culprit:+$culprit and }twoapi"
  stop
fi
while running "$oneapi" || running "$twoapi"; do look_again; done
wait "$oneapi"
oneapi_code=$?
wait "$twoapi"
twoapi_code=$?

[ -z "$culprit" ] || echo "$culprit ended without having been told to, so both are stopped." >&2
if [ -n "$culprit" ] || [ "$oneapi_code$twoapi_code" != 00 ]; then
  echo "Exit codes: oneapi $oneapi_code, twoapi $twoapi_code." >&2
  exit 1
fi
