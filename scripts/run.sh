#!/bin/bash
# `make run`: builds both services and runs them on this machine. They share its localhost, as the
# containers of a pod share theirs. Prints their URLs as soon as both answer. Ctrl-C stops both in
# good order, and a second Ctrl-C at once. When one of them ends by itself, the other is stopped
# too, and the exit code is 1.
#
# ONEAPI_PORT and TWOAPI_PORT are the ports (5000 and 5001), COMMIT is built into both. Settings in
# the environment are passed on, except LISTEN, which can't be the same for both; ONEAPI_URL,
# PODS_PORTS and TRAFFIC_URL follow the ports unless they are set.

. "$(dirname "$0")/common.sh"
takes '' "$@"

oneapi_port=${ONEAPI_PORT:-5000}
twoapi_port=${TWOAPI_PORT:-5001}
[ "$oneapi_port" != "$twoapi_port" ] ||
  fail "ONEAPI_PORT and TWOAPI_PORT are both $oneapi_port: each service needs a port of its own."
for port in "ONEAPI_PORT=$oneapi_port" "TWOAPI_PORT=$twoapi_port"; do
  number=${port#*=}
  [[ $number =~ ^[1-9][0-9]{0,4}$ ]] && [ "$number" -le 65535 ] ||
    fail "${port%%=*} is a port from 1 to 65535, not \"$number\"."
  # Before the build, which may take a minute. Whoever accepts a connection has the port.
  for host in 127.0.0.1 ::1; do
    if (: <"/dev/tcp/$host/$number") 2>/dev/null; then
      fail "Port $number is taken by another program (on macOS, 5000 is often AirPlay Receiver's): end that program, or choose another port, such as make run ${port%%=*}=$((number < 65436 ? number + 100 : number - 100))"
    fi
  done
done
oneapi_url=http://localhost:$oneapi_port/test
twoapi_url=http://localhost:$twoapi_port/test/calloneapi
export PODS_PORTS=${PODS_PORTS:-$oneapi_port,$twoapi_port}
export TRAFFIC_URL=${TRAFFIC_URL:-$twoapi_url}
export ONEAPI_URL=${ONEAPI_URL:-$oneapi_url}

cargo build --locked -p oneapi -p twoapi || exit 1
built=$(built)/debug

stopping='' oneapi='' twoapi=''
stop() {
  stopping=yes
  # shellcheck disable=SC2086 # two words, or none before they run
  [ -z "$oneapi$twoapi" ] || kill -TERM $oneapi $twoapi 2>/dev/null
}
trap stop INT TERM HUP

# Job control puts each service in a process group of its own, where the terminal's Ctrl-C doesn't
# reach it: it gets one signal, from here. A second one would mean "at once".
set -m
"$built/oneapi" --listen "[::]:$oneapi_port" </dev/null &
oneapi=$!
"$built/twoapi" --listen "[::]:$twoapi_port" </dev/null &
twoapi=$!
set +m
[ -z "$stopping" ] || stop # the signal came while they were being started

running() { # PROCESS…: all of them; `kill` alone asks for one
  local process
  for process; do kill -0 "$process" 2>/dev/null || return; done
}

shown=
while running "$oneapi" "$twoapi"; do
  # twoapi asks oneapi for this, so when it answers, both do. Then check again that both run: the
  # answer may be another program's, on a port that one of them could not have.
  if [ -z "$shown$stopping" ] && "$built/oneapi" probe "$twoapi_url" 2>/dev/null &&
    "$built/oneapi" probe "$oneapi_url" 2>/dev/null && running "$oneapi" "$twoapi"; then
    shown=yes
    printf '  %s\n' '' "oneapi  $oneapi_url" "twoapi  $twoapi_url" "page    http://localhost:$twoapi_port/" '' \
      "Ctrl-C stops both." ''
  fi
  sleep 0.1 # too short to be noticed
done

# A service that has ended without a signal is what went wrong.
ended=
if [ -z "$stopping" ]; then
  running "$oneapi" || ended=oneapi
  running "$twoapi" || ended=${ended:+$ended and }twoapi
  stop
  echo "$ended ended by itself, so both are stopped." >&2
fi
while running "$oneapi" || running "$twoapi"; do sleep 0.1; done # `wait` returns at each signal
wait "$oneapi"
codes=$?
wait "$twoapi"
codes="oneapi $codes, twoapi $?"
[ -z "$ended" ] && [ "$codes" = 'oneapi 0, twoapi 0' ] || fail "Exit codes: $codes."
