# make run | test | check | bench | bench-short. Everything happens in a virtual environment of its own, .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := app.py deploy.py space model flagging retrain evaluation ui benchmarks tests

.PHONY: run test check format lint types security audit bench bench-short clean

run: $(VENV)/run.done
	$(BIN)/python app.py

# Two at a time, each file in one process: most tests wait for something that starts.
test: $(VENV)/dev.done
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: format lint types security audit test

format: $(VENV)/dev.done
	$(BIN)/ruff format --check $(PACKAGES)

lint: $(VENV)/dev.done
	$(BIN)/ruff check $(PACKAGES)

types: $(VENV)/dev.done
	$(BIN)/mypy

security: $(VENV)/dev.done
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive app.py deploy.py space model flagging retrain evaluation ui

audit: $(VENV)/dev.done
	$(BIN)/pip-audit --requirement requirements.txt --disable-pip --no-deps

# docs/benchmarks.md. On an otherwise idle machine; an hour.
bench: $(VENV)/dev.done
	$(BIN)/python -m benchmarks

bench-short: $(VENV)/dev.done
	$(BIN)/python -m benchmarks --short

$(VENV)/run.done: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Hoodwink needs Python 3.11 or newer; try make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/dev.done: requirements.txt requirements-evaluation.txt requirements-mlflow.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Hoodwink needs Python 3.11 or newer; try make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@ $(VENV)/run.done

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
