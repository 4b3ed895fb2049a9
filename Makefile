# Everything runs in a virtual environment of its own; nothing but Python 3.11+, make and git is needed beforehand.
# The network is used to install the dependencies, and by nothing else.

VENV ?= .venv
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PIP = $(VENV)/bin/python -m pip --quiet --disable-pip-version-check
JOBS ?= 2

.PHONY: demo test lint unit wheel format golden clean

demo: $(VENV)/.runtime
	$(VENV)/bin/python examples/demo.py

test: $(VENV)/.dev
	$(VENV)/bin/python -m pytest -n $(JOBS) -m "not online and not server"
	$(VENV)/bin/python -m pytest -n $(JOBS) --dist loadfile -m server
	$(MAKE) --no-print-directory wheel

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/mypy tests/typing/api.py tests/typing/mailers.py examples/responder.py examples/demo.py
	PYTHONPATH=. $(VENV)/bin/lint-imports

unit: $(VENV)/.dev
	$(VENV)/bin/python -m pytest -n $(JOBS) -m "not online and not server"

# The last step of the tests: what users install is the wheel, so the wheel is what runs, away from this folder.
wheel: $(VENV)/.dev
	$(VENV)/bin/python tests/wheel.py

format: $(VENV)/.dev
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

golden: $(VENV)/.dev
	UPDATE_GOLDEN=1 $(VENV)/bin/python -m pytest tests/golden

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none was found" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.runtime

clean:
	rm -rf $(VENV) dist build demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis
