#!/bin/bash
# `make test-traces`: a real OpenTelemetry Collector gets the spans of both services, built with the feature
# otlp. Checks their ids, parents and attributes, what makes no span, that a stop loses none, and what becomes
# of a service whose collector isn't there, doesn't answer, or comes back. Go builds the collector from
# scripts/collector into target/tools the first time.

. "$(dirname "$0")/common.sh"
takes '' "$@"

collector=$PWD/target/tools/collector
if ! [ -x "$collector/collector" ]; then
  (cd scripts/collector && go build -o "$collector/" .) || exit 1
fi
export FEATURES=otlp
. scripts/test-services.sh

port=$((20000 + RANDOM % 10000))
cat >"$folder/collector.yaml" <<END
receivers: { otlp: { protocols: { http: { endpoint: "127.0.0.1:$port" } } } }
exporters: { debug: { verbosity: detailed, use_internal_logger: false } }
service:
  pipelines: { traces: { receivers: [otlp], exporters: [debug] } }
END
collect() {
  "$collector/collector" --config "$folder/collector.yaml" >"$folder/spans" 2>"$folder/collector.log" &
  collecting=$!
  pids+=("$collecting")
  within 20 curl -s "http://127.0.0.1:$port" ||
    fail "The collector doesn't start: $(cat "$folder/collector.log")"
}
collect

export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$port POD_NAMESPACE=chesterns NODE_NAME=node1 RUST_LOG=info,chassis=debug
start oneapi POD_NAME=one OTEL_BSP_SCHEDULE_DELAY=200
oneapi=$pid at_oneapi=$listen
start twoapi POD_NAME=two "ONEAPI_URL=http://$at_oneapi/test" OTEL_RESOURCE_ATTRIBUTES=k8s.node.name=node2,team=a
twoapi=$pid at_twoapi=$listen

trace=0af7651916cd43dd8448eb211c80319c
ask() { # URL [FLAGS]
  curl -s -o "$folder/answer" -H "traceparent: 00-$trace-b7ad6b7169203331-${2:-01}" -H 'tracestate: a=1' "http://$1"
}
ask "$at_twoapi/test/calloneapi?a=b" || fail "twoapi doesn't answer."
# Of each of these there should be none.
for path in livez readyz startupz metrics info probes faults; do
  ask "$at_oneapi/$path"
  ask "$at_twoapi/$path"
done
ask "$at_twoapi/"
ask "$at_oneapi/burns"
ask "$at_oneapi/test?not-sampled" 00
# And of these, which belong to no trace yet, one each.
curl -s "http://$at_oneapi/test?untraced" >/dev/null
ask "$at_oneapi/test?invalid" 1
curl -s -X TRACE "http://$at_oneapi/nothing" >/dev/null

# Twoapi sends its spans every five seconds, so these come by its stop.
stop() { # NAME PROCESS
  kill -TERM "$2"
  wait "$2" || fail "$1 exits with $?."
}
stop twoapi "$twoapi"
stop oneapi "$oneapi"

# One line a span, with the attributes of its resource before its own.
spans() {
  awk '
    function flush() { if (span != "") print resource span; span = "" }
    /^ResourceSpans/ { flush(); resource = "" }
    /^Span #/ { flush(); span = "|" }
    /^    (Trace ID|Parent ID|ID|Name|Kind|Status code|TraceState) +:/ {
      sub(/^ +/, ""); sub(/ +: ?/, "="); span = span $0 "|"
    }
    /^     -> / {
      sub(/^ +-> /, ""); sub(/: [A-Za-z]+\(/, "="); sub(/\)$/, "")
      if (span == "") resource = resource "|" $0; else span = span $0 "|"
    }
    END { flush() }
  ' "$folder/spans"
}
value() { sed -n "s/.*|$2=\([^|]*\)|.*/\1/p" <<<"$1"; } # SPAN NAME
span() { # PATTERN COUNT, and sets `found` to the last
  local count
  found=$(spans | grep -E "$1" | tail -n 1)
  count=$(spans | grep -cE "$1")
  [ "$count" = "$2" ] || fail "There are $count spans of $1, not $2: $(spans)"
}
has() { # SPAN PART…
  local span=$1 part
  shift
  for part; do
    [[ $span == *"|$part|"* ]] || fail "$part is not in the span $span"
  done
}

