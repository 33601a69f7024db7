#!/bin/bash
# `make load`: copies both images at TAG to the nodes of a kind, minikube or k3d cluster. Which of them
# it is, and the cluster's name there, is read from the first node, since a kube context can have
# any name.

set -u

images="$REGISTRY/oneapi:$TAG $REGISTRY/twoapi:$TAG"
node=$(kubectl ${CONTEXT:+--context "$CONTEXT"} get nodes --output \
  'jsonpath={.items[0].spec.providerID}|{.items[0].metadata.labels.minikube\.k8s\.io/name}') || {
  echo "The cluster's nodes can't be read, so it can't be told whether it is kind's, minikube's or k3d's." >&2
  exit 1
}

# kind://docker/NAME/NODE on kind; k3s://k3d-NAME-server-0 on k3d; minikube labels its nodes with the
# profile's name.
case $node in
  kind://*)
    tool=kind
    name=${node#kind://*/}
    name=${name%%/*}
    ;;
  k3s://k3d-*)
    tool=k3d
    name=${node#k3s://k3d-}
    name=${name%'|'*}
    name=${name%-server-*}
    name=${name%-agent-*}
    ;;
  *'|'?*)
    tool=minikube
    name=${node#*'|'}
    ;;
  *)
    echo "The cluster is not kind's, minikube's or k3d's: push the images to a registry that its nodes pull from, with make push REGISTRY=REGISTRY." >&2
    exit 1
    ;;
esac
command -v "$tool" >/dev/null || {
  echo "The cluster is $tool's, and $tool is not installed on this machine." >&2
  exit 1
}

for image in $images; do
  case $tool in
    kind) kind load docker-image "$image" --name "$name" ;;
    minikube) minikube --profile "$name" image load "$image" ;;
    k3d) k3d image import "$image" --cluster "$name" ;;
  esac || {
    echo "$tool could not copy $image to the nodes of $name." >&2
    exit 1
  }
  echo "$image is on the nodes of $name."
done
