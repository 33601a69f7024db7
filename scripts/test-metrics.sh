#!/bin/bash
# `make test-metrics`: a real Prometheus scrapes both services. Checks that promtool finds nothing
# wrong with the pages, that Prometheus takes each scrape, in its own format and in OpenMetrics, and
# that the quantile which it computes from the histogram is what the requests took. Then it asks Prometheus
# for what each alert and each line of the dashboard in docs/watch asks for: all of it has to be there.
#
# PROMETHEUS is the Prometheus to test with, 3.0 or newer, which is also told to ask for each text format by
# itself, and to make a native histogram of the classic one; else it is that of the PATH.

. "$(dirname "$0")/common.sh"
takes '' "$@"

watch=docs/watch
promtool check rules "$watch/alerts.yaml" >/dev/null || exit 1
promtool test rules "$watch/alerts.test.yaml" >/dev/null || exit 1
for alert in $(sed -n 's/.* alert: //p' "$watch/alerts.yaml"); do
  tests=$(grep -A 2 "alertname: $alert\$" "$watch/alerts.test.yaml")$'\n'
  [[ $tests == *'exp_alerts: []'* && $tests == *exp_alerts:$'\n'* ]] ||
    fail "$watch/alerts.test.yaml doesn't show both that $alert fires and that it doesn't."
done

. scripts/test-services.sh

# Starts a service with limits of CPU and memory, which some of the metrics are of: in cgroups of version 1, or
# by systemd. Where neither can be had, there are no such metrics, and what asks for them is left out.
cgroups=(/sys/fs/cgroup/{cpu,memory}/"chesterapi-$$")
trap 'finish; rmdir "${cgroups[@]}" 2>/dev/null' EXIT
unlimited='cpu_.*periods|memory_limit' limited=()
if mkdir "${cgroups[@]}" 2>/dev/null && echo 50000 >"${cgroups[0]}/cpu.cfs_quota_us"; then
  echo $((64 << 20)) >"${cgroups[1]}/memory.limit_in_bytes"
  # shellcheck disable=SC2016 # for that shell
  unlimited='' limited=(sh -c 'for one in $CGROUPS; do echo $$ >$one/cgroup.procs; done; exec "$0"')
elif systemd-run -q --scope -p CPUQuota=50% true 2>/dev/null; then
  unlimited='' limited=(systemd-run -q --scope -p CPUQuota=50% -p MemoryMax=64M)
fi

start oneapi FAULTS=true "CGROUPS=${cgroups[*]}" ${limited[@]+"${limited[@]}"}
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

# What the alerts and the dashboard look for: a failed probe of each kind, and an error.
for fault in 'liveness?mode=fail' 'readiness?mode=fail' 'errors?status=500'; do
  curl -sf -X PUT "http://$oneapi/faults/$fault&for=ever" >/dev/null || fail "There is no fault switch $fault."
done
for path in livez readyz test; do
  curl -s "http://$oneapi/$path" >/dev/null
done

for address in "$oneapi" "$twoapi"; do
  page=$folder/page.$address
  curl -sf "http://$address/metrics" >"$page" || fail "$address has no metrics."
  lint=$(promtool check metrics <"$page" 2>&1) && [ -z "$lint" ] || fail "promtool on $address: $lint"
done

# As a PodMonitor names what it finds.
targets() { echo "[{ targets: [\"$oneapi\", \"$twoapi\"], labels: { namespace: $1, pod: here } }]"; } # NAMESPACE
cat >"$folder/prometheus.yml" <<END
rule_files: ["$PWD/$watch/alerts.yaml"]
scrape_configs:
  - job_name: services
    scrape_interval: 1s
    static_configs: $(targets chesterns)
END
formats=()
[ -z "${PROMETHEUS:-}" ] || formats=(PrometheusText0.0.4 PrometheusText1.0.0 OpenMetricsText0.0.1 OpenMetricsText1.0.0)
for format in ${formats[@]+"${formats[@]}"}; do
  cat >>"$folder/prometheus.yml" <<END
  - job_name: $format
    scrape_interval: 1s
    scrape_protocols: [$format]
    convert_classic_histograms_to_nhcb: true
    always_scrape_classic_histograms: true
    static_configs: $(targets "$format")
END
done

port=$((20000 + RANDOM % 10000))
"${PROMETHEUS:-prometheus}" --config.file="$folder/prometheus.yml" --storage.tsdb.path="$folder/data" \
  --web.listen-address="127.0.0.1:$port" >"$folder/prometheus.log" 2>&1 &
pids+=($!)

api() { # PATH CURL-OPTION…
  local path=$1
  shift
  curl -sG "http://127.0.0.1:$port/api/v1/$path" "$@"
}

# The value of a query, or nothing; and whether it is this one.
query() { api query --data-urlencode "query=$1" | sed -n 's/.*"value":\[[0-9.]*,"\([^"]*\)"\].*/\1/p'; }
says() { [ "$(query "$1")" = "$2" ]; }

