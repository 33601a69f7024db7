#!/bin/bash
# `make test-sandbox`: runs both services in a sandbox of gVisor, as a Pod with a RuntimeClass has them: two
# containers of one static file each, read-only and with a numeric user, behind the sandbox's own network. Checks
# what docs/sandboxes.md says: that they start, answer, burn, stop and crash, and what is different there.
#
# ONEAPI and TWOAPI are static binaries to test, such as those of images, else they are built. It needs Linux,
# root, iproute2 and Go, which builds runsc into target/tools the first time.

. "$(dirname "$0")/common.sh"
takes '' "$@"
[[ $(uname -s) = Linux && $(id -u) = 0 ]] || fail "A sandbox has a network namespace and a cgroup: this needs Linux and root."

export GOBIN=$PWD/target/tools
# Of gVisor's branch `go`, which has no tags.
[ -x "$GOBIN/runsc" ] || CGO_ENABLED=0 go install gvisor.dev/gvisor/runsc@v0.0.0-20260905035102-160fafc42237 || exit 1
if [ -z "${ONEAPI:-}" ] || [ -z "${TWOAPI:-}" ]; then
  cargo --config static.toml build -q --locked -p oneapi -p twoapi || exit 1
  built=$(built)/$(rustc -vV | sed -n 's/^host: //p')/debug
fi
oneapi=${ONEAPI:-$built/oneapi} twoapi=${TWOAPI:-$built/twoapi}

folder=$(mktemp -d)
name=chesterapi-$$
runsc() { "$GOBIN/runsc" --root "$folder/state" "$@"; }
finish() {
  for container in "$one" twoapi pod; do
    runsc delete --force "$container" >/dev/null 2>&1
  done
  umount "$folder/state/null-netns" # which runsc leaves
  ip netns delete "$name"
  rm -rf "$folder"
}
trap finish EXIT

# The sandbox's network: a pair of interfaces, as a Pod has one. runsc takes the address of its end.
outside=169.254.77.1 inside=169.254.77.2
ip netns add "$name" || exit 1
ip link add "sb$$" type veth peer name eth0 netns "$name"
ip address add "$outside/30" dev "sb$$"
ip link set "sb$$" up
ip -n "$name" address add "$inside/30" dev eth0
ip -n "$name" link set lo up
ip -n "$name" link set eth0 up

# A container of the Pod, as containerd asks for it. The first, `pod`, is what the pause container is elsewhere: it
# makes the sandbox. Its limits are those of the whole sandbox, and what each container sees.
memory=$((256 << 20))
container() { # NAME PROGRAM ENVIRONMENT…
  local bundle=$folder/$1 type=container env
  [ "$1" != pod ] || type=sandbox
  mkdir -p "$bundle/rootfs"
  cp "$2" "$bundle/rootfs/service"
  env=$(printf ', "%s"' "${@:3}")
  cat >"$bundle/config.json" <<END
{
  "ociVersion": "1.0.0",
  "process": { "user": { "uid": 65532, "gid": 65532 }, "args": ["/service"], "env": ["LOG_FORMAT=json"$env],
    "cwd": "/", "noNewPrivileges": true, "capabilities": {} },
  "root": { "path": "rootfs", "readonly": true },
  "hostname": "$name",
  "mounts": [
    { "destination": "/proc", "type": "proc", "source": "proc" },
    { "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"] },
    { "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"] }
  ],
  "annotations": { "io.kubernetes.cri.container-type": "$type", "io.kubernetes.cri.sandbox-id": "pod" },
  "linux": {
    "namespaces": [{ "type": "pid" }, { "type": "ipc" }, { "type": "uts" }, { "type": "mount" },
      { "type": "network", "path": "/var/run/netns/$name" }],
    "cgroupsPath": "/$name",
    "resources": { "memory": { "limit": $memory }, "cpu": { "quota": 150000, "period": 100000 } }
  }
}
END
  runsc run --detach --bundle "$bundle" "$1" </dev/null >"$bundle/log" 2>&1 || fail "runsc doesn't run $1: $(cat "$bundle/log")"
}
# For as long as a test takes at most, since a connection to what has gone is not refused.
get() { curl -sf --max-time 20 "http://$inside:$1" "${@:2}"; } # PORT/PATH CURL-OPTION…
# A container that is started again has another name, as on a cluster: in gVisor the cgroup of the last one stays.
count=0 one=
start_oneapi() {
  one=oneapi-$((count += 1))
  container "$one" "$oneapi" FAULTS=true DRAIN_DELAY=1s
  answers 5000
}
answers() { within 20 get "$1/livez" || fail "Nothing answers on port $1: $(cat "$folder"/*/log)"; } # PORT
now() { date +%s%N; }
since() { awk -v from="$1" -v to="$(now)" 'BEGIN { printf "%.2f", (to - from) / 1e9 }'; } # NANOSECONDS
within_bounds() { awk -v value="$1" -v low="$2" -v high="$3" 'BEGIN { exit !(value >= low && value <= high) }'; }
ended() { # CODE SECONDS   of oneapi
  local said
  said=$(timeout "$2" "$GOBIN/runsc" --root "$folder/state" wait "$one") || fail "oneapi is still there $2 s later."
  [[ $said == *"\"exitStatus\":$1}"* ]] || fail "oneapi ends with $said and not with $1: $(tail -n 3 "$folder/$one/log")"
  runsc delete --force "$one"
}

