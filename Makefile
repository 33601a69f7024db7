# The project's verbs; `make` alone lists them. Documents and CI call these and nothing else, so that
# each command is written once. It keeps to GNU make 3.81, since macOS has that.

# Without a registry or a tag of its own, each verb takes those in the files of k8s/, which `make use`
# writes there.
ifeq ($(REGISTRY),)
REGISTRY := $(shell scripts/use.sh registry)
endif
ifeq ($(TAG),)
TAG := $(shell scripts/use.sh tag)
endif
NEXT ?= 1.1
NAMESPACE ?= chesterns
CONTEXT ?=
STORIES ?=
DOCUMENTS ?=
TRIES ?=
RATE ?= 200
UPDATES ?= 5
ONEAPI ?=
TWOAPI ?=
PEERS ?=
RESOURCE_CONSUMER ?=
BENCH ?=
KERNEL ?=
DOCS ?=
BLESS ?=
DOCKER_BUILD_FLAGS ?=
ONEAPI_PORT ?= 5000
TWOAPI_PORT ?= 5001
COMMIT ?= $(shell git describe --always --dirty --exclude='*' 2>/dev/null || echo unknown)

# The scripts and the stories read these. A docker engine from before 2023 has BuildKit switched off.
export REGISTRY TAG NEXT NAMESPACE CONTEXT RATE UPDATES
export ONEAPI TWOAPI PEERS RESOURCE_CONSUMER BENCH KERNEL DOCS BLESS DOCUMENTS TRIES
export DOCKER_BUILDKIT = 1

# A user's own defaults for kubectl, such as `delete --interactive`, would have a script wait for an answer.
export KUBERC = off

# `make image push deploy` means one after the other, with -j too.
.NOTPARALLEL:

.PHONY: help run test test-metrics test-grpc test-cgroup2 test-page screenshots lint use registry image image-size push load \
  deploy undeploy doctor e2e docs prove bench size instructions bench-cluster clean

help: ## lists the verbs and the variables
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile
	@echo
	@printf '%-28s %s\n' \
	  'REGISTRY=$(REGISTRY)' 'where images are pushed, and the first part of their names' \
	  'TAG=$(TAG)' 'their version: $(REGISTRY)/oneapi:$(TAG), $(REGISTRY)/twoapi:$(TAG)' \
	  'NEXT=$(NEXT)' 'the version that a rolling update goes to, for e2e and prove' \
	  'NAMESPACE=$(NAMESPACE)' 'where deploy and undeploy work' \
	  'CONTEXT=$(CONTEXT)' 'the kube context; none: the current one' \
	  'STORIES=$(STORIES)' 'the end-to-end tests that e2e runs, by words of their names; none: all' \
	  'DOCUMENTS=$(DOCUMENTS)' 'the documents that docs runs, by words of their names; none: all' \
	  'TRIES=$(TRIES)' 'how often docs runs a document that fails; none: once' \
	  'MAY_SKIP=' 'the only stories that e2e may skip, by their names; unset: any' \
	  'STRICT=1' 'lint fails where a checker is missing' \
	  'RATE=$(RATE)' 'short requests a second, in all, for prove' \
	  'UPDATES=$(UPDATES)' 'rolling updates, for prove' \
	  'ONEAPI=, TWOAPI=' 'binaries to measure, such as those of images; none: built as the images are' \
	  'PEERS=' 'what bench measures too: name=command|http://host:port/path …' \
	  'RESOURCE_CONSUMER=' 'its binary, whose burns bench measures too' \
	  'BENCH=short' 'bench in less than a minute, to see that it works' \
	  'KERNEL=' 'the Linux image that test-cgroup2 boots; none: the newest one in /boot' \
	  'DOCS=1' 'bench, bench-cluster and prove write their figures into docs/, screenshots its pictures' \
	  'BLESS=1' 'size and instructions record what they measure, docs writes what it sees into the documents' \
	  'ONEAPI_PORT=$(ONEAPI_PORT), TWOAPI_PORT=$(TWOAPI_PORT)' 'the ports of run' \
	  'DOCKER_BUILD_FLAGS=$(DOCKER_BUILD_FLAGS)' 'more flags for docker build, such as --network host'

run: ## builds both services, starts them on this machine and prints their URLs; Ctrl-C stops both
	@scripts/doctor.sh need cargo
	@ONEAPI_PORT='$(ONEAPI_PORT)' TWOAPI_PORT='$(TWOAPI_PORT)' COMMIT='$(COMMIT)' scripts/run.sh

test: ## all tests that need neither a cluster nor docker
	@scripts/doctor.sh need cargo
	@# More tests at once than there are cores, since they mostly wait.
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-8} cargo test --locked --workspace --exclude e2e
	cargo test --locked -p e2e --lib --test scripts

