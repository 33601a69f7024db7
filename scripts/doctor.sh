#!/bin/bash
# `make doctor`: looks at this machine and at the cluster for whatever would keep the services or the
# tutorial from working. Each line is one of:
#
#   ok        it is as it should be
#   problem   it keeps the services from running; below it is the command that mends it
#   warning   it keeps a part of the verbs or of the lessons from working; likewise
#   unseen    it can't be looked at, and why
#
# Problems and warnings are the findings. Without any it exits with 0, else with 1.
#
# It changes nothing that is there. To see whether nodes can pull and run the images, and whether
# names are resolved, it makes a namespace of its own, and deletes it in the end; it waits for at most
# DOCTOR_TIMEOUT seconds there. It keeps to bash 3.2, since macOS has that.

set -u
cd "$(dirname "$0")/.." || exit 1

# More than a node takes for images of 3 MB, less than a user's patience.
timeout=${DOCTOR_TIMEOUT:-45}
# The minor versions of Kubernetes: the oldest that has all that the services and most lessons need,
# and the one that the tests run on.
oldest=29
tested=37

problems=0
warnings=0
unseen=0

line() { # KIND SENTENCE [COMMAND…]
  printf '%-9s %s\n' "$1" "$2"
  shift 2
  local command
  for command; do
    # Words about a command stand above it: behind it, an interactive zsh passes them as arguments.
    case $command in
      *'   # '*)
        printf '          %s:\n' "${command#*   # }"
        command=${command%%   # *}
        ;;
    esac
    printf '            %s\n' "$command"
  done
}
ok() { line ok "$@"; }
problem() {
  problems=$((problems + 1))
  line problem "$@"
}
warning() {
  warnings=$((warnings + 1))
  line warning "$@"
}
unseen() { # WHAT WHY
  unseen=$((unseen + 1))
  line unseen "$1 can't be looked at: $2"
}

kubectl() {
  # 10 s: more than a remote cluster takes for an answer.
  command kubectl ${CONTEXT:+--context "$CONTEXT"} --request-timeout=10s "$@"
}

installed() {
  type -P "$1" >/dev/null # a program, and not the function kubectl of above
}

# The last line of an error, which is the one that says what is wrong.
last_line() {
  printf '%s\n' "$1" | grep . | tail -n 1
}

