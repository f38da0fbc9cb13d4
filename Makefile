# What one does with a clone. `make` alone lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# release, or dev for a faster build.
PROFILE ?= release
# Images take the profile with link-time optimization, unless one is asked for.
IMAGE_PROFILE := $(if $(filter file,$(origin PROFILE)),dist,$(PROFILE))
# What a soak takes, besides its judgement.
MINUTES ?= 2
# chat-api and chat-worker are built only with these, and trace only with the last two.
CLUSTER := api/cluster,worker/cluster,api/otlp,worker/otlp
# All code there is.
EVERYTHING := $(CLUSTER),bench/stack
CARGO_DENY_VERSION := 0.20.2
CARGO_DENY_ROOT := $(HOME)/.cache/chatsystem/cargo-deny-$(CARGO_DENY_VERSION)
CARGO_DENY := $(CARGO_DENY_ROOT)/bin/cargo-deny

.PHONY: help run run-stack test test-control-plane soak check bench bench-stack bench-operator demo stack-up stack-down images cluster-up cluster-down kind-demo e2e e2e-long charts monitoring generated fmt lint no-drivers licences

help: ## list the targets
	@echo "ChatSystem: make run, then follow what it prints."
	@echo
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

run: ## build and start the chat on 127.0.0.1:8080, data in ./data (PROFILE=dev builds faster)
	@cargo run --locked --profile $(PROFILE) -p standalone --bin chat-standalone

run-stack: ## the same as a cluster on real servers, which it starts if needed; make stack-down ends those
	@PROFILE=$(PROFILE) tests/services/run

test: ## run every test that needs no Kubernetes, on servers it starts and ends (servers that are up stay up)
	tests/services/with cargo test --locked --workspace --features $(EVERYTHING)

test-control-plane: ## the operator on a real API server without nodes, which it starts and ends
	RUST_TEST_THREADS=8 tests/control-plane/with bash -c '"$$@" && "$$@" -- --ignored --exact rights::every_right_was_used' then-rights \
		cargo test --locked --workspace --features $(EVERYTHING) --test control_plane

generated: ## write anew what follows from code: crds/, and the children of the samples
	cargo build --locked -p operator
	@operator=$${CARGO_TARGET_DIR:-target}/debug/chat-operator; \
	write() { local text; text=$$("$$operator" "$${@:2}"); echo "$$text" > "$$1"; }; \
	write crds/chatsystem.yaml crd; \
	for sample in ten-lines full; do \
		write "operator/tests/children/$$sample.yaml" render -f "examples/$$sample.yaml"; \
	done

soak: ## load and random kills on a cluster for MINUTES=2, then a judgement of everything
	tests/services/with tests/soak.sh $(MINUTES)

check: fmt lint no-drivers ## format, lints, and what the programs may link

fmt: ## is everything formatted?
	cargo fmt --all --check

lint: ## clippy with warnings denied, also of what a build without a cluster links, and the library without any driver
	cargo clippy --locked --workspace --all-targets --features $(EVERYTHING) -- -D warnings
	cargo clippy --locked -p chat -p standalone -p bench -- -D warnings
	cargo check --locked -p chat --no-default-features

# The tree is read first, so that a failing cargo is not taken for an empty tree.
no-drivers: ## the library alone and chat-operator link no driver, chat-standalone none of the cluster's and no traces
	@tree=$$(cargo tree --locked -p standalone -e normal --prefix none); \
	! grep -E '^(lapin|redis|elasticsearch|sqlx-mysql|opentelemetry.*) ' <<< "$$tree" || { echo "chat-standalone must not link these"; exit 1; }
	@for package in chat operator; do \
		tree=$$(cargo tree --locked -p $$package -e normal --prefix none); \
		! grep -E '^(sqlx|sqlx-.*|tantivy|lapin|redis|elasticsearch|opentelemetry.*) ' <<< "$$tree" || { echo "$$package must not link these"; exit 1; }; \
	done

licences: $(CARGO_DENY) ## licences, sources and duplicates of all dependencies
	$(CARGO_DENY) --locked check bans licenses sources

# Built once into the cache: a newcomer's `make test` does not wait for it.
$(CARGO_DENY):
	cargo install cargo-deny --locked --version $(CARGO_DENY_VERSION) --root $(CARGO_DENY_ROOT)

bench: ## measure throughput, latency and memory against baselines; minutes
	cargo build --locked --release -p standalone -p bench
	$${CARGO_TARGET_DIR:-target}/release/bench

# Which parts, and how large; see `target/release/bench help stack`.
ONLY ?=
MESSAGES ?= 200000
ROWS ?= 1000000

bench-stack: ## the same for a cluster on real servers; ONLY=accept,drain MESSAGES=1000000 ROWS=10000000
	cargo build --locked --release -p api -p worker --features $(CLUSTER)
	cargo build --locked --release -p bench --features bench/stack
	tests/services/with $${CARGO_TARGET_DIR:-target}/release/bench stack --messages $(MESSAGES) --rows $(ROWS) $(if $(ONLY),--only $(ONLY))

COUNT ?= 1000

bench-operator: ## measure chat-operator with COUNT=1000 systems on a control plane without nodes
	cargo build --locked --release -p operator
	BENCH_OPERATOR_PROGRAM=$$(realpath $${CARGO_TARGET_DIR:-target})/release/chat-operator BENCH_OPERATOR_COUNT=$(COUNT) \
		tests/control-plane/with cargo test --locked -p operator --test control_plane -- --ignored --exact --nocapture bench::many_systems

demo: ## import real text found on this machine and search it; STACK=1 on a cluster
	PROFILE=$(PROFILE) STACK=$(STACK) tests/demo/run.sh

stack-up: ## start MySQL, MariaDB, Redis, RabbitMQ and Elasticsearch; addresses in target/stack.env
	@tests/services/up

stack-down: ## end what stack-up started, and remove its data
	@tests/services/down

images: ## make the programs' images, with Docker or without; archives in target/images (PROFILE=dev builds faster)
	@PROFILE=$(IMAGE_PROFILE) tests/cluster/images

cluster-up: ## start a real Kubernetes of three nodes by kind, with Docker or without; the first time takes minutes
	@tests/cluster/up

cluster-down: ## end what cluster-up started
	@tests/cluster/down

kind-demo: ## show the operator on a cluster: a system out of YAML, the tour, workers that follow a load (PROFILE=dev builds faster)
	@PROFILE=$(IMAGE_PROFILE) tests/cluster/demo

e2e: ## try images, charts and the operator on the cluster, which it starts and ends (a cluster that is up stays up)
	@PROFILE=$(IMAGE_PROFILE) tests/cluster/e2e

e2e-long: ## try there what takes hours, step by step, going on where it was ended; STEPS="route etcd" tries some
	@PROFILE=$(IMAGE_PROFILE) STEPS="$(STEPS)" tests/cluster/e2e-long

charts: ## lint the charts, judge what they make by three Kubernetes versions, and the rules and dashboards in them
	@tests/cluster/lint-charts
	@tests/cluster/schemas
	@tests/monitoring/check

monitoring: ## Prometheus on running programs: every panel, rule and alert finds what it asks for
	@tests/services/with tests/control-plane/with tests/monitoring/run
