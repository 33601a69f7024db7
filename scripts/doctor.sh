#!/bin/bash
# Says what keeps the services, the commands or the lessons from working, and what fixes it.
#
#   scripts/doctor.sh              `make doctor`: looks at everything, in the order in which people fail
#   scripts/doctor.sh need WHAT…   before a command: one line about the first missing thing of check(), exit code 1
#
# The first changes nothing but a namespace of its own, which it deletes in the end. Its exit code is 1 if it
# found a problem, 3 if it found none but could not look at everything, and else 0, warnings or not. The
# commands that it prints can be pasted into any shell.

. "$(dirname "$0")/common.sh"
[ "${1:-}" = need ] || takes '' "$@"

timeout=${DOCTOR_TIMEOUT:-45} # seconds; more than a node takes for two images of 3 MB
problem=0 warning=0 unknown=0 # how many
needed=                       # yes for `need`
old='Server Version: v(1\.(1?[0-9]|2[0-8]))\.' # than the manifests ask for

say() { # KIND SENTENCE
  [ -n "$needed" ] || printf '%-9s %s\n' "$1" "$2"
}

unseen() { # WHAT ERROR
  unknown=$((unknown + 1))
  say unseen "$1 can't be looked at: $(last_line "$2")"
  return 1
}

finding() { # KIND SECTION SENTENCE [COMMAND…]
  local section=$2
  if [ -n "$needed" ]; then
    echo "${3%.}${4:+; try: $4}${5:+, or: $5}" >&2
    exit 1
  fi
  (($1 += 1))
  say "$1" "$3"
  shift 3
  [ $# -eq 0 ] || printf '            %s\n' "$@"
  echo "          See docs/troubleshooting.md#$section"
  return 1
}

kubectl() { command kubectl ${CONTEXT:+--context "$CONTEXT"} --request-timeout=10s "$@"; } # less than a user's patience

# ON_MACOS ON_LINUX
by_system() { if [ "$(uname -s)" = Darwin ]; then echo "$1"; else echo "$2"; fi; }

check_installed() { # PROGRAM COMMAND
  type -P "$1" >/dev/null && say ok "$1 is installed." && return # -P: not the function kubectl
  finding warning tools "$1 is not installed." "$2"
}

check_images() {
  local image
  for image in "$REGISTRY/oneapi:$TAG" "$REGISTRY/twoapi:$TAG"; do
    docker image inspect "$image" >/dev/null 2>&1 ||
      finding warning tools "There is no image $image on this machine." "make image REGISTRY=$REGISTRY TAG=$TAG"
  done
}

engine= # the architecture of the docker engine, if it answers
check_docker() {
  local said mend
  check_installed docker "$(by_system 'brew install --cask docker-desktop' 'curl -fsSL https://get.docker.com | sh')" || return
  said=$(docker version --format '{{.Server.Arch}}' 2>&1) && engine=$(last_line "$said") &&
    say ok "The docker engine answers." && return
  mend=$(by_system 'open -a Docker' 'sudo systemctl start docker')
  [[ $said != *'permission denied'* ]] || mend="sudo usermod -aG docker \"\$USER\""
  finding warning tools "The docker engine doesn't answer: $(last_line "$said")" "$mend"
}

check_cluster() {
  local why list='kubectl config get-contexts' context=${CONTEXT:-$(kubectl config current-context 2>/dev/null)}
  if [ -z "$context" ]; then
    finding problem no-cluster "kubectl has no current context, so no cluster is chosen." 'kind create cluster' "$list"
  elif ! kubectl config get-contexts "$context" >/dev/null 2>&1; then
    finding problem no-cluster "There is no kube context $context; CONTEXT=NAME chooses another one." "$list"
  elif ! why=$(kubectl get --raw /readyz 2>&1 >/dev/null); then
    finding problem no-cluster "The cluster of the kube context $context doesn't answer: $(last_line "$why")" "$list"
  else
    say ok "The cluster of the kube context $context answers."
  fi
}

check() { # WHAT
  case $1 in
    names) scripts/use.sh check || exit ;;
    docker | images | cluster) "check_$1" ;;
    cargo) check_installed cargo "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --default-toolchain none" ;;
    cc) check_installed cc "$(by_system 'xcode-select --install' 'sudo apt-get install gcc libc6-dev')" ;;
    cargo-fuzz) check_installed cargo-fuzz 'cargo install --locked cargo-fuzz' ;;
    c++) check_installed c++ "$(by_system 'xcode-select --install' 'sudo apt-get install g++')" ;;
    curl) check_installed curl "$(by_system 'brew install curl' 'sudo apt-get install curl')" ;;
    npm) check_installed npm "$(by_system 'brew install node' 'sudo snap install node --classic')" ;;
    go) check_installed go "$(by_system 'brew install go' 'sudo snap install go --classic')" ;;
    python3) check_installed python3 "$(by_system 'brew install python' 'sudo apt-get install python3')" ;;
    prometheus | promtool) check_installed "$1" "$(by_system 'brew install prometheus' 'sudo apt-get install prometheus')" ;;
    ip) check_installed ip 'sudo apt-get install iproute2' ;;
    busybox) check_installed busybox 'sudo apt-get install busybox-static' ;;
    qemu-amd64) check_installed qemu-system-x86_64 'sudo apt-get install qemu-system-x86' ;;
    qemu-arm64) check_installed qemu-system-aarch64 'sudo apt-get install qemu-system-arm' ;;
    kubectl) check_installed kubectl "$(by_system 'brew install kubectl' 'sudo snap install kubectl --classic')" ;;
    *) unusable "There is no $1 to need." ;;
  esac
}

