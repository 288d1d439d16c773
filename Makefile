# The commands of this project; `make` lists them.

SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help setup serve test bench screenshots check format docker constraints clean

# Given on the command line only: a HOST or PORT that a shell happens to export is not meant for us.
ARGS =
HOST =
PORT =
VARIANT = cuda
PYTHON =
PYTHONS = $(or $(PYTHON),python3.11 python3.12 python3)

VENV := .venv
BIN := $(VENV)/bin
CHECKED := app tests

export PIP_DISABLE_PIP_VERSION_CHECK := 1

help: ## list the commands
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /|/' | while IFS='|' read -r name line; do \
		printf '  make %-12s %s\n' "$$name" "$$line"; done

setup: $(VENV)/.development ## build .venv with the pinned dependencies; does nothing when it is up to date

serve: $(VENV)/.run-time ## serve on port 8000 of this machine (HOST=0.0.0.0 for all, PORT=…, ARGS=… for `aex serve`)
	@$(BIN)/aex serve $(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT)) $(ARGS)

test: $(VENV)/.development ## run every test that needs no other server (ARGS="-m 'not slow'" for the quick ones)
	$(BIN)/pytest $(ARGS)

bench: $(VENV)/.development ## measure speed beside others' code, for minutes (ARGS="--only latency --repeats 9" …)
	@$(BIN)/aex bench $(ARGS)

screenshots: $(VENV)/.development ## draw docs/page-*.png anew, in Chromium, which must be installed
	@$(BIN)/python -m tests.web.page.screenshots

# No cache for the layers: it forgets an import that was written before the module it names.
check: $(VENV)/.development ## format, lint, types, layers, Dockerfile and compose file; changes nothing
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

format: $(VENV)/.development ## write the format, and the lint fixes that are safe
	$(BIN)/ruff format $(CHECKED)
	$(BIN)/ruff check --fix $(CHECKED)

docker: ## build the container image: VARIANT=cuda (default) or VARIANT=cpu
	docker build --build-arg VARIANT=$(VARIANT) --tag adversarial-explanations:$(VARIANT) .

constraints: $(VENV)/.development ## pin what .venv holds now, after an upgrade that passed the tests
	{ sed '/^#/!d' constraints.txt; $(BIN)/python -m pip freeze --all --exclude pip --exclude-editable; } > $(VENV)/constraints.txt
	mv $(VENV)/constraints.txt constraints.txt

clean: ## remove caches and built files; .venv, models and training runs stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage htmlcov build dist *.egg-info
	find app tests -name __pycache__ -prune -exec rm -rf {} +

# The server needs no development tools, some of which have no build for every platform: hence two steps.
$(VENV)/.run-time: pyproject.toml constraints.txt
	@$(make_venv)
	@echo 'Installing the pinned dependencies (torch with CUDA is several GB; minutes on a first run):'
	@$(call install,.)
	@touch $@

# torchattacks is an oracle of the tests; it asks for an old `requests`, which it never uses and others cannot have.
$(VENV)/.development: $(VENV)/.run-time
	@echo 'Installing the development tools:'
	@$(call install,.[dev])
	@$(BIN)/python -m pip install --quiet --no-deps --constraint constraints.txt torchattacks
	@touch $@

# Run, not only looked up: a version manager's stub may stand where no such Python is installed.
define make_venv
	supported='import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))'; \
	if [ ! -x $(BIN)/pip ]; then \
		for python in $(PYTHONS); do \
			"$$python" -c "$$supported" 2>/dev/null && break || python=; \
		done; \
		if [ -z "$$python" ]; then \
			echo 'Python 3.11 or 3.12 is needed, and none was found under: $(PYTHONS).' >&2; \
			echo 'Install one, or name it: make setup PYTHON=/usr/bin/python3.11' >&2; \
			exit 1; \
		fi; \
		echo "Making $(VENV) with $$("$$python" --version) ($$python)"; \
		"$$python" -m venv --clear $(VENV); \
	fi
endef

# pip's quiet mode hides the long downloads, its normal mode buries them: show the large files and the last step.
define install
	set -o pipefail; \
	$(BIN)/python -m pip install --constraint constraints.txt --editable '$(1)' \
	| { grep --line-buffered -oE '^.*\([0-9.]+ [MG]B\)|^Processing [^ ]+|^Installing collected packages' || true; }
endef
