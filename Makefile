# The project's verbs; `make` alone lists them. Documents and CI call these and nothing else, so a
# command stands here once. Kept to what GNU make 3.81 knows, which macOS has.

REGISTRY ?= localhost:5005
TAG ?= 1.0
NEXT ?= 1.1
NAMESPACE ?= chesterns
CONTEXT ?=
STORIES ?=
RATE ?= 200
UPDATES ?= 5
DOCKER_BUILD_FLAGS ?=
COMMIT ?= $(shell git describe --always --dirty --exclude='*' 2>/dev/null || echo unknown)

# What the scripts and the stories are told. An engine of before 2023 has BuildKit, but off.
export REGISTRY TAG NEXT NAMESPACE CONTEXT RATE UPDATES
export DOCKER_BUILDKIT = 1

kubectl = kubectl$(if $(CONTEXT), --context $(CONTEXT))

# `make image push deploy` means one after the other, with -j too.
.NOTPARALLEL:

.PHONY: help run test test-metrics lint image push load deploy undeploy e2e prove bench-cpu bench-serve clean

help: ## lists the verbs and the variables
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile
	@echo
	@printf '%-28s %s\n' \
	  'REGISTRY=$(REGISTRY)' 'where images are pushed, and the first part of their names' \
	  'TAG=$(TAG)' 'their version: $(REGISTRY)/oneapi:$(TAG), $(REGISTRY)/twoapi:$(TAG)' \
	  'NEXT=$(NEXT)' 'the version that a rolling update goes to, for e2e and prove' \
	  'NAMESPACE=$(NAMESPACE)' 'where deploy puts things' \
	  'CONTEXT=$(CONTEXT)' 'the kube context; none: the current one' \
	  'STORIES=$(STORIES)' 'the stories that e2e tells, by words of their names; none: all' \
	  'RATE=$(RATE)' 'short requests a second, in all, for prove' \
	  'UPDATES=$(UPDATES)' 'rolling updates, for prove' \
	  'DOCKER_BUILD_FLAGS=$(DOCKER_BUILD_FLAGS)' 'more flags for docker build, such as --network host'

run: ## builds both services, starts them on this machine and shows where they are; Ctrl-C stops both
	@scripts/need.sh cargo
	@scripts/run.sh

test: ## all tests that need neither a cluster nor docker
	@scripts/need.sh cargo
	cargo test --workspace --exclude e2e
	cargo test -p e2e --lib

test-metrics: ## has a real Prometheus scrape both services on this machine
	@scripts/need.sh cargo curl prometheus
	@scripts/test-metrics.sh

lint: ## checks format, lints, documents, and the dependencies' licences if cargo-deny is there
	@scripts/need.sh cargo
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	scripts/check-documents.sh
	@if cargo deny --version >/dev/null 2>&1; then set -x; cargo deny check; \
	else echo 'cargo-deny is not installed: licences and advisories are not checked.'; fi

image: ## builds both images at TAG; `make image TAG=1.1` builds the next version
	@scripts/need.sh docker
	@for service in oneapi twoapi; do set -x; \
	  docker build $(DOCKER_BUILD_FLAGS) --build-arg VERSION='$(TAG)' --build-arg COMMIT='$(COMMIT)' \
	    --target $$service --tag '$(REGISTRY)'/$$service:'$(TAG)' . || exit; done

push: ## pushes both images to REGISTRY
	@scripts/need.sh docker images
	@for service in oneapi twoapi; do docker push '$(REGISTRY)'/$$service:'$(TAG)' || { \
	  echo "The registry $(REGISTRY) doesn't take the image: does it run, and may you push there?" >&2; exit 1; }; done

load: ## puts both images on the nodes of a kind or minikube cluster, without a registry
	@scripts/need.sh docker images kubectl cluster
	@scripts/load.sh

deploy: ## applies the deployment, its service and its budget, with the images at TAG; makes NAMESPACE if there is none
	@scripts/need.sh kubectl cluster
	@scripts/deploy.sh apply

undeploy: ## deletes what deploy made, the namespace only if deploy made it and nothing else is in it
	@scripts/need.sh kubectl cluster
	@scripts/deploy.sh delete

e2e: ## runs each step of the tutorial on the cluster, with the images at TAG and NEXT
	@scripts/need.sh cargo kubectl cluster
	cargo test -q -p e2e --test lessons -- $(STORIES)

prove: ## measures on the cluster what the documents promise, with the images at TAG and NEXT
	@scripts/need.sh cargo kubectl cluster
	cargo run -q -p e2e --bin prove

bench-cpu: ## measures how exactly oneapi burns
	@scripts/need.sh cargo
	cargo bench -p oneapi --bench cpu

bench-serve: ## measures requests per second, beside a bare hyper server
	@scripts/need.sh cargo
	cargo bench -p oneapi --bench serve

clean: ## removes all that was built here, images aside
	@scripts/need.sh cargo
	cargo clean