# Whether the first version is that of the second, or newer: the first two numbers count.
at_least() {
  local major=${1%%.*} minor wanted_major=${2%%.*} wanted_minor=${2#*.}
  minor=${1#*.}
  minor=${minor%%[!0-9]*}
  [ "$major" -gt "$wanted_major" ] || { [ "$major" -eq "$wanted_major" ] && [ "${minor:-0}" -ge "$wanted_minor" ]; }
} 2>/dev/null

# The first number with a full stop in it: 3.81 of "GNU Make 3.81", 1.95.0 of "cargo 1.95.0 (…)".
version_in() {
  printf '%s\n' "$1" | sed -n -E 's/^[^0-9]*([0-9]+(\.[0-9]+)+).*/\1/p' | {
    read -r version
    echo "${version:-}"
  }
}

on_macos() {
  [ "$(uname -s 2>/dev/null)" = Darwin ]
}

check_make() {
  local said=${GNU_MAKE:-}
  [ -n "$said" ] || said=$(make --version 2>&1 | sed -n 's/^GNU Make //p')
  if [ -z "$said" ]; then
    warning "There is no GNU make here called make, which the Makefile needs; on BSD it is called gmake." 'gmake doctor'
  elif at_least "$said" 3.81; then
    ok "GNU make $said."
  else
    warning "GNU make is $said, and 3.81 or newer is needed." 'https://www.gnu.org/software/make says where to get it.'
  fi
}

check_cargo() {
  local wanted said
  wanted=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
  if installed rustup; then
    ok "rustup, which fetches the Rust $wanted that rust-toolchain.toml names."
  elif ! installed cargo; then
    warning "cargo is not installed: make run, test, e2e, prove and bench need it; images are built without it." \
      "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
  else
    said=$(version_in "$(cargo --version 2>&1)")
    if at_least "$said" "$wanted"; then
      ok "cargo $said."
    else
      warning "cargo is ${said:-of an unknown version}, and the sources need $wanted." \
        "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
    fi
  fi
}

# Linked for real: on macOS cc is there even when the developer tools aren't, and a gcc may have no
# libc to link with.
check_linker() {
  local why mend
  if on_macos; then
    mend='xcode-select --install'
  elif installed apt-get; then
    mend='sudo apt-get install gcc libc6-dev'
  elif installed dnf; then
    mend='sudo dnf install gcc glibc-devel'
  elif installed apk; then
    mend='sudo apk add gcc musl-dev'
  else
    mend='Install gcc or clang, with the headers of the C library.'
  fi
  if ! installed cc; then
    warning "There is no C linker called cc, which Rust needs: make run, test, e2e, prove and bench can't be built." "$mend"
  elif why=$(echo 'int main(void) { return 0; }' | cc -x c - -o "$work/linked" 2>&1); then
    ok "The C linker cc."
  else
    warning "The C linker cc can't link a program: $(last_line "$why")" "$mend"
  fi
}

engine= # the architecture of the docker engine, if it answers
check_docker() {
  local said client server
  if ! installed docker; then
    problem "docker is not installed, and make image needs it." 'https://docs.docker.com/engine/install says how to install it.'
    return
  fi
  if ! said=$(docker version --format '{{.Client.Version}} {{.Server.Version}} {{.Server.Arch}}' 2>&1); then
    if on_macos; then
      problem "docker is installed, but its engine doesn't answer: $(last_line "$said")" 'open -a Docker'
    else
      problem "docker is installed, but its engine doesn't answer: $(last_line "$said")" 'sudo systemctl start docker' "sudo usermod -aG docker \"\$USER\"   # if permission is denied; then log in again"
    fi
    return
  fi
  said=$(last_line "$said")
  # shellcheck disable=SC2086 # three words
  set -- $said
  client=$1 server=${2:-} engine=${3:-}
  if ! at_least "$server" 18.9; then
    problem "The docker engine is $server, and BuildKit, which make image needs, came with 18.09." 'https://docs.docker.com/engine/install says how to update it.'
  elif at_least "$client" 23.0 && ! docker buildx version >/dev/null 2>&1; then
    # Since docker 23 the client builds by this plugin alone; some distributions package it apart.
    problem "docker $client is installed without its plugin buildx, so make image has no BuildKit." 'sudo apt-get install docker-buildx-plugin   # docker-buildx in packages of Debian and Ubuntu'
  else
    ok "docker $client, its engine $server ($engine) and BuildKit."
  fi
}

has_kubectl= # yes, if there is one
client_minor=
check_kubectl() {
  local said
  if ! installed kubectl; then
    problem "kubectl is not installed." 'https://kubernetes.io/docs/tasks/tools says how to install it.'
    return
  fi
  has_kubectl=yes
  said=$(command kubectl version --client 2>/dev/null)
  said=$(version_in "$said")
  client_minor=${said#*.}
  client_minor=${client_minor%%.*}
  ok "kubectl ${said:-of an unknown version}."
}

# Who has it, if it says so by itself.
who_has() { # PORT
  local answer='' answered
  trap '' PIPE # it may have closed the connection already
  # An HTTP server says in its head what it is. 1 s: it is on this machine.
  if exec 3<>"/dev/tcp/127.0.0.1/$1"; then
    printf 'GET /info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
    # The last line may have no end.
    while IFS= read -r -t 1 answered <&3 || [ -n "$answered" ]; do
      answer=$answer$answered
      [ "${#answer}" -lt 2000 ] || break
    done
    exec 3>&- 3<&-
  fi
  case $answer in
    *AirTunes*) echo "AirPlay Receiver of macOS" ;;
    *'"service":"oneapi"'*) echo "oneapi" ;;
    *'"service":"twoapi"'*) echo "twoapi" ;;
    *) echo "another program" ;;
  esac
} 2>/dev/null

