# The only door: everything that is built, run, tested or measured goes through a target here.
# `make help` lists them.

CARGO   := cargo
VENV    := .venv
CACHE   := .cache
TOOLS   := $(CACHE)/tools
DENY    := $(TOOLS)/bin/cargo-deny
SUDO    := $(if $(filter 0,$(shell id -u)),,sudo)
DEBUG   := target/debug/skinflint
RELEASE := target/release/skinflint
PARITY  := local-model/parity
# Where `skinflint models pull` puts what it fetches.
MODELS  := $(or $(XDG_DATA_HOME),$(HOME)/.local/share)/skinflint/models

# `$(call need,COMMAND,PACKAGE)`: installs a Debian package unless its command is there, and says so.
define need
@command -v $(1) >/dev/null 2>&1 || { \
  echo "== $(1) is missing: installing the Debian package $(2)"; \
  $(SUDO) apt-get update -qq && \
  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(2); }
endef

.PHONY: help run check lint fmt test unit it sdk deny docs e2e bench eval load-local weights build-test soak parity bench-local train-head curves compiler llama-compiler servers clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 14

run: $(RELEASE) ## Build Skinflint, fetch the local model if it is not here, and serve on 127.0.0.1:4100
	$(RELEASE) models pull
	$(RELEASE) serve

# Cargo knows best whether anything has to be built.
.PHONY: $(RELEASE)
$(RELEASE): compiler
	@echo "== building Skinflint (the first time takes some minutes)"
	$(CARGO) build --locked --release --package skinflint

compiler:
	$(call need,cc,build-essential)
	$(call need,python3,python3)

# llama.cpp is C++, and its bindings are made by clang.
llama-compiler: compiler
	$(call need,cmake,cmake)
	$(call need,clang,clang libclang-dev)

# Debian keeps Postgres off the search path.
servers:
	$(call need,redis-server,redis-server)
	$(call need,/usr/lib/postgresql/*/bin/postgres,postgresql)

check: compiler ## Type-check everything, quickly
	$(CARGO) check --locked --workspace --all-targets

lint: compiler ## Formatting, lints, sizes of files, documentation
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	python3 tests/lint/sizes.py
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items --quiet

fmt: ## Format the code
	$(CARGO) fmt --all

test: unit it sdk deny ## Everything that has to pass before a change lands

build-test: compiler
	@echo "== building the binaries that the tests start; the gateway ends where FAILPOINTS says, which no release build does"
	$(CARGO) build --locked --package skinflint --package skinflint-tests --bins --features skinflint/failpoints

weights: build-test ## Fetch the weights of all models of the catalogue, which some tests use
	$(DEBUG) models pull --all

unit: build-test weights servers ## Tests within the crates
	$(CARGO) test --locked --workspace --exclude skinflint-tests

it: build-test weights servers ## Tests of the real binary against a fake provider
	$(CARGO) test --locked --package skinflint-tests

$(VENV)/ready: tests/sdk/requirements.txt
	@echo "== making a Python environment with the official SDKs in $(VENV)"
	python3 -m venv $(VENV) || { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq python3-venv && python3 -m venv $(VENV); }
	$(VENV)/bin/pip install --quiet --requirement tests/sdk/requirements.txt
	@touch $@

sdk: build-test weights $(VENV)/ready ## Tests of the official Python SDKs against the real binary
	$(VENV)/bin/pytest -q tests/sdk

$(DENY):
	@echo "== installing cargo-deny into $(TOOLS)"
	$(CARGO) install --quiet --locked --debug --root $(TOOLS) cargo-deny@0.19.0

deny: $(DENY) ## Licences, bans and sources of all dependencies
	$(DENY) --all-features check bans licenses sources

docs: compiler ## The code's own documentation, in target/doc
	$(CARGO) doc --locked --workspace --no-deps --document-private-items

e2e: build-test ## Claude Code, Codex and opencode finish a tool round trip through the gateway, offline
	$(call need,npm,npm)
	python3 tests/agents/run.py --gateway $(DEBUG) --provider target/debug/fake-provider --agents $(CACHE)/agents

bench: compiler ## What the proxy adds beside nginx, and what ledger and budgets add, in one run
	$(call need,nginx,nginx-light)
	$(call need,redis-server,redis-server)
	$(CARGO) build --locked --release --package skinflint --package skinflint-tests --bins
	target/release/bench --gateway $(RELEASE)

# torch without the 2.2 GB that it never calls on a CPU: see the README there.
$(CACHE)/parity/venv/ready: $(addprefix $(PARITY)/transformers/,torch.txt requirements.txt cpu_torch.py) | compiler
	@echo "== making a Python environment with torch and transformers (600 MB to fetch) in $(@D)"
	python3 -m venv $(@D) || { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq python3-venv && python3 -m venv $(@D); }
	$(@D)/bin/pip install --quiet --requirement $(PARITY)/transformers/requirements.txt
	$(@D)/bin/pip install --quiet --no-deps --requirement $(PARITY)/transformers/torch.txt
	$(@D)/bin/python $(PARITY)/transformers/cpu_torch.py
	@touch $@

$(CACHE)/parity/ready: $(CACHE)/parity/venv/ready $(wildcard $(PARITY)/transformers/*.py $(PARITY)/prompts/*.txt)
	@echo "== making small random checkpoints, and what transformers computes on them, in $(@D)"
	$(@D)/venv/bin/python $(PARITY)/transformers/make_checkpoints.py $(@D)
	@touch $@

$(CACHE)/parity/unrounded.gguf: $(CACHE)/parity/venv/ready $(PARITY)/transformers/dequantize.py | weights
	@echo "== writing the default model again in single precision (1.1 GB)"
	$(@D)/venv/bin/python $(PARITY)/transformers/dequantize.py $(MODELS)/gemma-3-270m-q4_k_m.gguf $@

# Cargo runs in the folder, since its settings for llama.cpp are read there. Everything is compared, whatever is short.
parity: weights llama-compiler $(CACHE)/parity/ready $(CACHE)/parity/unrounded.gguf ## The local model against llama.cpp and transformers (7 CPU minutes to build)
	cd $(PARITY) && $(CARGO) build --locked --release --bin parity
	cd $(PARITY) && status=0; \
	run() { $(CARGO) run --quiet --locked --release --bin parity -- "$$@" || status=1; }; \
	run llama --model $(MODELS)/gemma-3-270m-q4_k_m.gguf --unrounded $(CURDIR)/$(CACHE)/parity/unrounded.gguf; \
	run transformers $(CURDIR)/$(CACHE)/parity/checkpoints; \
	for file in $(CURDIR)/$(CACHE)/parity/checkpoints/*/*.gguf; do \
	  name=parity_$$(basename $$file .gguf | tr - _); \
	  case $$file in *-f16.gguf) run llama --model $$file --prefix $$name; continue;; esac; \
	  $(CURDIR)/$(CACHE)/parity/venv/bin/python transformers/dequantize.py $$file $$file.unrounded && \
	  run llama --model $$file --unrounded $$file.unrounded --prefix $$name; \
	done; exit $$status

