# Two commands matter: `make start` and `make test`. Both install what they need into .venv first.
PYTHON ?= python3
BIN := .venv/bin
CATALOGUES := $(wildcard portal/translations/*/LC_MESSAGES/messages.po)

.PHONY: start test lint lock lossless pictures measure bench bench-extraction bench-large clean

start: .venv/.runtime $(CATALOGUES:.po=.mo)
	@$(BIN)/noroshi start

test: lint
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

lint: .venv/.test $(CATALOGUES:.po=.mo)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

lossless: .venv/.test ## The long run: a hundred thousand versions, four writers, eight pollers, both databases.
	NOROSHI_LOSSLESS_OBJECTS=100000 $(BIN)/python -m pytest -v tests/test_lossless.py

pictures: .venv/.test ## Every page, small and large, in both languages, into docs/pictures/pages; needs Chromium.
	$(BIN)/python -m tests.gallery

measure: .venv/.runtime
	@$(BIN)/noroshi measure

bench: .venv/.test
	@$(BIN)/python -m bench run
	@$(BIN)/python -m bench extraction

bench-extraction: .venv/.test
	@$(BIN)/python -m bench extraction

bench-large: .venv/.test
	@$(BIN)/python -m bench large

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.runtime: requirements/runtime.lock setup.cfg | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.test: requirements/test.lock .venv/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.lock
	@touch $@

%.mo: %.po | .venv/.runtime
	@$(BIN)/pybabel --quiet compile -i $< -o $@ -l $(notdir $(patsubst %/LC_MESSAGES/,%,$(dir $<)))

lock: ## Resolve the pinned versions again; needs uv.
	cd requirements && for set in runtime scale test; do \
	  uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
	    --python-version 3.11 $$set.in -o $$set.lock; done

clean:
	rm -rf .venv var var-keys .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
