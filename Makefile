# The project's commands; `make` alone lists them. Documents and CI call these and nothing else, so that
# each command is written once. It keeps to GNU make 3.81, since macOS has that.

# What each variable chooses. There is no blank before its #, which would belong to the value. Without
# a registry or a tag of its own, each command takes those in the files of k8s/, which `make use` writes there.
REGISTRY := $(or $(REGISTRY),$(shell scripts/use.sh registry))# where images are pushed, and the first part of their names
TAG := $(or $(TAG),$(shell scripts/use.sh tag))# their version: REGISTRY/oneapi:TAG, REGISTRY/twoapi:TAG
NEXT ?= 1.1# the version that a rolling update goes to, for e2e and prove
NAMESPACE ?= chesterns# where deploy and undeploy work
CONTEXT ?=# the kube context; none: the current one
STORIES ?=# the end-to-end tests that e2e runs, by words of their names; none: all
DOCUMENTS ?=# the documents that docs runs, by words of their names; none: all
TRIES ?=# how often docs runs a document that fails; none: once
MAY_SKIP ?=# the only stories and documents that e2e and docs may skip, by their names; unset: any
STEP ?=# the step of the tutorial whose exercise check looks at, such as first-steps-1; none: check lists them
PROXIES ?=# the proxies that test-proxies runs, such as "nginx haproxy envoy"; none: those that are installed
NODE ?=# the node that the document nodes drains and loses, and the story lost_node; none: docs takes the last one
NODE_OFF ?=# the command that takes it away, for docs and the story lost_node; none: they skip that
NODE_ON ?=# the command that brings it back
PART_OFF ?=# the command that takes a part of the cluster away, for the stories of faults; its last words are api-server, dns, registry, or kubelet, containerd, memory or disk, and a node; none: they are skipped
PART_ON ?=# the command that brings it back
STRICT ?=# with 1, lint fails where a checker is missing, and sbom has its bills checked
RATE ?= 200# short requests a second, in all, for prove
UPDATES ?= 5# rolling updates, for prove
PROMETHEUS ?=# the Prometheus that test-metrics runs; none: that of the PATH
ONEAPI ?=# a binary to measure, such as that of an image; none: built as the images are
TWOAPI ?=# the same for twoapi
PEERS ?=# what bench measures too: name=command|http://host:port/path …
LOADS ?=# load generators that bench measures beside `twoapi load`: name=command with {rate}, {seconds}, {connections} and {url} | …
RESOURCE_CONSUMER ?=# its binary, whose burns bench measures too
TARGET ?=# the parser that fuzz feeds, such as query; none: all
SECONDS ?= 60# for how long fuzz feeds each parser
SEED ?=# a number, with which fuzz feeds nearly the same each time; none: whatever chance makes
BENCH ?=# with short, bench and soak take less than a minute each, to see that they work
ARCH ?= amd64# the machine that test-cgroup2 boots: amd64, or arm64
KERNEL ?=# the Linux image that it boots; none: the newest one in /boot
GUEST ?=# a folder with what runs there, for a machine of another kind than this one; none: this machine's programs
DOCS ?=# with 1, bench, bench-cluster, prove and test-proxies write their figures into docs/, screenshots its pictures; with a NAME, prove writes docs/prove-NAME.json
NETWORK ?=# what prove writes beside its figures, since no API tells it: "bridge CNI, kube-proxy with iptables"
BLESS ?=# with 1, size and instructions record what they measure, docs writes what it sees into the documents
ONEAPI_PORT ?= 5000# the port of oneapi, for run
TWOAPI_PORT ?= 5001# the port of twoapi, for run
DOCKER_BUILD_FLAGS ?=# more flags for docker build, such as --network host
FEATURES ?=# with otlp, image builds images that export spans
COMMIT ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)$(shell git diff --quiet HEAD -- . ':!k8s' 2>/dev/null; [ $$? != 1 ] || echo -dirty)# what the services say they were built from; the images in k8s/ are no part of that
SOURCE ?= $(shell git remote get-url origin 2>/dev/null | sed -nE 's,^(ssh://)?git@([^:/]+)[:/],https://\2/,; s,^https://[^/@]*@,https://,; s,\.git$$,,; /^https:/p')# where that is, as images say it; none: they don't
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)# when it was made, as images say it, in seconds since 1970