test-metrics: ## has a real Prometheus scrape both services on this machine
	@scripts/doctor.sh need cargo curl prometheus
	@scripts/test-metrics.sh

test-grpc: ## has real gRPC clients ask oneapi for its health on this machine
	@scripts/doctor.sh need cargo curl go
	@scripts/test-grpc.sh

test-cgroup2: ## boots KERNEL with cgroup v2 in qemu, and tests limits and burns there; needs Linux on x86-64
	@scripts/doctor.sh need cargo busybox qemu
	@scripts/test-cgroup2.sh

test-page: ## tests the live page in a real Chromium against real pairs on this machine; needs Node
	@scripts/doctor.sh need cargo npm
	@scripts/test-page.sh

screenshots: ## makes screenshots of the live page into target/screenshots, with DOCS=1 those in docs/images too
	@scripts/doctor.sh need cargo npm
	@scripts/test-page.sh screenshots

lint: ## checks format, lints, documents, scripts, types and licences; STRICT=1 fails where a checker is missing
	@scripts/doctor.sh need cargo
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc -q --locked --workspace --no-deps --document-private-items
	cargo test -q --locked -p documents --test repository
	@scripts/lint.sh

use: ## writes REGISTRY and TAG into the files of k8s/, so that all verbs and kubectl use these images
	@scripts/use.sh

registry: ## prints the registry in use
	@printf '%s\n' "$$REGISTRY"

image: ## builds both images at TAG; `make image TAG=1.1` builds the next version
	@scripts/use.sh check
	@scripts/doctor.sh need docker
	@for service in oneapi twoapi; do set -x; \
	  docker build $(DOCKER_BUILD_FLAGS) --build-arg VERSION='$(TAG)' --build-arg COMMIT='$(COMMIT)' \
	    --target $$service --tag '$(REGISTRY)'/$$service:'$(TAG)' . || exit; done

image-size: ## tells what both images at TAG weigh
	@scripts/doctor.sh need docker images
	@scripts/image-size.sh

push: ## pushes both images to REGISTRY
	@scripts/doctor.sh need docker images
	@for service in oneapi twoapi; do docker push '$(REGISTRY)'/$$service:'$(TAG)' || { \
	  echo "$$service:$(TAG) could not be pushed to the registry $(REGISTRY): does it run, and may you push there? REGISTRY chooses another one." >&2; exit 1; }; done

load: ## copies both images to the nodes of a kind, minikube or k3d cluster, without a registry
	@scripts/doctor.sh need docker images kubectl cluster
	@scripts/load.sh

deploy: ## applies the deployment, its service and its budget, with the images at TAG; makes NAMESPACE if there is none
	@scripts/use.sh check
	@scripts/doctor.sh need kubectl cluster
	@scripts/deploy.sh apply

undeploy: ## deletes what deploy made, the namespace only if deploy made it and nothing else is in it
	@scripts/doctor.sh need kubectl cluster
	@scripts/deploy.sh delete

doctor: ## says what keeps the services or the lessons from working here, and what mends it
	@scripts/doctor.sh

e2e: ## tests on the cluster what no document can show: timing, load, faults, a browser; with TAG and NEXT
	@scripts/doctor.sh need cargo kubectl cluster
	cargo test -q --locked -p e2e --test stories -- $(STORIES)

docs: ## runs the commands in the documents on the cluster, and compares what they print; needs images 1.0 and 1.1
	@scripts/doctor.sh need cargo kubectl cluster
	@cargo run -q --locked -p documents

prove: ## measures on the cluster what the documents promise, with the images at TAG and NEXT
	@scripts/doctor.sh need cargo kubectl cluster
	cargo run -q --locked -p e2e --bin prove

bench: ## measures what serving costs and how exactly oneapi burns, beside bare hyper programs and PEERS
	@scripts/doctor.sh need cargo
	@COMMIT='$(COMMIT)' cargo run -q --locked -p bench --bin bench

size: ## prints the size of both binaries, and compares them with those recorded
	@scripts/doctor.sh need cargo
	@cargo run -q --locked -p bench --bin bench -- size

instructions: ## counts the instructions of a request, and compares them with those recorded
	@scripts/doctor.sh need cargo
	@cargo run -q --locked -p bench --bin bench -- instructions

bench-cluster: ## measures how long starts and updates take on the cluster, with the images at TAG and NEXT
	@scripts/doctor.sh need cargo kubectl cluster
	@COMMIT='$(COMMIT)' cargo run -q --locked -p bench --bin bench -- cluster

clean: ## deletes all that was built here, except images
	@scripts/doctor.sh need cargo
	cargo clean
