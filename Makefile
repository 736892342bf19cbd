# The project's commands; `make` alone lists them. The build honours CARGO_TARGET_DIR.

SHELL := bash
.DEFAULT_GOAL := help

CARGO ?= cargo
# Added to the command line of `make up`, as in: make up ARGS="--data /srv/opstream --listen 127.0.0.1:9000"
ARGS ?=
# What `make bench` runs. The profile is that of `make up`, so that the dependencies are compiled once.
BENCH ?= $(CARGO) bench --locked --profile dev --config benches/profile.toml --bench pipeline -- $(ARGS)
# How long `make fuzz` runs each of its targets, or those named in TARGETS.
FUZZ_SECONDS ?= 30
TARGETS ?=
# The longest a source file may be, in lines.
LONGEST_FILE := 400

# What `make torture` runs: the build of `make up`, which has failpoints.
TORTURE ?= $(CARGO) bench --locked --profile dev --bench torture -- $(ARGS)

.PHONY: help up install test bench torture fuzz python check file-lengths prerequisites dashboard

help: ## Lists these commands
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

up: prerequisites dashboard ## Builds, starts the pipeline with the demo and prints its address (Ctrl-C drains and stops)
	@$(CARGO) build --locked --bin opstream
	@exec $(CARGO) run --quiet --locked --bin opstream -- up --demo $(ARGS)

install: prerequisites dashboard ## Puts the command `opstream` into ~/.cargo/bin, with what `make up` compiled
	@$(CARGO) install --locked --profile dev --path . $(ARGS)

test: prerequisites dashboard ## Runs all tests; says which backends they used
	@$(CARGO) test --locked --workspace

bench: prerequisites dashboard ## Measures throughput, latency, memory and size on this machine
	@$(BENCH)

torture: prerequisites dashboard ## Kills, breaks and stalls running pipelines, hundreds of times, and judges the result
	@$(TORTURE)

fuzz: ## Feeds hostile bytes to whatever reads bytes from outside, 30 seconds each: FUZZ_SECONDS, TARGETS
	@FUZZ_SECONDS=$(FUZZ_SECONDS) fuzz/run.sh $(TARGETS)

python: ## Builds the Python client into an environment in the user's cache, checks and tests it
	@.ci/python-client.sh $(ARGS)

check: prerequisites dashboard file-lengths ## Formatting, lints, documentation, file lengths, licences, unused dependencies
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path tests/harness/containers/Cargo.toml --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) clippy --locked --workspace --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings --allow rustdoc::private_intra_doc_links" $(CARGO) doc --locked --workspace --no-deps --document-private-items
	@$(call run_if_installed,cargo-deny,$(CARGO) deny check)
	@$(call run_if_installed,cargo-machete,$(CARGO) machete)

file-lengths:
	@long=$$(find . \( -name target -o -name node_modules -o -name .git \) -prune -o \
		\( -name '*.rs' -o -name '*.ts' -o -name '*.py' \) -exec wc -l {} + | \
		awk '$$2 != "total" && $$1 > $(LONGEST_FILE) { print "  " $$1 " lines: " $$2 }'); \
	if [ -n "$$long" ]; then \
		echo "files over $(LONGEST_FILE) lines; move the second concept out:"; echo "$$long"; exit 1; \
	fi

prerequisites:
	@deploy/check-prerequisites.sh

dashboard: prerequisites
	@deploy/build-dashboard.sh

# $(call run_if_installed,program,command)
run_if_installed = if command -v $(1) >/dev/null; then echo "$(2)"; $(2); \
	else echo "not run: $(2) ($(1) is not installed; cargo install $(1))"; fi