# What has a default here; make itself exports what a caller has set.
export REGISTRY TAG NEXT NAMESPACE RATE UPDATES ARCH ONEAPI_PORT TWOAPI_PORT
# A docker engine from before 2023 has BuildKit switched off.
export DOCKER_BUILDKIT = 1

# A user's own defaults for kubectl, such as `delete --interactive`, would have a script wait for an answer.
export KUBERC = off

# `make image push deploy` means one after the other, with -j too.
.NOTPARALLEL:

.PHONY: help run test test-metrics test-grpc test-traces test-hostile test-proxies test-sandbox test-cgroup2 test-page screenshots \
  fuzz lint use registry image reproduce sbom push load deploy undeploy check doctor e2e docs prove bench size instructions soak \
  bench-cluster clean

help: ## lists the commands and the variables
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile
	@echo
	@awk -F ' [:?]=.*# ' '/^[A-Z_]+ [:?]=.*# / { printf "%-28s %s\n", $$1 "=" ENVIRON[$$1], $$2 }' Makefile

# What a command needs, as a prerequisite: one line says what is missing.
need-%:
	@scripts/doctor.sh need $*

run: need-cargo need-cc ## builds both services, starts them on this machine and prints their URLs; Ctrl-C stops both
	@COMMIT='$(COMMIT)' scripts/run.sh

test: need-cargo need-cc ## all tests that need Rust alone
	@# More tests at once than there are cores, since they mostly wait.
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-8} cargo test --locked --workspace --exclude e2e
	cargo test --locked -p e2e --lib --test scripts

test-metrics: need-cargo need-curl $(if $(PROMETHEUS),,need-prometheus) need-promtool ## has a real Prometheus scrape both services on this machine, and tests the alerts and the dashboard
	@scripts/test-metrics.sh

test-grpc: need-cargo need-curl need-go ## has real gRPC clients ask oneapi for its health on this machine
	@scripts/test-grpc.sh

test-hostile: need-cargo need-go need-python3 ## sends both services on this machine floods, crowds and slow clients, and runs h2spec; on Linux
	@scripts/test-hostile.sh

test-proxies: need-cargo need-curl ## what callers lose behind a real nginx, HAProxy and Envoy on this machine, on Linux; PROXIES chooses, none: those that are installed
	@scripts/test-proxies.sh

test-sandbox: need-cargo need-curl need-go need-ip ## runs both services in a sandbox of gVisor on this machine, and tests what is different there; needs Linux and root
	@scripts/test-sandbox.sh

test-traces: need-cargo need-cc need-curl need-go ## has a real OpenTelemetry Collector get the spans of both services on this machine
	@scripts/test-traces.sh

test-cgroup2: need-cargo need-busybox need-qemu-$(ARCH) ## boots KERNEL with cgroup v2 in qemu, and tests limits, burns and a clock that is set there; needs Linux
	@scripts/test-cgroup2.sh

test-page: need-cargo need-npm ## tests the live page in a real Chromium against real pairs on this machine; needs Node
	@scripts/test-page.sh

fuzz: need-cargo need-cargo-fuzz need-c++ ## feeds all parsers with hostile input, and compares what they read with what others read
	@FUZZ_SECONDS='$(SECONDS)' SEED='$(SEED)' TARGET='$(TARGET)' scripts/fuzz.sh

screenshots: need-cargo need-npm ## makes screenshots of the live page into target/screenshots, with DOCS=1 those in docs/images too
	@scripts/test-page.sh screenshots

lint: need-cargo ## checks format, lints, documents, scripts, types, manifests, workflows and licences; STRICT=1 fails where a checker is missing
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked -p chassis --features otlp -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc -q --locked --workspace --no-deps --document-private-items
	cargo test -q --locked -p documents --test repository
	@scripts/lint.sh

use: ## writes REGISTRY and TAG into the files of k8s/, so that all commands and kubectl use these images
	@scripts/use.sh

