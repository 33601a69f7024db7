#!/bin/bash
# `make test-hostile`: sends both services on this machine floods, crowds and slow clients, and twoapi answers of oneapi
# without end; and runs h2spec against both. scripts/hostile.py has the shapes. h2spec is built by Go into target/tools the
# first time.

. "$(dirname "$0")/common.sh"
takes '' "$@"

tools=$PWD/target/tools module=
finish() {
  jobs -p | xargs -r kill # which end their services
  wait
  rm -rf "$module"
}
trap finish EXIT

if ! [ -x "$tools/h2spec" ]; then
  # It has no go.mod, so what it is built with is chosen here.
  module=$(mktemp -d)
  (cd "$module" && go mod init h2spec && go get \
    github.com/summerwind/h2spec@v2.2.1+incompatible github.com/fatih/color@v1.19.0 github.com/spf13/cobra@v1.10.2 \
    golang.org/x/net@v0.62.0 && go build -o "$tools/h2spec" github.com/summerwind/h2spec/cmd/h2spec) >"$module/log" 2>&1 ||
    fail "h2spec can't be built: $(cat "$module/log")"
fi
cargo build -q --locked -p oneapi -p twoapi || exit 1
built=$(built)/debug

# Side by side, since they mostly wait.
for service in oneapi twoapi; do
  python3 scripts/hostile.py "$built/$service" "$tools/h2spec" &
done
failed=0
for job in $(jobs -p); do
  wait "$job" || failed=1
done
[ $failed = 0 ] || fail "A promise is broken, see above."
echo 'Whatever was sent, both services are as before.'
