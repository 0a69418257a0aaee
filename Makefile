# A table of contents: each target is one line of what to run; how is in scripts/ and deploy/local/.
# TSUR_KAFKA and TSUR_CLICKHOUSE_URL, where set, name engines to use instead of local ones.

.DEFAULT_GOAL := help
# In order even under -j: the engines and the compiler would only take the cores from each other.
.NOTPARALLEL:
.PHONY: help demo build test test-unit test-engines mutations chaos bench fmt lint deny check \
        engines-up engines-down engines-status setup clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s%s\n", $$1, $$2 }' Makefile

demo: ## the whole pipeline in one terminal, without Kafka (ARGS="..." goes to `tsur demo`)
	@scripts/setup.sh demo
	@deploy/local/clickhouse.sh fetch
	@cargo build --release --quiet
	@target/release/tsur demo $(ARGS)

build: ## the release binary, target/release/tsur
	@scripts/setup.sh build
	cargo build --release

test: setup lint deny test-engines ## everything that must hold: format, lints, licences, all tests on real engines

test-unit: ## tests that need no engine
	@scripts/setup.sh build
	cargo test --lib --bins $(ARGS)

test-engines: setup ## all tests, with a Kafka and a ClickHouse of their own (ARGS="..." goes to `cargo test`)
	@scripts/test.sh $(ARGS)

mutations: ## put known bugs back one by one and demand that the laws see each (ARGS="NAME…" for some)
	@scripts/setup.sh build
	@scripts/mutations.sh $(ARGS)

# Passed on by the environment, so that an empty one is the default of the test.
chaos: export TSUR_CHAOS_MINUTES = $(MINUTES)
chaos: export TSUR_CHAOS_PROCESSES = $(PROCESSES)
chaos: export TSUR_CHAOS_SEED = $(SEED)
chaos: setup ## faults of every kind against several processes on engines of their own (MINUTES=10 PROCESSES=4 SEED=1)
	@scripts/chaos.sh

bench: setup ## what a record costs in memory and on real engines; figures in target/bench.json (ARGS="..." filters the former)
	@scripts/bench.sh $(ARGS)

fmt: ## format the code
	cargo fmt --all

lint: ## formatting and clippy, warnings are errors
	@scripts/setup.sh build
	cargo fmt --all --check
	cargo clippy --all-targets -- -D warnings
	@scripts/mutations.sh --check

deny: ## licences, advisories and sources of dependencies, if cargo-deny is installed
	@if cargo deny --version >/dev/null 2>&1; then cargo deny check; else echo 'cargo deny: not installed, skipped'; fi

check: ## check the configuration in pipelines/ (ARGS="..." goes to `tsur check`)
	@scripts/setup.sh build
	@cargo run --quiet -- check $(ARGS)

engines-up: ## start Kafka and ClickHouse: eval "$(make -s engines-up)"
	@scripts/setup.sh
	@deploy/local/engines.sh up

engines-down: ## stop them
	@deploy/local/engines.sh down

engines-status: ## where they run
	@deploy/local/engines.sh status

setup: ## install what is missing on Debian or Ubuntu
	@scripts/setup.sh

clean: ## stop the engines, remove their data and the build; downloads stay
	@deploy/local/engines.sh down
	@TSUR_LOCAL_DIR=target/test-engines deploy/local/engines.sh down
	@TSUR_LOCAL_DIR=target/test-engines/chaos deploy/local/engines.sh down
	@TSUR_LOCAL_DIR=target/chaos deploy/local/engines.sh down
	@TSUR_LOCAL_DIR=target/bench-engines deploy/local/engines.sh down
	rm -rf .local/kafka .local/clickhouse
	cargo clean
