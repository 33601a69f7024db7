#!/bin/bash
# `make load`: puts both images at TAG on the nodes of a kind or minikube cluster. Which of them it
# is, and its name there, is asked of the first node; a context's name can be changed by anyone.

set -u

images="$REGISTRY/oneapi:$TAG $REGISTRY/twoapi:$TAG"
node=$(kubectl ${CONTEXT:+--context "$CONTEXT"} get nodes --output \
  'jsonpath={.items[0].spec.providerID}|{.items[0].metadata.labels.minikube\.k8s\.io/name}') || exit 1

# kind://docker/NAME/NODE on kind; minikube labels its nodes with the profile's name.
case $node in
  kind://*)
    tool=kind
    name=${node#kind://*/}
    name=${name%%/*}
    ;;
  *'|'?*)
    tool=minikube
    name=${node#*'|'}
    ;;
  *)
    echo "The cluster is neither kind's nor minikube's: make push brings the images to a registry that its nodes pull from." >&2
    exit 1
    ;;
esac
command -v "$tool" >/dev/null || {
  echo "The cluster is $tool's, and $tool isn't installed here." >&2
  exit 1
}

for image in $images; do
  case $tool in
    kind) kind load docker-image "$image" --name "$name" ;;
    minikube) minikube --profile "$name" image load "$image" ;;
  esac || exit 1
  echo "$image is on the nodes of $name."
done
