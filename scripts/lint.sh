#!/bin/bash
# What `make lint` checks with programs that not everybody has: scripts, the types of the live page's
# scripts, manifests, workflows, and the dependencies' licences. One that isn't there is told of, and with
# STRICT=1 an error. What a program is not asked to check, and why, stands here alone.

. "$(dirname "$0")/common.sh"
takes '' "$@"
failed=0

check() { # WHAT INSTALL COMMAND…
  local what=$1 install=$2
  shift 2
  if command -v "$1" >/dev/null; then
    "$@" || failed=1
  else
    echo "${1##*/} is not installed: $what are not checked. $install" >&2
    [ -z "${STRICT:-}" ] || failed=1
  fi
}

check "shell scripts" "Debian's package shellcheck has it." \
  shellcheck --severity=warning scripts/*.sh .ci/run findings/*.sh
page=twoapi/tests/page
check "the types of the page's scripts" "'make test-page' installs it." \
  "$page/node_modules/.bin/tsc" -p "$page"

# A document of its own needs no `---`, one blank is enough before a comment, and `on` is a key of workflows.
check "the form of YAML" "'pip install yamllint' installs it." \
  yamllint --strict -d '{extends: default, rules: {document-start: disable, line-length: {max: 150},
    comments: {min-spaces-from-content: 1}, truthy: {check-keys: false}}}' k8s .github compose.yaml
# By the schemas of the newest Kubernetes. Patches and kustomize's files are no objects, and of a List it knows no
# schema: those are applied to a cluster by 'make docs'.
manifests=()
for file in k8s/*.yaml k8s/lessons/*.yaml; do
  [[ $file == *kustomization.yaml || $file == *.patch.yaml ]] || manifests+=("$file")
done
check manifests "'pip install kubernetes-validate' installs it." \
  kubernetes-validate --strict --quiet --no-warn "${manifests[@]}"
check workflows "'go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12' installs it." actionlint
check "what workflows may do" "'pip install zizmor' installs it." zizmor --quiet --offline .github

deny="'cargo install --locked cargo-deny' installs it."
check licences "$deny" \
  cargo-deny --locked check --hide-inclusion-graph bans licenses sources
# Their database comes from GitHub. Where that can't be reached, no change here is to blame.
if ! command -v cargo-deny >/dev/null || cargo-deny --locked fetch db 2>/dev/null; then
  check advisories "$deny" cargo-deny --locked check advisories
else
  echo "The database of advisories can't be had from GitHub: they are not checked." >&2
fi
exit "$failed"