nodes=                     # those that take pods, one a line: name|architecture
to_nodes='make image push' # how images that are built here get there
check_nodes() {
  local said name arch runtime state id minikube metrics hidden=''
  said=$(kubectl get nodes --selector kubernetes.io/os=linux --output 'jsonpath={range .items[*]}{.metadata.name}|{.status.nodeInfo.architecture}|{.status.nodeInfo.containerRuntimeVersion}|{.status.conditions[?(@.type=="Ready")].status} {.spec.unschedulable} {.spec.taints[*].effect}|{.spec.providerID}|{.metadata.labels.minikube\.k8s\.io/name}{"\n"}{end}' 2>&1) ||
    unseen "The nodes" "$said" || return
  while IFS='|' read -r name arch runtime state id minikube; do
    case "$id $minikube" in kind://* | k3s://k3d-* | *' '?*) to_nodes='make image load' ;; esac
    [ "$name" != docker-desktop ] || to_nodes='make image' # its node runs what docker has built
    case $state in 'True  ' | 'True  PreferNoSchedule') nodes=$nodes$name'|'$arch$'\n' ;; esac
    [[ $runtime != containerd://1.* ]] ||
      finding warning old-nodes "The node $name has $runtime, which kubelets refuse from Kubernetes 1.38 on."
    metrics=$(kubectl get --raw "/api/v1/nodes/$name/proxy/metrics" 2>&1 | grep -E '^(kubelet_cgroup_version|Error)')
    case $metrics in
      *_version' 1') finding warning old-nodes "The node $name has cgroup v1, which kubelets refuse by default since Kubernetes 1.35." ;;
      *_version' '*) ;;
      *)
        # Once, since it is the same for all of them.
        [ -n "$hidden" ] || unseen "The cgroup version of the node $name" "${metrics:-no kubelet_cgroup_version in its metrics}"
        hidden=yes
        ;;
    esac
  done <<<"$said"
  nodes=${nodes%$'\n'}
  [ -n "$nodes" ] && say ok "Nodes that take Pods: $(grep -c . <<<"$nodes") of $(grep -c . <<<"$said")." && return
  finding problem pending "No node takes Pods: each one is not Ready, is cordoned or has a taint." 'kubectl describe nodes'
}

check_architecture() {
  local name arch built
  [ -n "$engine" ] || return
  built=$(docker image inspect --format '{{.Architecture}}' "$REGISTRY/oneapi:$TAG" 2>/dev/null) || built=$engine
  IFS='|' read -r name arch < <(grep -v "|$built\$" <<<"$nodes") ||
    { say ok "The nodes are $built, as images that are built here are." && return; }
  finding problem exec-format-error "The node $name is $arch, and images that are built here are $built." \
    "$to_nodes DOCKER_BUILD_FLAGS=--platform=linux/$arch"
}

# The tutorial's pod with the images in use.
pod() { # NAME
  sed -E -e "s|^  name: chesterapi|  name: $1|" -e "s|( image: ).*/(.*):.*|\1$REGISTRY/\2:$TAG|" k8s/pod.yaml
}

refused() { # NAMESPACE WHY
  local section=forbidden-exceeded-quota
  [[ $2 != *PodSecurity* ]] || section=forbidden-violates-podsecurity
  finding problem $section "The namespace $1 doesn't admit the tutorial's pod: $(last_line "$2")" "kubectl describe resourcequotas,limitranges --namespace $1"
}

