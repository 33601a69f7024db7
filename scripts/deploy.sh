#!/bin/bash
# `make deploy` and `make undeploy`: applies the manifests to NAMESPACE, or deletes what they made.
#
#   scripts/deploy.sh apply | delete
#
# A namespace that exists is somebody's: deploy doesn't change it, and undeploy doesn't delete it.
# What belongs to the manifests has the label below. A namespace that has it, since deploy or
# k8s/ns.yaml made it, is deleted too, unless somebody has put something else into it.

set -u
cd "$(dirname "$0")/.." || exit 1

case $#:${1:-} in
  1:apply | 1:delete) ;;
  *)
    echo "Usage: scripts/deploy.sh apply | delete, with NAMESPACE, REGISTRY and TAG in the environment." >&2
    exit 2
    ;;
esac

label=app.kubernetes.io/part-of=chesterapi
# What the manifests and the lessons put into the namespace; pods and ReplicaSets go with these.
kinds=deployments,services,poddisruptionbudgets,horizontalpodautoscalers,jobs

# Checked here, since an empty name would stand for the manifests' own and a comma in it for more
# conditions of a selector. [a-z] depends on the locale.
LC_ALL=C
if [ ${#NAMESPACE} -gt 63 ] || [[ ! $NAMESPACE =~ ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$ ]]; then
  echo "NAMESPACE can't be \"$NAMESPACE\": a namespace's name has 1 to 63 lower-case letters, digits and hyphens, with no hyphen at its start or end." >&2
  exit 1
fi

kubectl() {
  command kubectl ${CONTEXT:+--context "$CONTEXT"} "$@"
}

# The namespace's name if it exists, and has that label if one is given.
namespace() {
  kubectl get namespaces --field-selector "metadata.name=$NAMESPACE" --output name "$@"
}

apply() {
  local existing foreign overlay written
  existing=$(namespace) || exit 1
  foreign=$(kubectl get "$kinds" --namespace "$NAMESPACE" --selector "${label/=/!=}" --output name |
    grep -E '/(chesterdeployment|chesterservice|chesterbudget)$')
  if [ -n "$foreign" ]; then
    echo "Somebody else has made ${foreign//$'\n'/ } in the namespace $NAMESPACE: choose another one with NAMESPACE." >&2
    exit 1
  fi
  # As the files name them, which `make use` may have changed.
  written=$(scripts/use.sh registry) || exit 1
  # Inside the tree, since kustomize takes no absolute path; a folder for each run, since two may
  # run at once.
  mkdir -p target || exit 1
  overlay=$(mktemp -d target/deploy.XXXXXX) || exit 1
  # shellcheck disable=SC2064 # the value of now
  trap "rm -rf '$overlay'" EXIT
  {
    printf '%s\n' \
      'apiVersion: kustomize.config.k8s.io/v1beta1' \
      'kind: Kustomization' \
      'resources: [../../k8s]' \
      "namespace: \"$NAMESPACE\"" \
      'images:' \
      "  - { name: \"$written/oneapi\", newName: \"$REGISTRY/oneapi\", newTag: \"$TAG\" }" \
      "  - { name: \"$written/twoapi\", newName: \"$REGISTRY/twoapi\", newTag: \"$TAG\" }"
    [ -z "$existing" ] || printf '%s\n' \
      'patches:' \
      '  - patch: "{ $patch: delete, apiVersion: v1, kind: Namespace, metadata: { name: chesterns } }"'
  } >"$overlay/kustomization.yaml"
  [ -z "$existing" ] || echo "The namespace $NAMESPACE exists and is left as it is."
  kubectl apply -k "$overlay"
}

# What is in the namespace, one object a line, without what Kubernetes itself keeps in each
# namespace and without what belongs to another object and goes with it.
contents() {
  local all
  all=$(kubectl api-resources --namespaced --verbs=list,delete --output name) || return
  # Kubernetes makes these by itself.
  all=$(printf '%s\n' "$all" | grep -vxE 'endpoints|events(\.events\.k8s\.io)?|endpointslices\.discovery\.k8s\.io')
  # shellcheck disable=SC2016 # a Go template's variables
  all=$(kubectl get "$(printf '%s' "$all" | tr '\n' ,)" --namespace "$NAMESPACE" --output go-template='
{{- range .items }}{{ if not .metadata.ownerReferences }}{{ .kind }}/{{ .metadata.name }}
{{ end }}{{ end -}}') || return
  printf '%s\n' "$all" |
    grep -vxE -e 'ConfigMap/kube-root-ca\.crt' -e 'ServiceAccount/default' -e '' |
    sort -u
}

delete() {
  local existing own others
  existing=$(namespace) || exit 1
  if [ -z "$existing" ]; then
    echo "There is no namespace $NAMESPACE."
    return
  fi
  # In the foreground: it returns when the pods are gone, too.
  kubectl delete "$kinds" --namespace "$NAMESPACE" --selector "$label" --cascade=foreground || exit 1
  own=$(namespace --selector "$label") || exit 1
  if [ -z "$own" ]; then
    echo "The namespace $NAMESPACE was not made by deploy and stays."
    return
  fi
  if ! others=$(contents); then
    echo "What else is in the namespace $NAMESPACE can't be seen, so it stays. With all that is in it, this deletes it: kubectl delete namespace $NAMESPACE" >&2
    exit 1
  fi
  if [ -n "$others" ]; then
    echo "The namespace $NAMESPACE stays, since there is more in it than was deployed: ${others//$'\n'/ }"
    echo "With all that is in it, this deletes it: kubectl delete namespace $NAMESPACE"
    return
  fi
  kubectl delete namespace "$NAMESPACE"
}

"$1"
