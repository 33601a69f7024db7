# shellcheck shell=bash
# Sourced by the tests that start the services of this machine and ask them with other programs:
# builds both, starts them on ports of their own choice, and ends them with the script.

cargo build -q --locked -p oneapi -p twoapi --features "${FEATURES:-}" || exit 1
built=$(built)/debug

folder=$(mktemp -d)
pids=()
finish() {
  kill "${pids[@]}" 2>/dev/null
  wait "${pids[@]}" 2>/dev/null
  rm -rf "$folder"
}
trap finish EXIT

# Starts a service, and sets `listen` to its address and `pid` to its process.
start() { # SERVICE ENVIRONMENT…
  local service=$1
  shift
  : >"$folder/$service.log" # of one before it, which had another address
  env LOG_FORMAT=json LISTEN=127.0.0.1:0 "$@" "$built/$service" >"$folder/$service.log" &
  pid=$!
  pids+=("$pid")
  within 10 grep -q '"listen":' "$folder/$service.log" || fail "$service doesn't start."
  # shellcheck disable=SC2034 # for the scripts that read this one
  listen=$(sed -n 's/.*"listen":"\([^"]*\)".*/\1/p' "$folder/$service.log")
}