# Has each node that takes pods run one of the node's name, in a namespace of the doctor's own.
own= # that namespace, once it is made
check_pods() {
  local name=chester-doctor-$RANDOM said node container reason message until=$((SECONDS + timeout)) section=crashloopbackoff seen=0 found=''
  local template='{{range $pod := .items}}{{range .status.containerStatuses}}{{$pod.spec.nodeName}}|{{.name}}|{{with .state.waiting}}{{.reason}}|{{.message}}{{end}}{{with .state.terminated}}{{.reason}}{{end}}{{"\n"}}{{end}}{{end}}'
  said=$(sed "s|^  name: .*|  name: $name|" k8s/ns.yaml | kubectl create --filename - 2>&1) ||
    unseen "Whether the nodes can pull the images" "$said" || return
  own=$name
  # It requests nothing, so that a node that is full of requests takes it too.
  while IFS='|' read -r node _; do
    said=$(pod "$node" | sed -e '/^      resources:/,/^          memory: 64Mi/d' -e "s|^spec:|&\\
  nodeName: $node|" | kubectl create --namespace "$own" --filename - 2>&1) || { refused "$own" "$said" || return; }
  done <<<"$nodes"
  # Seen twice, since a program that can't be executed runs for a moment.
  while [ "$seen" -lt 2 ] && [ "$SECONDS" -lt "$until" ]; do
    sleep 0.5
    found=$(kubectl get pods --namespace "$own" --output go-template="$template" 2>/dev/null)
    [ "$(grep -cv '|ContainerCreating|' <<<"$found")" -lt $(($(grep -c . <<<"$nodes") * 2)) ] || seen=$((seen + 1))
  done
  # The first that doesn't run and is not merely slow.
  IFS='|' read -r node container reason message < <(grep '|[A-Z]' <<<"$found" | grep -v '|ContainerCreating|')
  case $seen$reason in
    2) say ok "The nodes pull and run $REGISTRY/oneapi:$TAG and $REGISTRY/twoapi:$TAG." ;;
    *Pull* | *Image* | *Registry*)
      message=${message##*'": '} # the image's name comes again and again; the cause is in the end
      finding problem imagepullbackoff-errimagepull "The node $node can't pull $REGISTRY/$container:$TAG: $reason: $message" \
        "$to_nodes" 'make use REGISTRY=registry.example.com/team'
      ;;
    ?[A-Z]*)
      [[ $reason != CrashLoopBackOff && -n $message ]] ||
        message=$(last_line "$(kubectl logs --namespace "$own" "$node" --container "$container" 2>&1)")
      [[ $message != *'exec format error'* ]] || section=exec-format-error
      finding problem $section "$REGISTRY/$container:$TAG doesn't run on the node $node: $reason: $message"
      ;;
    *) finding problem pending "The tutorial's pod has not started on each node within $timeout s." 'kubectl describe nodes' ;;
  esac
}

# In the namespaces of the lessons and of the Deployment.
check_admission() {
  local said namespace
  namespace=$(kubectl config view --minify --output 'jsonpath={..namespace}')
  for namespace in $(printf '%s\n' "${namespace:-default}" "$NAMESPACE" | sort -u); do
    said=$(pod chester-doctor | kubectl create --dry-run=server --namespace "$namespace" --filename - 2>&1) ||
      [[ $said == *'namespaces "'*'" not found'* ]] || refused "$namespace" "$said"
  done
}

check_metrics() {
  local said mend='kubectl logs --namespace kube-system deployment/metrics-server --tail=5'
  said=$(kubectl top nodes 2>&1) && say ok "metrics-server has figures." && return
  [[ $said != *'Metrics API not available'* ]] ||
    mend='kubectl apply -f https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml'
  finding warning no-metrics-server "kubectl top and autoscalers have no figures: $(last_line "$said")" "$mend"
}

check_autoscalers() {
  local said
  said=$(kubectl get hpa --namespace "$NAMESPACE" --output 'jsonpath={range .items[*]}{.spec.scaleTargetRef.name} {.status.conditions[?(@.type=="ScalingActive")].message}{"\n"}{end}' 2>&1) ||
    unseen "The autoscalers" "$said" || return
  said=$(grep -m 1 'missing request for cpu' <<<"$said") || return
  finding warning an-autoscaler-says-unknown "The Deployment ${said%% *} has no CPU request, of which its autoscaler's target is a percentage." \
    "kubectl set resources deployment/${said%% *} --namespace $NAMESPACE --requests=cpu=100m"
}

if [ $# -gt 0 ]; then
  needed=yes
  for what in "${@:2}"; do check "$what"; done
  exit 0
fi

trap '[ -z "$own" ] || kubectl delete namespace "$own" --ignore-not-found --wait=false >/dev/null 2>&1' EXIT
trap 'exit 130' INT TERM HUP
check cargo
check docker
[ "$(docker info --format '{{.CgroupVersion}}' 2>/dev/null)" != 1 ] ||
  finding warning old-nodes "docker has cgroup v1, which kubelets of nodes in docker refuse by default since Kubernetes 1.35."
if check kubectl && check cluster; then
  said=$(kubectl version 2>&1)
  [[ ! $said =~ $old ]] ||
    finding warning tools "The cluster has Kubernetes ${BASH_REMATCH[1]}, and the manifests ask for 1.29 or newer."
  [[ $said != *'WARNING: version difference'* ]] || finding warning tools "kubectl says: $(grep WARNING: <<<"$said")"
  if check_nodes; then
    check_architecture
    check_pods
  fi
  check_admission
  check_metrics
  check_autoscalers
fi
end="Problems: $problem. Warnings: $warning." code=$((problem > 0))
if [ "$unknown" -gt 0 ]; then
  [ "$problem" -gt 0 ] || code=3 # whether all is well is unknown
  end="$end Could not be looked at: $unknown. The exit code is $code."
fi
printf '\n%s\n' "$end"
exit "$code"