check_ports() {
  local port number host who other
  for port in "ONEAPI_PORT=${ONEAPI_PORT:-5000}" "TWOAPI_PORT=${TWOAPI_PORT:-5001}"; do
    number=${port#*=}
    who=
    for host in 127.0.0.1 ::1; do
      # Whoever accepts a connection has the port.
      if (: <"/dev/tcp/$host/$number") 2>/dev/null; then
        who=$(who_has "$number")
        who=${who:-another program}
        break
      fi
    done
    other=$((number < 65436 ? number + 100 : number - 100))
    case $who in
      '') ok "Port $number of this machine is free." ;;
      oneapi | twoapi) ok "Port $number of this machine is $who's, which runs already or is forwarded to." ;;
      AirPlay*)
        warning "Port $number of this machine is taken by $who: make run and kubectl port-forward need another one." \
          "make run ${port%%=*}=$other" \
          'open "x-apple.systempreferences:com.apple.AirDrop-Handoff-Settings.extension"   # or switch AirPlay Receiver off'
        ;;
      *)
        warning "Port $number of this machine is taken by $who: make run and kubectl port-forward need another one." \
          "make run ${port%%=*}=$other" \
          "lsof -nP -iTCP:$number -sTCP:LISTEN   # says who has it"
        ;;
    esac
  done
}

cluster= # why there is none; empty: it answers
check_cluster() {
  local context why
  if [ -z "$has_kubectl" ]; then
    cluster="kubectl is not installed."
    return
  fi
  context=${CONTEXT:-$(command kubectl config current-context 2>/dev/null)}
  if [ -z "$context" ]; then
    cluster="kubectl has no current context."
    problem "kubectl has no current context, so no cluster is chosen." \
      'kind create cluster' 'kubectl config use-context NAME   # one of: kubectl config get-contexts'
  elif ! command kubectl config get-contexts "$context" >/dev/null 2>&1; then
    cluster="there is no kube context $context."
    problem "There is no kube context $context." 'kubectl config get-contexts'
  elif ! why=$(command kubectl --context "$context" --request-timeout=10s get --raw /readyz 2>&1 >/dev/null); then
    cluster="the cluster doesn't answer."
    problem "The cluster of the kube context $context doesn't answer: $(last_line "$why")" \
      'kubectl config use-context NAME   # one of: kubectl config get-contexts' \
      'minikube start, k3d cluster start NAME or docker start kind-control-plane   # if it is stopped'
  else
    ok "The cluster of the kube context $context answers."
  fi
}

check_versions() {
  local said minor skew
  if ! said=$(kubectl version 2>&1); then
    unseen "The cluster's version" "$(last_line "$said")"
    return
  fi
  said=$(printf '%s\n' "$said" | sed -n -E 's/^Server Version: .*v([0-9.]+).*/\1/p')
  minor=${said#*.}
  minor=${minor%%.*}
  case $minor in
    '' | *[!0-9]*)
      unseen "The cluster's version" "kubectl version doesn't tell it."
      return
      ;;
  esac
  if [ "$minor" -lt "$oldest" ]; then
    warning "The cluster runs Kubernetes $said; supported is 1.$oldest or newer, and the tests run on 1.$tested." \
      "kind create cluster   # or update it: https://kubernetes.io/docs/tasks/administer-cluster/cluster-upgrade"
  elif [ "$minor" -lt "$tested" ]; then
    ok "The cluster runs Kubernetes $said. Lessons that need a newer one, up to 1.$tested, say so."
  else
    ok "The cluster runs Kubernetes $said."
  fi
  case $client_minor in
    '' | *[!0-9]*) ;;
    *)
      skew=$((client_minor - minor))
      if [ "${skew#-}" -gt 1 ]; then
        warning "kubectl is 1.$client_minor and the cluster is 1.$minor; they may differ by one minor version." \
          "https://kubernetes.io/docs/tasks/tools says how to install kubectl 1.$minor."
      fi
      ;;
  esac
}

