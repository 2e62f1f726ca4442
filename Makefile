# The developer's interface. Every target sets up .venv by itself: python3.11 or newer and make are enough.
#
#   make demo     the whole way once, on real files, with nothing lost
#   make test     every test, under ten minutes on two cores
#   make check    style, types and import contracts
#   make coverage what the tests run: all of the formats and decisions, nearly all of the rest
#   make bench    measured beside the smallest program that does the same; bench-long: all of it
#   make soak     the long forms of the tests
#   make docs     the pages that are made from the code
#   make pictures the pictures of README and docs, from a recording

.POSIX:
.SUFFIXES:
.PHONY: help demo test check coverage format bench bench-long soak docs pictures venv pins clean

VENV = .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready
EXTRAS = fast,notebook,web,metrics,dev

# The newest interpreter that starts, has venv, and is one the pinned versions are made for.
FIND_PYTHON = for python in $$PYTHON python3.13 python3.12 python3.11 python3 python3.14; do \
	if "$$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' \
		>/dev/null 2>&1; then echo "$$python"; exit 0; fi; done; exit 1

help:
	@sed -n 's/^\#   //p' Makefile

venv: $(READY)

# Packages already there at the pinned version are kept, so this step needs no network after the first time.
$(READY): pyproject.toml constraints.txt
	@python=$$($(FIND_PYTHON)) || { \
		echo "srshell needs Python 3.11 or newer with its venv module (Debian: python3-venv)." >&2; \
		echo "Set PYTHON to name one: make test PYTHON=/path/to/python3" >&2; exit 1; }; \
	$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		&& $(BIN)/python -m pip --version >/dev/null 2>&1 \
		|| { rm -rf $(VENV); "$$python" -m venv $(VENV); }
	@echo "Setting up $(VENV) ..."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-input \
		--constraint constraints.txt hatchling editables
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-input \
		--constraint constraints.txt --no-build-isolation --editable '.[$(EXTRAS)]'
	@touch $(READY)

demo: $(READY)
	@$(BIN)/srshell demo

test: $(READY)
	@$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4

check: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --cache-dir build/import-linter

coverage: $(READY)
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest --numprocesses=auto --maxprocesses=4
	@$(BIN)/coverage combine --quiet
	@$(BIN)/python -m tests.coverage_bar

format: $(READY)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(READY)
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks.dashboard
	@$(BIN)/python -m benchmarks.notebook

# Goes on where it was if it was broken off; remove build/bench.json to begin anew.
bench-long: $(READY)
	@$(BIN)/python -m benchmarks --long --json build/bench.json --plots build/bench

soak: $(READY)
	@$(BIN)/python -m tests.soak

docs: $(READY)
	@$(BIN)/python -m tests.docs.commands_page

pictures: $(READY)
	@PYTHONPATH=tui $(BIN)/python -m tests.docs.pictures

# After a change of dependencies: install the newest versions into an empty .venv, test, then write them down.
pins: $(READY)
	@mkdir -p build
	@{ sed -n '/^#/p' constraints.txt; $(BIN)/python -m pip freeze --exclude-editable; } \
		> build/constraints.txt && mv build/constraints.txt constraints.txt && touch $(READY)

clean:
	rm -rf $(VENV) build dist
