#!/bin/bash
# What `make lint` checks with programs that not everybody has: scripts, the types of the live page's
# scripts, manifests, workflows, and the dependencies' licences. One that isn't there is told of, and with
# STRICT=1 an error. What a program is not asked to check, and why, stands here alone.

. "$(dirname "$0")/common.sh"
takes '' "$@"
failed=0

check() { # WHAT INSTALL COMMAND…
  local what=$1 install=$2 said
  shift 2
  if command -v "$1" >/dev/null; then
    # Some print what they have nothing against, too.
    said=$("$@") || {
      printf '%s\n' "$said"
      failed=1
    }
  else
    echo "${1##*/} is not installed: $what are not checked. $install" >&2
    [ -z "${STRICT:-}" ] || failed=1
  fi
}

check "shell scripts" "Debian's package shellcheck has it." \
  shellcheck --severity=warning scripts/*.sh scripts/cgroup2/init .ci/run findings/*.sh
check "scripts in Python" "'pip install ruff' installs it." ruff check --quiet scripts
page=twoapi/tests/page
check "the types of the page's scripts" "'make test-page' installs it." \
  "$page/node_modules/.bin/tsc" -p "$page"

# A document of its own needs no `---`, one blank is enough before a comment and may be inside of braces, and `on` is a key
# of workflows. An alert's expression stands on one line.
check "the form of YAML" "'pip install yamllint' installs it." \
  yamllint --strict -d '{extends: default, rules: {document-start: disable, line-length: {max: 210},
    braces: {max-spaces-inside: 1}, comments: {min-spaces-from-content: 1}, truthy: {check-keys: false}}}' \
  k8s .github compose.yaml docs/watch scripts/proxies
# By the schemas of the newest Kubernetes, which it brings along; kubeconform would fetch its own from GitHub. Patches
# and kustomize's files are no objects, and of a List it knows no schema: it gets the items, as files of their own.
items=$(mktemp -d)
trap 'rm -rf "$items"' EXIT
base=() lessons=() objects=()
for file in k8s/*.yaml k8s/lessons/*.yaml; do
  case $file in
    *kustomization.yaml | *.patch.yaml) continue ;;
    k8s/lessons/* | k8s/pod.yaml) lessons+=("$file") ;;
    *) base+=("$file") ;;
  esac
  if grep -q '^kind: List' "$file"; then
    sed -e '1,/^items:/d' -e 's/^  - /---\
/' -e 's/^    //' "$file" >"$items/${file##*/}"
    file=$items/${file##*/}
  fi
  objects+=("$file")
done
check manifests "'pip install kubernetes-validate' installs it." \
  kubernetes-validate --strict --quiet --no-warn "${objects[@]}"

# What is meant for real use follows kube-score's advice but for this: a tag is never built twice, and images that
# `make load` copies are in no registry to ask; nothing can be written to the disk; and spread constraints let Pods run
# on one node where an anti-affinity would let none run.
score=(kube-score score --kubernetes-version v1.37 --exit-one-on-warning)
unless=container-image-pull-policy,container-ephemeral-storage-request-and-limit,deployment-has-host-podantiaffinity
go_install="'go install github.com/zegl/kube-score/cmd/kube-score@v1.20.0' installs it."
check "good practices in manifests" "$go_install" "${score[@]}" --ignore-test "$unless" "${base[@]}"
# A lesson shows one thing, and leaves out resources, policies and budgets that it isn't about. Its autoscaler goes
# down to one Pod, and takes over the replicas of a Deployment that is also used without one.
unless+=,container-resources,pod-networkpolicy,deployment-has-poddisruptionbudget,horizontalpodautoscaler-replicas
unless+=,deployment-targeted-by-hpa-does-not-have-replicas-configured
check "good practices in lessons" "$go_install" "${score[@]}" --ignore-test "$unless" "${base[@]}" "${lessons[@]}"
# Above, kube-score has asked for probes (8, 9) and resources (10 to 13) where no lesson leaves them out. As there, no
# image is pulled always (15), nor by digest (43), which `make use` can't know before an image is pushed. The namespace
# is that of the command (21).
check "the permissions of manifests" "'uv tool install checkov' or 'pipx install checkov' installs it." \
  checkov --framework kubernetes --directory k8s --skip-download --compact --quiet \
  --skip-check CKV_K8S_8,CKV_K8S_9,CKV_K8S_10,CKV_K8S_11,CKV_K8S_12,CKV_K8S_13,CKV_K8S_15,CKV_K8S_21,CKV_K8S_43
check workflows "'go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12' installs it." actionlint
check "the permissions of workflows" "'pip install zizmor' installs it." zizmor --quiet --offline .github

deny="'cargo install --locked cargo-deny' installs it."
check licences "$deny" \
  cargo-deny --locked check --hide-inclusion-graph bans licenses sources
# What is only fuzzed with is passed on to nobody, so that its licences don't matter.
fuzz=(cargo-deny --locked --manifest-path fuzz/Cargo.toml check --hide-inclusion-graph)
check "the crates of make fuzz" "$deny" "${fuzz[@]}" bans sources
# Their database comes from GitHub. Where that can't be reached, no change here is to blame.
if ! command -v cargo-deny >/dev/null || cargo-deny --locked fetch db 2>/dev/null; then
  check advisories "$deny" cargo-deny --locked check advisories
  check "advisories of the crates of make fuzz" "$deny" "${fuzz[@]}" advisories
else
  echo "The database of advisories can't be had from GitHub: they are not checked." >&2
fi
exit "$failed"
