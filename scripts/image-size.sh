#!/bin/bash
# `make image-size`: what each image at TAG weighs. An image is one static file, so its size is that of the
# program; behind it is how much a registry sends, roughly, by gzip.

set -u

for service in oneapi twoapi; do
  container=$(docker create "$REGISTRY/$service:$TAG") || exit 1
  bytes=$(docker cp "$container:/$service" - | tar -xO | wc -c)
  packed=$(docker cp "$container:/$service" - | tar -xO | gzip -6 | wc -c)
  docker rm "$container" >/dev/null
  awk -v service="$service" -v bytes="$bytes" -v packed="$packed" 'BEGIN {
    printf "%s: %.3f MB, %.3f MB compressed\n", service, bytes / 1e6, packed / 1e6 }'
done
