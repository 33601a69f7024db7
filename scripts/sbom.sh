#!/bin/bash
# `make sbom`: copies the licences and the bill of materials (CycloneDX) of both images at TAG to target/sbom, and
# compares the bill with what the program itself says it is made of, if rust-audit-info is there. With STRICT=1 it
# has to be, and cyclonedx-python-lib too, which has a copy of the schema.
#
#   scripts/sbom.sh                  `make sbom`
#   scripts/sbom.sh check PROGRAM…   compares programs with the bills beside them, such as those of another platform

. "$(dirname "$0")/common.sh"
[ "${1:-}" = check ] || takes '' "$@"

check() { # PROGRAM
  [ -n "${STRICT:-}" ] || command -v rust-audit-info >/dev/null || return 0
  python3 - "$1" <<'END'
import json, os, subprocess, sys

program = sys.argv[1]
bill = open(os.path.join(os.path.dirname(program), "sbom.cdx.json")).read()
if os.environ.get("STRICT"):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill):
        sys.exit(f"{program}'s bill of materials is not valid: {error}")
# cargo-auditable writes down all that `cargo metadata` names. Of these, none is in a program: crates of macros,
# which run while it is built, and one that only a feature would add.
unlinked = {"allocator-api2", "proc-macro2", "prometheus-client-derive-encode", "quote", "syn", "tracing-attributes", "unicode-ident"}
packages = json.loads(subprocess.check_output(["rust-audit-info", program]))["packages"]
linked = {f"pkg:cargo/{it['name']}@{it['version']}" for it in packages
          if it["source"] != "local" and it.get("kind") != "build" and it["name"] not in unlinked}
billed = {it["purl"] for it in json.loads(bill)["components"] if it.get("purl", "").startswith("pkg:cargo/")}
for lacks, crates in ("the bill of materials lacks", linked - billed), ("the program lacks", billed - linked):
    if crates:
        sys.exit(f"{program}: {lacks} {', '.join(sorted(crates))}.")
END
}

if [ "${1:-}" = check ]; then
  for program in "${@:2}"; do check "$program" || exit 1; done
  exit
fi

container=
trap '[ -z "$container" ] || docker rm "$container" >/dev/null' EXIT
for service in oneapi twoapi; do
  folder=target/sbom/$service
  rm -rf "$folder" && mkdir -p "$folder" || exit 1
  container=$(docker create "$REGISTRY/$service:$TAG") || exit 1
  for file in "$service" licenses.txt sbom.cdx.json; do docker cp "$container:/$file" "$folder/" || exit 1; done
  docker rm "$container" >/dev/null
  container=
  check "$folder/$service" || exit 1
  rm "$folder/$service"
  ls "$folder"/*
done