provider=other
nodes=     # those of Linux, one a line, as read below
runnable=0 # how many of them take pods
check_nodes() {
  local said name arch os kubelet ready cordoned taints userns id minikube idle=''
  if ! said=$(kubectl get nodes --output 'jsonpath={range .items[*]}{.metadata.name}|{.status.nodeInfo.architecture}|{.status.nodeInfo.operatingSystem}|{.status.nodeInfo.kubeletVersion}|{.status.conditions[?(@.type=="Ready")].status}|{.spec.unschedulable}|{.spec.taints[*].effect}|{.status.runtimeHandlers[*].features.userNamespaces}|{.spec.providerID}|{.metadata.labels.minikube\.k8s\.io/name}{"\n"}{end}' 2>&1); then
    unseen "Nodes, their architecture and hostUsers" "$(last_line "$said")"
    return
  fi
  while IFS='|' read -r name arch os kubelet ready cordoned taints userns id minikube; do
    [ "$os" = linux ] || continue
    nodes="$nodes$name|$arch|$kubelet|$userns
"
    case $id in
      kind://*) provider=kind ;;
      k3s://k3d-*) provider=k3d ;;
    esac
    [ -z "$minikube" ] || provider=minikube
    # Its other kind of cluster is kind's, too.
    [ "$name" != docker-desktop ] || provider=docker-desktop
    if [ "$ready" = True ] && [ "$cordoned" != true ] && [[ $taints != *NoSchedule* ]] && [[ $taints != *NoExecute* ]]; then
      runnable=$((runnable + 1))
    elif [ "$ready" != True ]; then
      idle="$name is not Ready"
    elif [ "$cordoned" = true ]; then
      idle="$name is cordoned"
    else
      idle="$name has a taint that our pods don't tolerate"
    fi
  done <<<"$said"
  if [ "$runnable" -gt 0 ]; then
    ok "$runnable of the cluster's nodes take pods."
  elif [ -z "$nodes" ]; then
    problem "The cluster has no node that runs Linux, so pods stay Pending." 'kubectl get nodes'
  else
    case $idle in
      *cordoned) problem "No node takes pods, so they stay Pending: $idle." "kubectl uncordon ${idle%% *}" ;;
      *taint*) problem "No node takes pods, so they stay Pending: $idle." "kubectl describe node ${idle%% *} | grep -A 3 Taints" \
        "kubectl taint node ${idle%% *} node-role.kubernetes.io/control-plane:NoSchedule-   # if it is that one" ;;
      *) problem "No node takes pods, so they stay Pending: $idle." "kubectl describe node ${idle%% *}" ;;
    esac
  fi
}

# How images that are built here get to the nodes.
to_nodes() {
  case $provider in
    kind | minikube | k3d) echo "make image load" ;;
    docker-desktop) echo "make image" ;;
    *) echo "make image push" ;;
  esac
}

check_architecture() {
  local service image built='' source name arch alien='' same=''
  [ -n "$nodes" ] || return
  for service in oneapi twoapi; do
    [ -n "$engine" ] || break
    image=$REGISTRY/$service:$TAG
    built=$(docker image inspect --format '{{.Architecture}}' "$image" 2>/dev/null) && break
    built=
  done
  if [ -z "$engine" ]; then
    unseen "The images' architecture" "no docker engine answers here."
    return
  fi
  source="the images on this machine are"
  if [ -z "$built" ]; then
    source="there are no images at $REGISTRY and $TAG on this machine, and make image would build them for"
    built=$engine
  fi
  while IFS='|' read -r name arch _; do
    [ -n "$name" ] || continue
    if [ "$arch" = "$built" ]; then same=yes; else alien="$name|$arch"; fi
  done <<<"$nodes"
  if [ -z "$alien" ]; then
    ok "The nodes are $built, and $source $built."
  elif [ -n "$same" ]; then
    warning "The node ${alien%%|*} is ${alien#*|}, and $source $built: containers there end with \"exec format error\"." \
      "kubectl cordon ${alien%%|*}   # keeps our pods off it"
  else
    problem "The nodes are ${alien#*|}, and $source $built: containers would end with \"exec format error\"." \
      "$(to_nodes) DOCKER_BUILD_FLAGS=--platform=linux/${alien#*|}"
  fi
}

