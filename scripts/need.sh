#!/bin/bash
# Checks that what a verb of the Makefile needs is available. Prints one sentence about the first
# thing that isn't, and exits with 1. Its arguments are of: cargo, curl, npm, prometheus, go, busybox, qemu, docker,
# images (both at TAG, on this machine), kubectl, cluster.

set -u

fail() {
  echo "$1" >&2
  exit 1
}

installed() {
  command -v "$1" >/dev/null || fail "$1 is needed and not installed: $2 says how to install it."
}

# The last line of an error, which is the one that says what is wrong.
last_line() {
  printf '%s\n' "$1" | grep . | tail -n 1
}

for need in "$@"; do
  case $need in
    cargo)
      installed cargo https://rustup.rs
      ;;
    curl)
      installed curl https://curl.se
      ;;
    npm)
      installed npm https://nodejs.org
      ;;
    prometheus)
      installed prometheus https://prometheus.io/download
      installed promtool https://prometheus.io/download
      ;;
    go)
      installed go https://go.dev/doc/install
      ;;
    busybox)
      installed busybox https://busybox.net
      # It is copied alone to where there are no libraries.
      ! ldd "$(command -v busybox)" >/dev/null 2>&1 || fail "busybox has to be static: Debian's package is busybox-static."
      ;;
    qemu)
      installed qemu-system-x86_64 https://www.qemu.org/download
      ;;
    docker)
      installed docker https://docs.docker.com/engine/install
      # Of the engine itself; the client alone would answer `docker --version`.
      why=$(docker version --format '{{.Server.Version}}' 2>&1 >/dev/null) ||
        fail "docker is installed, but its engine doesn't answer; start it, or get access to it: $(last_line "$why")"
      ;;
    images)
      for image in "$REGISTRY/oneapi:$TAG" "$REGISTRY/twoapi:$TAG"; do
        docker image inspect "$image" >/dev/null 2>&1 ||
          fail "There is no image $image on this machine; this builds it: make image REGISTRY=$REGISTRY TAG=$TAG"
      done
      ;;
    kubectl)
      installed kubectl https://kubernetes.io/docs/tasks/tools
      ;;
    cluster)
      context=${CONTEXT:-$(kubectl config current-context 2>/dev/null)}
      [ -n "$context" ] ||
        fail "kubectl has no current context, so no cluster is chosen: kind create cluster makes one, CONTEXT=NAME chooses one of: kubectl config get-contexts"
      kubectl config get-contexts "$context" >/dev/null 2>&1 ||
        fail "There is no kube context $context: CONTEXT=NAME chooses one of: kubectl config get-contexts"
      # 10 s: more than a remote cluster takes, less than a user's patience.
      why=$(kubectl --context "$context" get --raw /readyz --request-timeout=10s 2>&1 >/dev/null) ||
        fail "The cluster of the kube context $context doesn't answer; does it run? $(last_line "$why")"
      ;;
    *)
      fail "scripts/need.sh doesn't know $need."
      ;;
  esac
done
