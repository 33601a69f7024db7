#!/bin/bash
# `make test-grpc`: real gRPC clients ask oneapi for its health. grpc_health_probe, which is what images
# used before Kubernetes had gRPC probes, asks Check; grpcurl asks Watch. Both are built by Go into
# target/tools the first time.

. "$(dirname "$0")/common.sh"
takes '' "$@"

export GOBIN=$PWD/target/tools
[ -x "$GOBIN/grpc-health-probe" ] || go install github.com/grpc-ecosystem/grpc-health-probe@v0.4.61 || exit 1
[ -x "$GOBIN/grpcurl" ] || go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3 || exit 1
. scripts/test-services.sh

start oneapi FAULTS=true
oneapi=$pid

# What grpc_health_probe exits with: 0 serving, 3 the call failed, 4 not serving.
check() { # SERVICE CODE OUTPUT
  local output code=0
  output=$("$GOBIN/grpc-health-probe" -addr "$listen" -service "$1" -rpc-timeout 2s 2>&1) || code=$?
  [[ $code = "$2" && $output == *"$3"* ]] || fail "Check of '$1' ends with $code and not with $2 and $3: $output"
}

switch() { # METHOD SWITCH
  curl -sf -X "$1" "http://$listen/faults$2" >/dev/null || fail "There is no $1 of the switch '$2'."
}

for service in '' readiness liveness startup; do
  check "$service" 0 'status: SERVING'
done
check nothing 3 NotFound

switch PUT '/readiness?mode=fail&for=ever'
check '' 4 NOT_SERVING
check liveness 0 'status: SERVING'
switch PUT '/liveness?hang=1m&for=ever'
check liveness 3 'did not complete within 2s'
switch PUT '/liveness?reset&for=ever'
check liveness 3 'connection reset by peer'
switch DELETE ''
check liveness 0 'status: SERVING'

# What it is, grpcurl finds out by reflection: it has no file that says so.
said() { # OUTPUT ARGUMENT…
  local expected=$1 output
  shift
  output=$("$GOBIN/grpcurl" -plaintext "$@" 2>&1)
  [[ $output == *"$expected"* ]] || fail "grpcurl $* says: $output"
}
said grpc.health.v1.Health "$listen" list
said 'rpc Check ( .grpc.health.v1.HealthCheckRequest ) returns ( .grpc.health.v1.HealthCheckResponse );' "$listen" describe
said 'rpc Watch ( .grpc.health.v1.HealthCheckRequest ) returns ( stream .grpc.health.v1.HealthCheckResponse );' "$listen" describe
said 'SERVICE_UNKNOWN = 3;' "$listen" describe grpc.health.v1.HealthCheckResponse
said 'Symbol not found: nothing' "$listen" describe nothing
said '"status": "SERVING"' -d '{"service":"liveness"}' "$listen" grpc.health.v1.Health/Check

"$GOBIN/grpcurl" -plaintext -d '{"service":"readiness"}' "$listen" grpc.health.v1.Health/Watch >"$folder/watch" 2>&1 &
watch=$!
pids+=("$watch")
told() { [ "$(grep -o '[A-Z_]*SERVING' "$folder/watch" | tr '\n' ' ')" = "$1" ]; }
watched() { within 10 told "$1 " || fail "Watch says: $(cat "$folder/watch")"; } # LIST
watched SERVING
switch PUT '/readiness?mode=fail&for=ever'
watched 'SERVING NOT_SERVING'
switch DELETE /readiness
watched 'SERVING NOT_SERVING SERVING'

kill -TERM "$oneapi"
wait "$oneapi" || fail "oneapi exits with $? while it is watched."
wait "$watch"
watched 'SERVING NOT_SERVING SERVING NOT_SERVING'
grep -q 'Code: Unavailable' "$folder/watch" || fail "Watch ends with: $(cat "$folder/watch")"

echo 'grpc_health_probe and grpcurl see what the probes see.'