# Since 1.30 a kubelet asks its runtime, and refuses such pods if the runtime can't do it.
check_host_users() {
  local name kubelet userns minor old='' refusing=''
  [ -n "$nodes" ] || return
  while IFS='|' read -r name _ kubelet userns; do
    [ -n "$name" ] || continue
    minor=${kubelet#*.}
    minor=${minor%%.*}
    if [[ $userns == *true* ]]; then
      continue
    elif [ "${minor:-0}" -lt 30 ] 2>/dev/null; then
      old="$name|$kubelet"
    else
      refusing=$name
    fi
  done <<<"$nodes"
  if [ -n "$old" ]; then
    warning "The kubelet of ${old%%|*} is ${old#*|}: before 1.30 a runtime that has no user namespaces ignores hostUsers: false in silence. Nothing here needs it." \
      'kubectl get nodes -o wide   # containerd from 2.0 and CRI-O from 1.25 have them; and update the kubelet'
  elif [ -n "$refusing" ]; then
    ok "hostUsers: false is not ignored: the runtime of $refusing has no user namespaces, and its kubelet refuses such pods. Nothing here needs it."
  else
    ok "hostUsers: false gives pods a user namespace."
  fi
}

# The pods that the namespace of our own is for: one on each node that takes pods.
manifest() {
  cat <<YAML
apiVersion: v1
kind: Namespace
metadata:
  name: $own
  labels: { chesterapi-doctor: "", pod-security.kubernetes.io/enforce: restricted }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: doctor, namespace: $own }
spec:
  selector: { matchLabels: { app: doctor } }
  template:
    metadata: { labels: { app: doctor } }
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 1
      nodeSelector: { kubernetes.io/os: linux }
      securityContext: { runAsNonRoot: true, seccompProfile: { type: RuntimeDefault } }
      containers:
        - name: oneapi
          image: $REGISTRY/oneapi:$TAG
          imagePullPolicy: IfNotPresent
          securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: [ALL] } }
        - name: twoapi
          image: $REGISTRY/twoapi:$TAG
          imagePullPolicy: IfNotPresent
          securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: [ALL] } }
---
apiVersion: v1
kind: Service
metadata: { name: doctor, namespace: $own }
spec:
  selector: { app: doctor }
  ports: [{ port: 5000 }]
YAML
}

own= # the namespace of our own, once it is made
cleanup() {
  if [ -n "$own" ]; then
    kubectl delete namespace "$own" --ignore-not-found --wait=false >/dev/null 2>&1 ||
      echo "The namespace $own could not be deleted: kubectl delete namespace $own" >&2
  fi
  rm -rf "$work"
}

# One pod a line: its name, its node, and for each container that the kubelet tells of: its name, the
# reason for which it doesn't run, when it has started.
pods() {
  kubectl get pods --namespace "$own" --output 'jsonpath={range .items[*]}{.metadata.name}|{.spec.nodeName}|{range .status.containerStatuses[*]}{.name},{.state.waiting.reason}{.state.terminated.reason},{.state.running.startedAt};{end}{"\n"}{end}'
}

# Why a container of a pod of ours doesn't run, in the kubelet's or the program's own words.
why() { # POD CONTAINER REASON
  local said
  case $3 in
    *Pull* | *Image* | Registry*)
      said=$(kubectl get events --namespace "$own" --field-selector "involvedObject.name=$1,reason=Failed" \
        --output 'jsonpath={range .items[*]}{.message}{"\n"}{end}' 2>/dev/null | grep -F "/$2:$TAG" | tail -n 1)
      # The same name comes again and again; the cause is in the end.
      said=$(printf '%s\n' "$said" | sed -E -e 's/.*failed to resolve (reference|image) "[^"]*": //' -e 's/.*failed to do request: //')
      ;;
    *)
      said=$(kubectl logs --namespace "$own" "$1" --container "$2" --tail=1 2>/dev/null)
      [ -n "$said" ] || said=$(kubectl get pod --namespace "$own" "$1" --output "jsonpath={.status.containerStatuses[?(@.name==\"$2\")]..message}" 2>/dev/null)
      ;;
  esac
  echo "$3${said:+: $(last_line "$said")}"
}

