#!/bin/bash
# `make reproduce`: builds both images at TAG once more, with the command that it is given and without docker's cache,
# and compares them with those that are there: all files with their times, and the configuration. docker from before
# 2023 writes the moment of the build into an image as well, so that IDs differ; a newer one takes SOURCE_DATE_EPOCH.

. "$(dirname "$0")/common.sh"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Both at once, so that docker does once what they share.
pids=()
for service in oneapi twoapi; do
  "$@" --no-cache --quiet --target "$service" --iidfile "$folder/$service" . >/dev/null &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || fail "An image could not be built."; done

parts() { docker image inspect --format '{{range .RootFS.Layers}}{{println .}}{{end}}{{json .Config}}' "$1"; } # IMAGE
for service in oneapi twoapi; do
  image=$REGISTRY/$service:$TAG again=$(cat "$folder/$service")
  diff <(parts "$image") <(parts "$again") || fail "$image differs from what the same sources give now."
  if [ "$(docker image inspect --format '{{.Id}}' "$image")" = "$again" ]; then
    echo "$image: the same ID, $again."
  else
    echo "$image: the same files and configuration; the IDs differ by the time of the build."
  fi
done
