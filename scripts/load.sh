#!/bin/bash
# `make load`: copies both images at TAG to the nodes of a kind, minikube or k3d cluster. Which of them
# it is, and the cluster's name there, is read from the first node, since a kube context can have
# any name.

. "$(dirname "$0")/common.sh"
takes '' "$@"

node=$(kubectl get nodes --output \
  'jsonpath={.items[0].spec.providerID}|{.items[0].metadata.labels.minikube\.k8s\.io/name}') ||
  fail "The cluster's nodes can't be read, so it can't be told whether it is kind's, minikube's or k3d's."

# kind://docker/NAME/NODE on kind; k3s://k3d-NAME-server-0 on k3d; minikube labels its nodes with the
# profile's name.
if [[ $node =~ ^kind://[^/]*/([^/]*)/ ]]; then
  tool=kind
  load() { kind load docker-image "$1" --name "$name"; }
elif [[ $node =~ ^k3s://k3d-(.*)-(server|agent)- ]]; then
  tool=k3d
  load() { k3d image import "$1" --cluster "$name"; }
elif [[ $node =~ \|(.+)$ ]]; then
  tool=minikube
  load() { minikube --profile "$name" image load "$1"; }
else
  fail "The cluster is not kind's, minikube's or k3d's, so its nodes pull from a registry: make use REGISTRY=registry.example.com/team, then make image push."
fi
name=${BASH_REMATCH[1]}
command -v "$tool" >/dev/null || fail "The cluster is $tool's, and $tool is not installed on this machine."

for image in "$REGISTRY/oneapi:$TAG" "$REGISTRY/twoapi:$TAG"; do
  load "$image" || fail "$tool could not copy $image to the nodes of $name."
  echo "$image is on the nodes of $name."
done