running= # a pod of ours whose containers run
check_images() {
  local said until pod node containers name reason settled sure='' wanted found failed=0 pulled=0 cause
  if [ "$runnable" -eq 0 ]; then
    unseen "Whether nodes can pull and run the images" "no node takes pods."
    return
  fi
  own=chester-doctor-$RANDOM
  if ! said=$(manifest | kubectl apply --filename - 2>&1); then
    unseen "Whether nodes can pull and run the images" "the namespace $own could not be filled: $(last_line "$said")"
    return
  fi
  until=$((SECONDS + timeout))
  while :; do
    wanted=$(kubectl get daemonset doctor --namespace "$own" --output 'jsonpath={.status.desiredNumberScheduled}' 2>/dev/null)
    found=$(pods 2>/dev/null)
    settled=0
    while IFS='|' read -r _ _ containers; do
      case $containers in
        *Err* | *BackOff* | *Invalid* | *Unavailable* | *Completed*) settled=$((settled + 1)) ;;
        *oneapi,,[0-9]*twoapi,,[0-9]*) settled=$((settled + 1)) ;;
      esac
    done <<<"$found"
    # Seen twice, since a program that can't be executed runs for a moment.
    if [ "${wanted:-0}" -gt 0 ] && [ "$settled" -ge "$wanted" ]; then
      [ -z "$sure" ] || break
      sure=yes
    fi
    [ "$SECONDS" -lt "$until" ] || break
    sleep 0.5
  done

  while IFS='|' read -r pod node containers; do
    [ -n "$pod" ] || continue
    cause=
    while IFS=, read -r -d ';' name reason _; do
      [ -n "$reason" ] || continue
      cause=$(why "$pod" "$name" "$reason")
      case $cause in
        *'exec format error'*)
          problem "The image $REGISTRY/$name:$TAG is for another architecture than the node $node: exec format error." \
            "$(to_nodes) DOCKER_BUILD_FLAGS=--platform=linux/$(printf '%s' "$nodes" | sed -n "s/^$node|\\([^|]*\\)|.*/\\1/p")"
          ;;
        *Pull* | *Image* | *Registry*)
          problem "The node $node can't pull $REGISTRY/$name:$TAG: $cause" "$(to_nodes)"
          case $provider in
            kind | minikube | k3d | docker-desktop) ;;
            *) line '' 'another registry, which the nodes can reach:' 'make use REGISTRY=registry.example.com/team' ;;
          esac
          ;;
        ContainerCreating | PodInitializing*)
          cause="the container $name is still being made after $timeout s"
          problem "On the node $node $cause." "kubectl describe nodes $node"
          ;;
        *) problem "The container of $REGISTRY/$name:$TAG doesn't run on the node $node: $cause" "$(to_nodes)" ;;
      esac
      failed=$((failed + 1))
      break # the other image is mended by the same command
    done <<<"$containers"
    if [ -z "$cause" ] && [ -n "$containers" ]; then
      pulled=$((pulled + 1))
      running=$pod
    fi
  done <<<"$found"
  if [ -z "$found" ]; then
    said=$(kubectl get events --namespace "$own" --field-selector reason=FailedCreate --output 'jsonpath={.items[0].message}' 2>/dev/null)
    problem "The cluster doesn't admit our pods: ${said:-the DaemonSet made none in $timeout s}" "kubectl get events --all-namespaces --field-selector reason=FailedCreate"
  elif [ "$failed" -eq 0 ] && [ "$pulled" -lt "${wanted:-1}" ]; then
    warning "Only $pulled of $wanted pods ran within $timeout s." 'kubectl get pods --all-namespaces --field-selector status.phase=Pending'
  elif [ "$failed" -eq 0 ]; then
    ok "Images $REGISTRY/oneapi:$TAG and $REGISTRY/twoapi:$TAG: pulled and run on $pulled of $wanted nodes."
  fi
}

# A pod of the tutorial's, as the API server would admit it.
admitted() { # KUBECTL'S OPTIONS
  sed 's/^  name: .*/  name: chester-doctor/' k8s/pod.yaml | kubectl create --dry-run=server --filename - "$@" 2>&1
}

check_admission() {
  local said existing
  if [ -n "$own" ] && kubectl get namespace "$own" >/dev/null 2>&1; then
    if ! said=$(admitted --namespace "$own"); then
      problem "Pods are not admitted under Pod Security restricted: $(last_line "$said")" "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations"
    else
      ok "Pod Security: restricted admits our pods."
    fi
  else
    unseen "Whether Pod Security restricted admits our pods" "there is no namespace to try it in."
  fi
  if ! said=$(admitted); then
    problem "The context's current namespace doesn't admit our pods: $(last_line "$said")" \
      'kubectl describe resourcequotas,limitranges' 'kubectl config set-context --current --namespace=default   # another namespace'
  fi
  existing=$(kubectl get namespaces --field-selector "metadata.name=$NAMESPACE" --output name 2>/dev/null)
  if [ -n "$existing" ] && ! said=$(admitted --namespace "$NAMESPACE"); then
    problem "The namespace $NAMESPACE doesn't admit our pods: $(last_line "$said")" \
      "kubectl describe resourcequotas,limitranges --namespace $NAMESPACE" 'make deploy NAMESPACE=another'
  fi
}