up=$((2 + 2 * ${#formats[@]}))
if ! within 30 says 'sum(up)' "$up"; then
  api targets | grep -o '"lastError":"[^"]*"' >&2
  tail -n 5 "$folder/prometheus.log" >&2
  fail "Prometheus doesn't take both services' metrics."
fi
within 10 says 'count(build_info)' "$up" || fail "Prometheus knows $(query 'count(build_info)') builds, not $up."

# Between the bounds of the bucket that half a second and a little is in.
halves() { # HISTOGRAM WHICH
  quantile=$(query "histogram_quantile(0.5, $1)")
  awk -v quantile="$quantile" 'BEGIN { exit !(quantile > 0.5 && quantile < 1) }' ||
    fail "half of the requests took ${quantile:-an unknown number of} s as Prometheus computes it from the $2, not 0.5 to 1 s."
}
of='route="/test/highcpu",status="200"'
for format in ${formats[@]+"${formats[@]}"}; do
  halves "http_request_duration_seconds{job=\"$format\",$of}" "native histogram that it makes of $format"
done
buckets="http_request_duration_seconds_bucket{job=\"services\",$of"
halves "$buckets}" "buckets"
says "$buckets,le=\"+Inf\"}" 10 || fail "the last bucket doesn't have 10 requests."
# The form that Prometheus 3 gives to all bounds, so that a query holds whichever format was scraped.
says "$buckets,le=\"1.0\"}" 10 || fail "the bucket of a second isn't called 1.0."

known=$(api label/__name__/values)
for name in $(sed -n 's/^\([a-z_]*\)[{ ].*/\1/p' "$folder"/page.* | sort -u); do
  [[ $known == *"\"$name\""* ]] || fail "Prometheus doesn't know $name."
done

# The reference of the metrics has all of them, and no other.
sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' "$folder"/page.* | sort -u >"$folder/families"
diff "$folder/families" <(grep '^| `[a-z_]*`' docs/watch.md | cut -d '|' -f 2 | grep -o '[a-z_]*' |
  grep -vE "${unlimited:-^$}" | sort) || fail "docs/watch.md lists other metrics (>) than there are (<)."

# Whether a query finds something, and with these labels.
finds() { # QUERY LABEL…
  local answer label
  answer=$(api query --data-urlencode "query=$1")
  shift
  [[ $answer == *'"value":['* ]] || return
  for label; do
    [[ $answer == *"\"$label\":"* ]] || return
  done
}

asked=0
ask() { # QUERY TEXT, in which its labels stand
  local labels
  [[ -z $unlimited || ! $1 =~ $unlimited ]] || return
  labels=$(grep -oE '\$labels\.[a-z]+|\{\{[a-z]+\}\}' <<<"$2" | sed -E 's/.*\.|[{}]//g')
  # shellcheck disable=SC2086 # words
  within 20 finds "$1" $labels || fail "Prometheus finds nothing, or not with all labels of '$2': $1"
  asked=$((asked + 1))
}

# Of the alerts, as Prometheus has understood them, what they compare: most compare well. A rule begins with its state.
api rules | sed -e 's/{"state":/\n&/g' >"$folder/rules"
while read -r rule; do
  expression=$(sed -E -e 's/.*"query":"(([^"\\]|\\.)*)".*/\1/' -e 's/\\u003e/>/g; s/\\u003c/</g; s/\\(.)/\1/g' \
    -e 's/ [<>] [0-9.]+$//; s/absent\(/(/g' <<<"$rule")
  ask "$expression" "$rule"
done < <(grep '^{"state"' "$folder/rules")
[ "$asked" -gt 0 ] || fail "Prometheus has no alerts."
alerts=$asked

while read -r line; do
  case $line in
    *'"legendFormat": '*) legend=${line#*'"legendFormat": '} ;;
    '"expr": '*)
      expression=$(sed -e 's/^"expr": "//; s/"$//; s/\\"/"/g' -e 's/\$namespace/chesterns/g; s/\$__rate_interval/1m/g' <<<"$line")
      ask "$expression" "$legend"
      ;;
  esac
done <"$watch/dashboard.json"
[ "$asked" -gt "$alerts" ] || fail "The dashboard asks for nothing."

# Debian's writes level=warn, and later ones level=WARN.
! grep -iE 'level=(warn|error)' "$folder/prometheus.log" || fail "Prometheus warns."

# Which of the formats Prometheus was given, its own logs don't say.
accept='application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5'
curl -s -H "Accept: $accept" "http://$oneapi/metrics" | tail -n 1 | grep -qx '# EOF' ||
  fail "the page in OpenMetrics has no end mark."

[ -z "$unlimited" ] || echo "What limits of CPU and memory are measured by was not asked for: here, no cgroup can be made."
echo "Prometheus takes both services' metrics; half of the burns took ${quantile} s. It finds what $alerts alerts and $((asked - alerts)) lines of the dashboard ask for."
