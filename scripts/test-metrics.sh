#!/bin/bash
# `make test-metrics`: a real Prometheus scrapes both services. Checks that promtool finds nothing
# wrong with the pages, that Prometheus takes each scrape, in its own format and in OpenMetrics, and
# that the quantile which it computes from the histogram is what the requests took.

. "$(dirname "$0")/common.sh"
takes '' "$@"

. scripts/test-services.sh

start oneapi
oneapi=$listen
start twoapi "ONEAPI_URL=http://$oneapi/test"
twoapi=$listen

# Ten requests that take half a second each: that is the quantile to be seen.
for _ in $(seq 10); do
  curl -sf "http://$oneapi/test/highcpu?minutes=0.0083334&millicores=1" >/dev/null &
  requests+=($!)
done
wait "${requests[@]}"
curl -sf "http://$twoapi/test/calloneapi" >/dev/null || fail "twoapi doesn't answer."
curl -s "http://$twoapi/nothing" >/dev/null

for address in "$oneapi" "$twoapi"; do
  curl -sf "http://$address/metrics" >"$folder/page" || fail "$address has no metrics."
  lint=$(promtool check metrics <"$folder/page" 2>&1) && [ -z "$lint" ] || fail "promtool on $address: $lint"
done

cat >"$folder/prometheus.yml" <<END
scrape_configs:
  - job_name: services
    scrape_interval: 1s
    static_configs: [{ targets: ["$oneapi", "$twoapi"] }]
END

port=$((20000 + RANDOM % 10000))
prometheus --config.file="$folder/prometheus.yml" --storage.tsdb.path="$folder/data" \
  --web.listen-address="127.0.0.1:$port" >"$folder/prometheus.log" 2>&1 &
pids+=($!)

# The value of a query, or nothing; and whether it is this one.
query() {
  curl -sG "http://127.0.0.1:$port/api/v1/query" --data-urlencode "query=$1" |
    sed -n 's/.*"value":\[[0-9.]*,"\([^"]*\)"\].*/\1/p'
}
says() { [ "$(query "$1")" = "$2" ]; }

if ! within 30 says 'sum(up)' 2; then
  curl -s "http://127.0.0.1:$port/api/v1/targets" | grep -o '"lastError":"[^"]*"' >&2
  tail -n 5 "$folder/prometheus.log" >&2
  fail "Prometheus doesn't take both services' metrics."
fi
within 10 says 'count(build_info)' 2 || fail "Prometheus knows $(query 'count(build_info)') builds, not 2."

# Between the bounds of the bucket that half a second and a little is in.
buckets='http_request_duration_seconds_bucket{route="/test/highcpu",status="200"'
quantile=$(query "histogram_quantile(0.5, $buckets})")
awk -v quantile="$quantile" 'BEGIN { exit !(quantile > 0.5 && quantile < 1) }' ||
  fail "half of the requests took $quantile s as Prometheus computes it, not 0.5 to 1 s."
says "$buckets,le=\"+Inf\"}" 10 || fail "the last bucket doesn't have 10 requests."

# Which of the formats Prometheus was given, its own logs don't say.
accept='application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5'
curl -s -H "Accept: $accept" "http://$oneapi/metrics" | tail -n 1 | grep -qx '# EOF' ||
  fail "the page in OpenMetrics has no end mark."

echo "Prometheus takes both services' metrics; half of the burns took ${quantile} s."