check_dns() {
  local said until
  if ! said=$(kubectl get endpointslices --namespace kube-system --selector kubernetes.io/service-name=kube-dns \
    --output 'jsonpath={range .items[*].endpoints[*]}{.addresses[0]} {.conditions.ready}{"\n"}{end}' 2>&1); then
    unseen "The cluster's DNS Service" "$(last_line "$said")"
  elif [ -z "$running" ] && ! printf '%s\n' "$said" | grep -v ' false$' | grep -q .; then
    # An endpoint that doesn't say whether it is ready is. Some distributions have another Service,
    # so a pod that resolves a name outweighs this.
    problem "The Service kube-dns in kube-system has no ready pod, so names of Services are not resolved." \
      'kubectl get pods --namespace kube-system --selector k8s-app=kube-dns' \
      'kubectl rollout restart deployment/coredns --namespace kube-system'
    return
  fi
  if [ -z "$running" ]; then
    unseen "Whether pods resolve names" "no pod of ours runs."
    return
  fi
  # 10 s: a new Service gets its endpoints and its rules within a second or two.
  until=$((SECONDS + (timeout < 10 ? timeout : 10)))
  while :; do
    if said=$(kubectl exec --namespace "$own" "$running" --container twoapi -- /twoapi probe "http://doctor.$own:5000/readyz" 2>&1); then
      ok "DNS: a pod resolves the name of a Service and reaches it."
      return
    fi
    [ "$SECONDS" -lt "$until" ] || break
    sleep 0.5
  done
  case $said in
    *resolution* | *lookup* | *resolve* | *'not known'*)
      problem "A pod can't resolve the name of a Service: $(printf '%s\n' "$said" | grep -m 1 .)" \
        'kubectl get pods --namespace kube-system --selector k8s-app=kube-dns' \
        'kubectl rollout restart deployment/coredns --namespace kube-system'
      ;;
    *'did not answer'*)
      problem "A pod resolves the name of a Service and doesn't reach it: $(printf '%s\n' "$said" | grep -m 1 .)" \
        'kubectl get pods --namespace kube-system --selector k8s-app=kube-proxy'
      ;;
    *) unseen "Whether pods resolve names" "kubectl exec fails: $(last_line "$said")" ;;
  esac
}

metrics= # none: not installed; down: it doesn't work; cold: no figures yet; warm
check_metrics() {
  local said
  if ! said=$(kubectl get apiservice v1beta1.metrics.k8s.io --output 'jsonpath={.status.conditions[?(@.type=="Available")].status}|{.status.conditions[?(@.type=="Available")].message}' 2>&1); then
    case $said in
      *NotFound* | *'not found'*)
        metrics=none
        case $provider in
          minikube) warning "metrics-server is not installed: kubectl top and HorizontalPodAutoscalers have no figures." 'minikube addons enable metrics-server' ;;
          *) warning "metrics-server is not installed: kubectl top and HorizontalPodAutoscalers have no figures." \
            'kubectl apply -f https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml' ;;
        esac
        [ "$provider" != kind ] || insecure_tls "# then, on kind:"
        ;;
      *) unseen "metrics-server" "$(last_line "$said")" ;;
    esac
  elif [ "${said%%|*}" != True ]; then
    metrics=down
    warning "metrics-server is installed and not available: ${said#*|}" \
      'kubectl logs --namespace kube-system deployment/metrics-server --tail=5'
    case $provider in
      kind | docker-desktop | other) insecure_tls "# if the log says that a certificate can't be verified, as on kind:" ;;
    esac
  elif [ -z "$(kubectl get nodes.metrics.k8s.io --output name 2>/dev/null)" ]; then
    metrics=cold
    warning "metrics-server is available and has no figures yet: it needs a minute after its start." 'kubectl top nodes   # until it prints figures'
  else
    metrics=warm
    ok "metrics-server has figures."
  fi
}