bench-local: weights llama-compiler $(CACHE)/parity/ready ## The local model beside llama.cpp, in one run: speed, memory, loading
	$(DEBUG) models pull all-minilm-l6-v2
	cd $(PARITY) && $(CARGO) run --locked --release --bin bench-local -- --model $(MODELS)/gemma-3-270m-q4_k_m.gguf \
	  --embedder $(MODELS)/all-minilm-l6-v2 --classifier $(CURDIR)/$(CACHE)/parity/bench/minilm-tokens

$(CACHE)/load/ready: tests/load/requirements.txt
	@echo "== making a Python environment with AIPerf in $(CACHE)/load (1.2 GB)"
	python3 -m venv $(CACHE)/load
	$(CACHE)/load/bin/pip install --quiet --requirement tests/load/requirements.txt
	@touch $@

load-local: $(RELEASE) $(CACHE)/load/ready ## The load generator AIPerf against the local model, offline
	$(RELEASE) models pull
	$(RELEASE) models pull all-minilm-l6-v2
	SKINFLINT_BIN=$(abspath $(RELEASE)) python3 tests/load/run.py --aiperf $(abspath $(CACHE)/load/bin/aiperf)

# Speed is part of it, so it is a release build that is evaluated.
eval: compiler ## What compression saves, keeps and takes, and what the error guard lets through, on data beside the project
	$(CARGO) build --locked --release --package skinflint --package skinflint-tests --bins
	target/release/eval --gateway $(RELEASE)

train-head: compiler weights ## Train a keep/drop head for LLMLingua-2, on data beside the project, into the models folder
	$(CARGO) run --locked --release --package skinflint-prose --bin train-head

curves: compiler weights ## How many answers survive which compression of prose, on data beside the project
	$(CARGO) run --locked --release --package skinflint-prose --bin curves -- --passages 100

soak: build-test weights servers ## Hundreds of kills under load, callers that go away, recorded conversations, ten million rows (needs 5 GB): most of an hour
	target/debug/soak

clean: ## Remove what was built and fetched into this folder
	$(CARGO) clean
	rm -rf $(VENV) $(CACHE)
