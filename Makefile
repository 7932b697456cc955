# Needs make, Python 3.11 or newer and a package index; everything else is set up below, in .tools and .venv.

PYTEST_ARGS ?=
BENCH_ARGS ?=

BIN := .venv/bin
# An installed uv is used; without one, our own goes into .tools.
UV := $(or $(shell command -v uv 2>/dev/null),.tools/bin/uv)

# The first of these that runs and is new enough. A name alone proves nothing: it may be a shim or an old python3.
PYTHON = $(or $(shell \
	for name in python3 python3.13 python3.12 python3.11 python3.14; do \
		"$$name" -c 'import sys; sys.version_info < (3, 11) and sys.exit(1); print(sys.executable)' 2>/dev/null && break; \
	done),$(error No Python 3.11 or newer was found as python3, python3.13, python3.12, python3.11 or python3.14: \
	install one and run make again))

# uv takes that Python and downloads none; it installs into .venv here, whatever environment is active.
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := .venv
unexport VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help run test check bench bench-quick bench-providers format docs audit sbom
.DELETE_ON_ERROR:

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 24

run: .venv/.synced ## the whole sandbox on this machine: database, simulators, switch, console; Ctrl-C stops it
	@$(BIN)/voucherswitch up

test: .venv/.synced ## all tests, two at a time; PYTEST_ARGS="-k name" and the like are passed on
	$(BIN)/pytest -n 2 --dist loadfile $(PYTEST_ARGS)

check: .venv/.synced ## lint, format, types, and the rule which folder may import which
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/.synced-bench ## the benchmark; BENCH_ARGS are passed on
	$(BIN)/python -m bench $(BENCH_ARGS)

bench-quick: .venv/.synced ## has a provision become dearer than bench/baseline.json says? BENCH_ARGS="--update" says it may
	$(BIN)/python -m bench.guard $(BENCH_ARGS)

bench-providers: .venv/.synced-bench ## what a provision costs the switch by provider; BENCH_ARGS are passed on
	$(BIN)/python -m bench.providers $(BENCH_ARGS)

format: .venv/.synced ## correct what the linter can, then format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: .venv/.synced ## write the generated pages of docs/reference anew
	$(BIN)/python -m voucherswitch.config.reference > docs/reference/settings.md.new
	mv docs/reference/settings.md.new docs/reference/settings.md
	$(BIN)/python -m voucherswitch.cli.reference > docs/reference/cli.md.new
	mv docs/reference/cli.md.new docs/reference/cli.md
	$(BIN)/python -m voucherswitch.providers.reference > docs/reference/providers.md.new
	mv docs/reference/providers.md.new docs/reference/providers.md
	$(BIN)/python -m voucherswitch.journal.invariants_reference > docs/reference/invariants.md.new
	mv docs/reference/invariants.md.new docs/reference/invariants.md
	$(BIN)/python -m voucherswitch.interface.masking_reference > docs/reference/masking.md.new
	mv docs/reference/masking.md.new docs/reference/masking.md

# --strict: a package that nobody could tell anything about is not one without a fault. Without the network this fails.
audit: .venv/.synced-audit ## ask the public advisory database about everything that uv.lock names; needs the network
	@mkdir -p dist
	$(UV) export --quiet --frozen --all-groups --no-emit-project --output-file dist/audited.txt
	$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement dist/audited.txt

sbom: .venv/.synced ## the list of all that a release is made of (CycloneDX), to dist/sbom.cdx.json
	@UV=$(UV) $(BIN)/python -m deploy.sbom dist/sbom.cdx.json

# Stamps make the second run instant. `--inexact`: none of the three takes away what another installed.
.venv/.synced: pyproject.toml uv.lock | $(UV)
	$(UV) sync --frozen --inexact --quiet --python "$(PYTHON)"
	@touch $@

.venv/.synced-bench: pyproject.toml uv.lock | $(UV)
	$(UV) sync --frozen --inexact --quiet --python "$(PYTHON)" --group bench
	@touch $@

.venv/.synced-audit: pyproject.toml uv.lock | $(UV)
	$(UV) sync --frozen --inexact --quiet --python "$(PYTHON)" --group audit
	@touch $@

# Some systems package venv without pip; then the system's pip fills it.
.tools/bin/uv:
	"$(PYTHON)" -m venv .tools || { "$(PYTHON)" -m venv --without-pip .tools && touch .tools/without-pip; } \
		|| { echo "make: Python cannot make a virtual environment: install its venv module (python3-venv)" >&2; exit 1; }
	if test -e .tools/without-pip; then "$(PYTHON)" -m pip --python .tools/bin/python install --quiet uv; \
		else .tools/bin/python -m pip install --quiet uv; fi
