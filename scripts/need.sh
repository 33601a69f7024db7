#!/bin/bash
# Whether what a verb of the Makefile needs is there: one sentence about the first thing that isn't,
# and exit 1. The words: cargo, curl, prometheus, docker, kubectl, images (both at TAG, on this machine), cluster.

set -u

missing() {
  echo "$1" >&2
  exit 1
}

there() {
  command -v "$1" >/dev/null || missing "$1 is needed and isn't installed: $2"
}

for need in "$@"; do
  case $need in
    cargo)
      there cargo "https://rustup.rs has it."
      ;;
    curl)
      there curl "https://curl.se has it."
      ;;
    prometheus)
      there prometheus "https://prometheus.io/download has it, and Debian a package."
      there promtool "it comes with Prometheus."
      ;;
    docker)
      there docker "https://docs.docker.com/engine/install has it."
      docker version >/dev/null 2>&1 || missing "docker is installed, but its engine doesn't answer: does it run?"
      ;;
    images)
      for image in "$REGISTRY/oneapi:$TAG" "$REGISTRY/twoapi:$TAG"; do
        docker image inspect "$image" >/dev/null 2>&1 ||
          missing "There is no image $image on this machine: make image with the same REGISTRY and TAG builds it."
      done
      ;;
    kubectl)
      there kubectl "https://kubernetes.io/docs/tasks/tools has it."
      ;;
    cluster)
      context=${CONTEXT:-$(kubectl config current-context 2>/dev/null)}
      [ -n "$context" ] || missing "kubectl knows no cluster: there is no current kube context, and CONTEXT names none."
      # 10 s: more than a cluster far away takes, less than a user's patience.
      why=$(kubectl --context "$context" get --raw /readyz --request-timeout=10s 2>&1 >/dev/null) ||
        missing "No cluster answers in the kube context $context: $(printf '%s\n' "$why" | tail -n 1)"
      ;;
  esac
done
