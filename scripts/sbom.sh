#!/bin/bash
# `make sbom`: copies the licences and the bill of materials (CycloneDX) of both images at TAG to target/sbom. With
# STRICT=1 it also has them checked by other programs: the bill by the schema, of which cyclonedx-python-lib has a
# copy, and what it lists by rust-audit-info, which reads what the program itself says it is made of.

. "$(dirname "$0")/common.sh"
takes '' "$@"

container=
trap '[ -z "$container" ] || docker rm "$container" >/dev/null' EXIT

valid() { # FILE
  python3 - "$1" <<'END'
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())
sys.exit(error and f"{sys.argv[1]}: {error}")
END
}

# The crates that a program has, without those that only ran while it was built.
in_program() { rust-audit-info "$1" | grep -o '{"name":"[^}]*}' | grep -v '"kind":"build"' | sed -nE 's/.*"name":"([^"]*)","version":"([^"]*)","source":"crates.io".*/\1@\2/p' | sort -u; }
in_bill() { grep -o 'pkg:cargo/[^"]*' "$1" | sed 's,pkg:cargo/,,' | sort -u; }

for service in oneapi twoapi; do
  folder=target/sbom/$service
  rm -rf "$folder" && mkdir -p "$folder" || exit 1
  container=$(docker create "$REGISTRY/$service:$TAG") || exit 1
  for file in "$service" licenses.txt sbom.cdx.json; do docker cp "$container:/$file" "$folder/" || exit 1; done
  docker rm "$container" >/dev/null
  container=
  if [ -n "${STRICT:-}" ]; then
    valid "$folder/sbom.cdx.json" || exit 1
    missing=$(comm -23 <(in_bill "$folder/sbom.cdx.json") <(in_program "$folder/$service"))
    [ -z "$missing" ] || fail "$service doesn't say that it has ${missing//$'\n'/ }, which its bill of materials lists."
  fi
  rm "$folder/$service"
  ls "$folder"/*
done