registry: ## prints the registry in use
	@printf '%s\n' "$$REGISTRY"

# The command that builds an image, all but its target and its name. GNU's date and others differ.
created = $(shell date -u -d @$(SOURCE_DATE_EPOCH) +%Y-%m-%dT%H:%M:%SZ 2>/dev/null || date -u -r $(SOURCE_DATE_EPOCH) +%Y-%m-%dT%H:%M:%SZ)
label = --label org.opencontainers.image.$(1)='$(2)'
build = docker build $(DOCKER_BUILD_FLAGS) --build-arg VERSION='$(TAG)' --build-arg COMMIT='$(COMMIT)' --build-arg FEATURES='$(FEATURES)' \
  --build-arg SOURCE_DATE_EPOCH='$(SOURCE_DATE_EPOCH)' $(call label,created,$(created)) \
  $(if $(SOURCE),$(call label,source,$(SOURCE)) $(call label,documentation,$(SOURCE)\#readme))

image: need-names need-docker ## builds both images at TAG; `make image TAG=1.1` builds the next version
	@for service in oneapi twoapi; do set -x; \
	  $(build) --target $$service --tag '$(REGISTRY)'/$$service:'$(TAG)' . || exit; done

reproduce: image ## builds both images once more without docker's cache, and compares
	@scripts/reproduce.sh $(build)

sbom: need-docker need-images ## copies the licences and bills of materials of both images at TAG to target/sbom
	@scripts/sbom.sh

push: need-docker need-images ## pushes both images to REGISTRY
	@for service in oneapi twoapi; do docker push '$(REGISTRY)'/$$service:'$(TAG)' || { \
	  echo "$$service:$(TAG) could not be pushed to the registry $(REGISTRY): does it run, and may you push there? REGISTRY chooses another one." >&2; exit 1; }; done

load: need-docker need-images need-kubectl need-cluster ## copies both images to the nodes of a kind, minikube or k3d cluster, without a registry
	@scripts/load.sh

deploy: need-names need-kubectl need-cluster ## applies the deployment, its service and its budget, with the images at TAG; makes NAMESPACE if there is none
	@scripts/deploy.sh apply

undeploy: need-kubectl need-cluster ## deletes what deploy made, the namespace only if deploy made it and nothing else is in it
	@scripts/deploy.sh delete

check: need-kubectl need-cluster ## says whether the cluster is as the exercise of STEP asks for it
	@scripts/check.sh '$(STEP)'

doctor: ## says what keeps the services or the lessons from working here, and what fixes it
	@scripts/doctor.sh

e2e: need-cargo need-kubectl need-cluster ## tests on the cluster what no document can show: timing, load, faults, a browser; with TAG and NEXT
	cargo test -q --locked -p e2e --test stories -- $(STORIES)

docs: need-cargo need-kubectl need-cluster ## runs the commands in the documents on the cluster, and compares what they print; needs images 1.0 and 1.1
	@cargo run -q --locked -p documents

prove: need-cargo need-kubectl need-cluster ## measures on the cluster what the documents promise, with the images at TAG and NEXT
	@COMMIT='$(COMMIT)' cargo run -q --locked -p e2e --bin prove

bench: need-cargo ## measures what serving, sending and the page cost and how exactly oneapi burns, beside bare hyper programs, PEERS and LOADS
	@COMMIT='$(COMMIT)' cargo run -q --locked -p bench --bin bench

size: need-cargo ## prints the size of both binaries, and compares them with those recorded
	@cargo run -q --locked -p bench --bin bench -- size

instructions: need-cargo ## counts the instructions of a request, and compares them with those recorded
	@cargo run -q --locked -p bench --bin bench -- instructions

soak: need-cargo ## sends ten million requests, and looks whether memory, descriptors or threads are left behind; needs Linux
	@cargo run -q --locked -p bench --bin bench -- soak

bench-cluster: need-cargo need-kubectl need-cluster ## measures how long starts and updates take on the cluster, with the images at TAG and NEXT
	@COMMIT='$(COMMIT)' cargo run -q --locked -p bench --bin bench -- cluster

clean: need-cargo ## deletes all that was built here, except images
	cargo clean