insecure_tls() { # COMMENT
  printf '            %s\n' "$1" \
    "kubectl patch deployment metrics-server --namespace kube-system --type=json --patch '[{\"op\":\"add\",\"path\":\"/spec/template/spec/containers/0/args/-\",\"value\":\"--kubelet-insecure-tls\"}]'"
}

check_autoscalers() {
  local said name status message all=0
  if ! said=$(kubectl get horizontalpodautoscalers --namespace "$NAMESPACE" --output 'jsonpath={range .items[*]}{.metadata.name}|{.status.conditions[?(@.type=="ScalingActive")].status}|{.status.conditions[?(@.type=="ScalingActive")].reason}: {.status.conditions[?(@.type=="ScalingActive")].message}{"\n"}{end}' 2>&1); then
    unseen "HorizontalPodAutoscalers in $NAMESPACE" "$(last_line "$said")"
    return
  fi
  while IFS='|' read -r name status message; do
    [ -n "$name" ] || continue
    all=$((all + 1))
    if [ "$status" = True ]; then
      ok "HorizontalPodAutoscaler $name has figures."
    elif [ "$metrics" = none ] || [ "$metrics" = down ] || [ "$metrics" = cold ]; then
      warning "HorizontalPodAutoscaler $name says <unknown>, for want of metrics-server's figures; see there." "kubectl describe hpa $name --namespace $NAMESPACE"
    else
      case $message in
        *'missing request for'*)
          warning "HorizontalPodAutoscaler $name says <unknown>: a container has no CPU request, of which the target is a percentage. $message" \
            "kubectl set resources deployment/chesterdeployment --namespace $NAMESPACE --containers='*' --requests=cpu=100m"
          ;;
        AmbiguousSelector*) warning "HorizontalPodAutoscaler $name does nothing, since another one has the same pods. $message" "kubectl delete hpa $name --namespace $NAMESPACE   # or the other one" ;;
        ScalingDisabled*) warning "HorizontalPodAutoscaler $name is off, since its target has no replicas." "kubectl scale deployment/chesterdeployment --namespace $NAMESPACE --replicas=1" ;;
        *'unable to get the target'* | FailedGetScale*) warning "HorizontalPodAutoscaler $name has no target. $message" 'make deploy' ;;
        *'no metrics returned'* | *'did not receive metrics'* | *'missing metrics'* | *'no metrics known'* | ': ')
          warning "HorizontalPodAutoscaler $name says <unknown>: there are no figures of its pods yet, which takes up to a minute after their start." \
            "kubectl wait hpa/$name --namespace $NAMESPACE --for=condition=ScalingActive --timeout=2m"
          ;;
        *) warning "HorizontalPodAutoscaler $name says <unknown>. $message" "kubectl describe hpa $name --namespace $NAMESPACE" ;;
      esac
    fi
  done <<<"$said"
  [ "$all" -gt 0 ] || ok "There are no HorizontalPodAutoscalers in $NAMESPACE."
}

count() { # NUMBER WORD
  if [ "$1" -eq 1 ]; then echo "1 $2"; else echo "$1 $2s"; fi
}

work=$(mktemp -d "${TMPDIR:-/tmp}/doctor.XXXXXX") || exit 1
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

check_make
check_cargo
check_linker
check_docker
check_kubectl
check_ports
check_cluster
if [ -n "$cluster" ]; then
  unseen "The cluster: its version, nodes, images, Pod Security, DNS, metrics-server and HorizontalPodAutoscalers" "$cluster"
else
  check_versions
  check_nodes
  check_architecture
  check_host_users
  check_images
  check_admission
  check_dns
  check_metrics
  check_autoscalers
fi

echo
findings=$((problems + warnings))
[ "$unseen" -eq 0 ] || echo "$(count "$unseen" thing) could not be looked at."
if [ "$findings" -eq 0 ]; then
  echo "No findings."
else
  echo "$(count "$findings" finding): $(count "$problems" problem), $(count "$warnings" warning)."
  exit 1
fi