start=$(now)
container pod "$oneapi" LISTEN=127.0.0.1:5999
start_oneapi
echo "From runsc to the first answer: $(since "$start") s."
container twoapi "$twoapi" POD_NAME=twoapi
answers 5001
[ "$(get 5000/test)" = "ip is $inside" ] || fail "oneapi says: $(get 5000/test)"
[ "$(get 5001/test/calloneapi)" = "one api response is ip is $inside" ] || fail "twoapi doesn't reach oneapi over localhost."
for probe in http://localhost:5000/livez '--http2 http://localhost:5000/readyz'; do
  # shellcheck disable=SC2086 # words
  runsc exec "$one" /service probe $probe || fail "An exec probe fails: $probe"
done

# The limits are seen, and that a quota of 1.5 CPUs takes two; what the kernel does with them isn't.
info=$(get 5000/info)
for part in '"cpu_millicores":1500,"cpus":2' "\"memory_bytes\":$memory}" '"throttling":null' '"burn_clock":null'; do
  [[ $info == *"$part"* ]] || fail "$part isn't in /info: $info"
done
metrics=$(get 5000/metrics)
for metric in process_resident_memory_bytes process_cpu_seconds_total process_open_fds memory_limit_bytes; do
  grep -qE "^$metric [0-9.]*[1-9]" <<<"$metrics" || fail "There is no $metric: $metrics"
done
! grep -q '^cpu_periods_total' <<<"$metrics" || fail "The sandbox shows the periods of its CPU limit, and docs/sandboxes.md says that it doesn't."

# The CPU time of the whole sandbox in seconds, as the kernel outside counts it.
used() {
  awk '/^[0-9]+$/ { printf "%f", $1 / 1e9 } /^usage_usec/ { printf "%f", $2 / 1e6 }' \
    "/sys/fs/cgroup/cpuacct/$name/cpuacct.usage" "/sys/fs/cgroup/$name/cpu.stat" 2>/dev/null
}
burn() { # MILLICORES
  local before burnt used
  before=$(used)
  [ -n "$before" ] || fail "There is no cgroup $name."
  get "5000/test/highcpu?minutes=0.1&millicores=$1" -D "$folder/headers" >/dev/null || fail "A burn of $1 millicores fails."
  used=$(awk -v before="$before" -v after="$(used)" 'BEGIN { print after - before }')
  burnt=$(tr -d '\r' <"$folder/headers" | sed -n 's/^burn-achieved-seconds: //p')
  grep -q '^burn-clock: wall' "$folder/headers" || fail "This burn wasn't measured by the wall clock."
  echo "A burn of $1 millicores: $burnt s by the service, and $used s of the whole sandbox by the kernel outside."
  # Nothing is left out, and what the sandbox itself needs is bounded.
  within_bounds "$used" "$(awk "BEGIN { print 0.95 * $burnt }")" "$(awk "BEGIN { print 1.25 * $burnt + 0.1 }")" ||
    fail "That is not what the service says."
}
burn 1000
burn 250
[[ $(get 5000/info) == *'"burn_clock":"wall"'* ]] || fail "/info doesn't say that burns are measured by the wall clock."

# An orderly stop, with a request in flight.
get '5000/test/highcpu?minutes=0.05&millicores=10' >"$folder/answer" &
flight=$!
burning() { get 5000/burns | grep '"achieved_seconds"'; }
within 2 burning || fail "The burn doesn't begin: $(get 5000/burns)"
[[ $(burning) != *stalled_seconds* ]] || fail "The sandbox says how long a burn was stopped, and docs/sandboxes.md says that it doesn't."
start=$(now)
runsc kill "$one" TERM
ended 0 10
took=$(since "$start")
within_bounds "$took" 1.5 6 || fail "The stop takes $took s, with a drain delay of 1 s and a burn of 3 s."
wait "$flight" && [ "$(cat "$folder/answer")" = ok ] || fail "The request in flight got: $(cat "$folder/answer")"
[ "$(curl -s -o "$folder/answer" -w '%{http_code}' "http://$inside:5001/test/calloneapi")" = 502 ] ||
  fail "twoapi says of a oneapi that has gone: $(cat "$folder/answer")"

# Crashes. KILL is immediate too: process 1 of a container isn't spared in gVisor.
for crash in KILL=137 SEGV=139 ABRT=134; do
  start_oneapi
  start=$(now) before=$(used)
  get "5000/faults/crash?signal=${crash%=*}" -X PUT >/dev/null || fail "There is no crash by ${crash%=*}."
  ended "${crash#*=}" 10
  echo "After the crash by ${crash%=*}, oneapi has ended within $(since "$start") s."
  # Outside of gVisor, KILL takes a second of CPU time.
  within_bounds "$(used)" "$before" "$(awk "BEGIN { print $before + 0.9 }")" || fail "That has taken more than 0.9 s of CPU time."
  get 5001/livez >/dev/null || fail "twoapi has gone with oneapi."
done

# Beyond the memory limit, the kernel outside kills the sandbox: the whole Pod.
start_oneapi
get '5000/faults/memory?mib=500&for=ever' -X PUT >/dev/null || fail "There is no fault switch memory."
gone() { ! runsc state twoapi | grep -q '"status": "running"'; }
within 20 gone || fail "The Pod has more than its memory limit, and is still there."

echo 'Both services do in gVisor what docs/sandboxes.md says.'
