#!/bin/bash
# `make use REGISTRY=… TAG=…`: writes the images' names into all files of k8s/, so that they need not
# be given again. The Makefile's defaults of both variables are read from there, too.
#
#   scripts/use.sh            writes REGISTRY and TAG into the files
#   scripts/use.sh check      says what is wrong with REGISTRY or TAG, and writes nothing
#   scripts/use.sh registry   prints the registry that the files name
#   scripts/use.sh tag        prints their tag
#
# The version "none" keeps its tag: it belongs to the lesson in which an image can't be pulled.
# BSD's sed, too, has -i with a suffix.

. "$(dirname "$0")/common.sh"
takes '|check|registry|tag' "$@"

check() {
  # The names that container engines accept: a host with an optional port, then a path; or a path
  # alone, which is then one of Docker Hub's.
  local host='[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*(:[0-9]{1,5})?'
  local part='[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*'
  local name="^(${host}(/${part})*|${part}(/${part})*)\$"
  local version='^[A-Za-z0-9_][-A-Za-z0-9_.]{0,127}$'
  [[ $REGISTRY =~ $name ]] ||
    fail "REGISTRY can't be \"$REGISTRY\": it is a host with an optional port and an optional lower-case path, such as localhost:5005 or registry.example.com:5000/team, without https:// and without a slash at its end."
  [[ $TAG =~ $version && $TAG != none ]] ||
    fail "TAG can't be \"$TAG\": an image's tag has 1 to 128 letters, digits, underscores, full stops and hyphens, begins with none of the last two, and is not none, the version that nobody builds."
}

use() {
  local file line='^([ -]*image: +)[^ ]+/(oneapi|twoapi)'
  check
  for file in $(grep -rlE --include='*.yaml' "$line" k8s); do
    sed -E -i.old -e "s#$line:none( .*)?\$#\\1$REGISTRY/\\2:none\\3#" -e t \
      -e "s#$line([:@][^ ]*)?( .*)?\$#\\1$REGISTRY/\\2:$TAG\\4#" "$file" && rm "$file.old" || exit 1
  done
  echo "The files in k8s name $REGISTRY/oneapi:$TAG and $REGISTRY/twoapi:$TAG now."
}

case ${1:-} in
  check) check ;;
  registry) written 1 ;;
  tag) written 2 ;;
  *) use ;;
esac
