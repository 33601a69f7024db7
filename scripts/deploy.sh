#!/bin/bash
# `make deploy` and `make undeploy`: applies the manifests to NAMESPACE, with the images at TAG from
# REGISTRY, or deletes what they made. CONTEXT is the kube context; none: the current one.
#
#   scripts/deploy.sh apply | delete
#
# A namespace that exists is somebody's: deploy doesn't change it, and undeploy doesn't delete it.
# What belongs to the manifests has the label app.kubernetes.io/part-of=chesterapi. A namespace that
# has it, since deploy or k8s/ns.yaml made it, is deleted too, unless somebody has put something else
# into it.

. "$(dirname "$0")/common.sh"
takes 'apply|delete' "$@"

label=app.kubernetes.io/part-of=chesterapi
# What the manifests and the lessons put into the namespace; pods and ReplicaSets go with these.
kinds=deployments,services,poddisruptionbudgets,networkpolicies,horizontalpodautoscalers,jobs

# Checked here, since an empty name would stand for the manifests' own and a comma in it for more
# conditions of a selector.
[[ ${#NAMESPACE} -le 63 && $NAMESPACE =~ ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$ ]] ||
  fail "NAMESPACE can't be \"$NAMESPACE\": a namespace's name has 1 to 63 lower-case letters, digits and hyphens, with no hyphen at its start or end."

# The namespace's name if it exists, and has the label if one is given.
namespace() { kubectl get namespaces --field-selector "metadata.name=$NAMESPACE" --output name "$@"; }

existing=$(namespace) || exit 1

apply() {
  local foreign overlay written
  foreign=$(kubectl get "$kinds" --namespace "$NAMESPACE" --selector "${label/=/!=}" --output name |
    grep -E '/(chesterdeployment|chesterservice|chesterbudget)$')
  [ -z "$foreign" ] ||
    fail "Somebody else has made ${foreign//$'\n'/ } in the namespace $NAMESPACE: choose another one with NAMESPACE."
  # As the files name them, which `make use` may have changed.
  written=$(written 1)
  # Inside the tree, since kustomize takes no absolute path; a folder for each run, since two may
  # run at once.
  mkdir -p target && overlay=$(mktemp -d target/deploy.XXXXXX) || exit 1
  # shellcheck disable=SC2064 # the value of now
  trap "rm -rf '$overlay'" EXIT
  cat >"$overlay/kustomization.yaml" <<END
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../k8s]
namespace: "$NAMESPACE"
images:
  - { name: "$written/oneapi", newName: "$REGISTRY/oneapi", newTag: "$TAG" }
  - { name: "$written/twoapi", newName: "$REGISTRY/twoapi", newTag: "$TAG" }
END
  if [ -n "$existing" ]; then
    echo "The namespace $NAMESPACE exists and is left as it is."
    cat >>"$overlay/kustomization.yaml" <<'END'
patches:
  - patch: "{ $patch: delete, apiVersion: v1, kind: Namespace, metadata: { name: chesterns } }"
END
  fi
  kubectl apply -k "$overlay"
}

# What is in the namespace, one object a line, without what Kubernetes itself makes in each
# namespace and without what belongs to another object and goes with it.
contents() {
  local all
  all=$(kubectl api-resources --namespaced --verbs=list,delete --output name) || return
  all=$(grep -vxE 'endpoints|events(\.events\.k8s\.io)?|endpointslices\.discovery\.k8s\.io' <<<"$all")
  # shellcheck disable=SC2016 # a Go template's variables
  all=$(kubectl get "${all//$'\n'/,}" --namespace "$NAMESPACE" --output go-template='
{{- range .items }}{{ if not .metadata.ownerReferences }}{{ .kind }}/{{ .metadata.name }}
{{ end }}{{ end -}}') || return
  sort -u <<<"$all" | grep -vxE -e 'ConfigMap/kube-root-ca\.crt' -e 'ServiceAccount/default' -e ''
  return 0
}

delete() {
  local own others='' all="With all that is in it, this deletes it: kubectl delete namespace $NAMESPACE"
  if [ -z "$existing" ]; then
    echo "There is no namespace $NAMESPACE."
    return
  fi
  # In the foreground: it returns when the pods are gone, too.
  kubectl delete "$kinds" --namespace "$NAMESPACE" --selector "$label" --cascade=foreground || exit 1
  own=$(namespace --selector "$label") || exit 1
  [ -z "$own" ] || others=$(contents) || fail "What else is in the namespace $NAMESPACE can't be seen, so it stays. $all"
  if [ -z "$own" ]; then
    echo "The namespace $NAMESPACE was not made by deploy and stays."
  elif [ -n "$others" ]; then
    echo "The namespace $NAMESPACE stays, since there is more in it than was deployed: ${others//$'\n'/ }"
    echo "$all"
  else
    kubectl delete namespace "$NAMESPACE"
  fi
}

"$1"