span '.' 6
span "service.name=twoapi.*Kind=Server" 1
has "$found" "Trace ID=$trace" Parent\ ID=b7ad6b7169203331 'Name=GET /test/calloneapi' 'TraceState=a=1' \
  http.request.method=GET http.route=/test/calloneapi url.path=/test/calloneapi url.query=a=b url.scheme=http \
  http.response.status_code=200 server.address=127.0.0.1 "server.port=${at_twoapi#*:}" client.address=127.0.0.1 \
  network.protocol.version=1.1 k8s.pod.name=two k8s.namespace.name=chesterns k8s.node.name=node2 team=a
server=$(value "$found" ID)
grep "\"request over\"" "$folder/twoapi.log" | grep "\"trace_id\":\"$trace\"" | grep -q "\"span_id\":\"$server\"" ||
  fail "no line of the log has the ids of $found: $(cat "$folder/twoapi.log")"
span "service.name=twoapi.*Kind=Client" 1
has "$found" "Trace ID=$trace" "Parent ID=$server" Name=GET "url.full=http://$at_oneapi/test" \
  http.request.method=GET http.response.status_code=200 server.address=127.0.0.1 "server.port=${at_oneapi#*:}"
client=$(value "$found" ID)
span "service.name=oneapi.*Trace ID=$trace" 1
has "$found" "Parent ID=$client" 'Name=GET /test' Kind=Server 'TraceState=a=1' k8s.pod.name=one k8s.node.name=node1 \
  service.version=1.0.0
span 'url.query=(untraced|invalid)' 2
[[ $found != *"$trace"* ]] || fail "an invalid traceparent is taken up: $found"
span 'Name=HTTP' 1
has "$found" http.request.method=_OTHER http.request.method_original=TRACE http.response.status_code=404

# Two seconds of requests, with ten batches: they are answered, one line says what is wrong, and the stop is short.
lonely() { # NAME ENDPOINT SENTENCE
  local begun=$SECONDS
  start oneapi OTEL_BSP_SCHEDULE_DELAY=200 "OTEL_EXPORTER_OTLP_ENDPOINT=$2"
  for _ in $(seq 20); do
    curl -s --max-time 1 "http://$listen/test" >/dev/null || fail "oneapi doesn't answer while its collector $1."
    sleep 0.1
  done
  stop oneapi "$pid"
  [ $((SECONDS - begun)) -le 8 ] || fail "oneapi takes $((SECONDS - begun)) s to stop while its collector $1."
  [ "$(grep -c WARN "$folder/oneapi.log")" = 1 ] && grep -q "$3" "$folder/oneapi.log" ||
    fail "Its collector $1, and oneapi says: $(grep -v '"request' "$folder/oneapi.log")"
}
lonely "isn't there" http://127.0.0.1:1 "spans can't be exported.*refused"
start twoapi FAULTS=true 'FAULTS_AT_START=deaf?for=ever' OTEL_TRACES_EXPORTER=none
lonely "doesn't answer" "http://$listen" 'the last spans could not be exported'

# And of one that comes back.
kill "$collecting"
wait "$collecting"
start oneapi OTEL_BSP_SCHEDULE_DELAY=200
curl -s "http://$listen/test" >/dev/null
within 5 grep -q "spans can't be exported" "$folder/oneapi.log" || fail "oneapi doesn't say that its collector is away."
collect
curl -s "http://$listen/test" >/dev/null
within 5 grep -q 'spans can be exported again' "$folder/oneapi.log" || fail "oneapi doesn't find its collector again."

echo 'The collector gets the spans of both services, and a service without one goes on.'
