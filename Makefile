# Two commands matter: `make demo` and `make test`. `make help` lists the rest.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

CARGO ?= cargo
NPM ?= npm
PYTHON ?= python3
HOST := target/debug/tasker-wasm-host
# npm writes it last, so an installation that was interrupted is made again.
INSTALLED := node_modules/.package-lock.json
PEERS := tests/peers/node_modules/.package-lock.json
say = @printf '\n\033[1m▸ %s\033[0m\n' $(1)

.PHONY: help
help: ## List the commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: host handlers ## Build everything and run two workflows on a private PostgreSQL
	$(call say,"running the linear and the diamond workflow")
	@$(HOST) demo

.PHONY: test
test: host guests rust-handlers schemathesis lint ## Install, build and run every check (what CI runs)
	$(call say,"TypeScript tests")
	@$(NPM) test --silent
	$(call say,"Rust unit and integration tests")
	@$(CARGO) test --workspace --quiet
	$(call say,"every check passed")

.PHONY: bench
bench: host guests $(PEERS) ## Measure everything, each figure beside its limit; `make bench PARTS="sandbox latency"` only these
	$(call say,"measuring")
	@$(CARGO) run --quiet -p tasker-wasm-tests --bin bench $(PARTS)

.PHONY: lint
lint: tools $(INSTALLED) ## Formatting, clippy, rustdoc, tsc and Biome
	$(call say,"rustfmt and clippy and rustdoc")
	@$(CARGO) fmt --all --check
	@$(CARGO) fmt --manifest-path $(RUST_HANDLERS)/Cargo.toml --check
	@$(CARGO) clippy --workspace --all-targets --quiet -- -D warnings
	@$(CARGO) clippy --manifest-path $(RUST_HANDLERS)/Cargo.toml --target-dir target/rust-handlers --quiet -- -D warnings
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet
	$(call say,"tsc and Biome")
	@$(NPM) run --silent check

.PHONY: docs
docs: $(INSTALLED) ## Write the API documentation of the npm packages: target/typedoc/index.html
	@$(NPM) run --silent docs

.PHONY: build
build: host guests rust-handlers ## Build the host and every component

.PHONY: host
host: tools
	$(call say,"building the host (the first build compiles wasmtime: about eight minutes on two cores)")
	@$(CARGO) build --workspace

.PHONY: handlers
handlers: tools $(INSTALLED)
	$(call say,"building the example handlers into components (about ten seconds each, nothing when up to date)")
	@$(NPM) run --silent build

.PHONY: guests
guests: handlers
	$(call say,"building the components that the tests run")
	@$(NPM) run --silent build:tests

RUST_HANDLERS := handlers/portfolio-rust

.PHONY: rust-handlers
rust-handlers: tools $(INSTALLED)
	$(call say,"building the example in Rust (where Rust has no wasm32 library yet: about three minutes, once)")
	@$(NPM) run --silent build --workspace $(RUST_HANDLERS)

$(INSTALLED): package.json package-lock.json $(wildcard guest-ts/package.json componentize/package.json handlers/*/package.json tests/guests/*/package.json tests/hostile/package.json tests/hostile/*/package.json)
	$(call say,"installing npm packages (about half a minute)")
	@$(NPM) ci
	@touch $@

$(PEERS): tests/peers/package.json tests/peers/package-lock.json | tools
	$(call say,"installing the job queues that the benchmark is held against")
	@$(NPM) ci --prefix tests/peers
	@touch $@

SCHEMATHESIS := target/schemathesis

.PHONY: schemathesis
schemathesis: $(SCHEMATHESIS)/installed

# Made new: what is in it may be of another list, or of a Python that is gone.
$(SCHEMATHESIS)/installed: tests/schemathesis/requirements.txt
	@$(PYTHON) -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || \
	  { echo "make: $(PYTHON) is missing, older than 3.11, or cannot make virtual environments: install Python 3.11 or newer (Debian: apt-get install python3 python3-venv)" >&2; exit 1; }
	$(call say,"installing schemathesis for the tests of the API (about half a minute)")
	@$(PYTHON) -m venv --clear $(SCHEMATHESIS)
	@$(SCHEMATHESIS)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

.PHONY: tools
tools:
	@need() { command -v "$$1" > /dev/null || { echo "make: $$1 is missing: $$2" >&2; exit 1; }; }; \
	need $(CARGO) "install Rust 1.95 or newer (rustup.rs, or your distribution's packages)"; \
	need $(NPM) "install Node.js 20 or newer, which brings npm"; \
	need node "install Node.js 20 or newer"; \
	command -v cc > /dev/null || command -v gcc > /dev/null || command -v clang > /dev/null || \
	  { echo "make: a C compiler is missing: install gcc or clang (Debian: apt-get install gcc libc6-dev)" >&2; exit 1; }; \
	node -e 'process.exit(+process.versions.node.split(".")[0] >= 20 ? 0 : 1)' || \
	  { echo "make: Node.js $$(node --version) is too old: 20 or newer is needed" >&2; exit 1; }

.PHONY: fmt
fmt: $(INSTALLED) ## Format everything
	@$(CARGO) fmt --all
	@$(CARGO) fmt --manifest-path $(RUST_HANDLERS)/Cargo.toml
	@$(NPM) run --silent fmt

.PHONY: clean
clean: ## Remove what was built
	rm -rf target node_modules tests/peers/node_modules guest-ts/dist componentize/dist handlers/*/dist tests/guests/*/dist tests/hostile/dist tests/hostile/*/dist
