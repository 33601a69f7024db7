#!/bin/bash
# `make check`: says whether the cluster is in the state to which an exercise of the tutorial leads. It changes
# nothing. The exit code is 0 if it is, 1 if it isn't yet, and 2 if there is no such exercise.
#
#   scripts/check.sh [STEP]   a part of the tutorial and a step in it, such as first-steps-1; none: lists them
#
# Deployments are in NAMESPACE, single pods in the current namespace. CONTEXT is the kube context; none: the
# current one.

. "$(dirname "$0")/common.sh"

# The step; the namespace, or none for the current one; the object; what is asked of it, in words and as a path in
# it; and the answer, which is none if the object should be gone. It isn't printed before it is found.
deployment=$NAMESPACE'|deployment/chesterdeployment'
exercises="\
first-steps-1||pod/shell|the reason for the end of the Pod shell|{.status.containerStatuses[0].state.terminated.reason}|StartError
first-steps-2||pod/oneapi|the Pod oneapi|{.status.phase}|
first-steps-3||pod/twins|the exit code of the second container of the Pod twins|{.status.containerStatuses[1].lastState.terminated.exitCode}|1
probes-3||pod/eager|the number of restarts of the Pod eager|{.status.containerStatuses[0].restartCount}|1
probes-5||pod/too-slow|the way in which the first run of the Pod too-slow has ended|{.status.containerStatuses[0].lastState.terminated.reason}|Completed
deployments-1|$NAMESPACE|pods --selector app=alone|the label app of the lone Pod|{.items[*].metadata.labels.app}|alone
deployments-2|$deployment|the image of twoapi in the Deployment|{.spec.template.spec.containers[1].image}|$REGISTRY/oneapi:$TAG
deployments-5|$deployment|the number of Pods that the Deployment is to have|{.spec.replicas}|0
deployments-7|$deployment|what the Deployment has|maxSurge {.spec.strategy.rollingUpdate.maxSurge} and {.status.replicas} Pods|maxSurge 25% and 4 Pods
cpu-5|$deployment|the number of Pods that the autoscaler has set|{.spec.replicas}|4
nothing-lost-1||pod/load|the phase of the Pod load|{.status.phase}|Succeeded
nodes-2|$NAMESPACE|poddisruptionbudgets|the budget that allows no Pod to be missing|{.items[?(@.status.desiredHealthy==@.status.expectedPods)].metadata.name}|chesterbudget"

step=${1:-} names=
while IFS='|' read -r name namespace object what path answer; do
  [ "$name" != "$step" ] || break
  names="$names $name"
done <<<"$exercises"
if [ -z "$*" ]; then
  echo "STEP is one of these:$names."
  exit
fi
[[ $# -le 1 && -n $name ]] || unusable "STEP is one of these, not \"$*\":$names."

read -ra object <<<"$object ${namespace:+--namespace $namespace}"
value=$(kubectl get "${object[@]}" --ignore-not-found --output "jsonpath=$path" 2>&1) ||
  fail "It can't be seen what $what is: $(last_line "$value")"
if [ "$value" != "$answer" ]; then
  [ -n "$value" ] || [ -n "$(kubectl get "${object[@]}" --ignore-not-found --output name 2>/dev/null)" ] ||
    fail "Not yet: nothing is found by: kubectl get ${object[*]}"
  fail "Not yet: $what is ${value:-unknown}. Look at: kubectl describe ${object[*]}"
fi
echo "As asked: $what is ${value:-gone}."
