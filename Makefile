# Two commands are enough: `make run` and `make test`. Both set up what they need in .venv.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
# conda's compilers keep the name of their platform in HOST.
ifneq (,$(findstring -conda-,$(HOST)))
override HOST := 127.0.0.1
endif
BIN := .venv/bin
export HOST PORT

.PHONY: run test wheel soak lint format bench bench-mapping bench-protocol lock docs clean

run: .venv/run.stamp
	@$(BIN)/scimsvc init --url http://$(HOST):$(PORT)
	@exec $(BIN)/scimsvc serve

test: .venv/test.stamp
	$(BIN)/pytest $(ARGS)

# What can be installed without a checkout.
wheel: .venv/run.stamp
# What a former build left in build/ would get into the wheel.
	rm -rf build
	$(BIN)/pip wheel -q --no-deps -w dist .

# Tests that take minutes: rolling restarts behind nginx (Debian package nginx).
soak: .venv/test.stamp
	SOAK=1 $(BIN)/pytest tests/faults/test_rolling_restarts.py $(ARGS)

lint: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file tests/mypy.ini
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell

format: .venv/test.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Pages made from the code.
docs: .venv/test.stamp
	$(BIN)/python docs/generate.py

bench: .venv/test.stamp
	$(BIN)/python bench/run.py $(ARGS)

bench-mapping: .venv/run.stamp
	$(BIN)/python bench/mapping.py

bench-protocol: .venv/test.stamp
	$(BIN)/python bench/protocol.py $(ARGS)

# The versions that CI uses; run it to take newer ones.
lock: .venv/test.stamp
	$(BIN)/pip install -q --upgrade --upgrade-strategy eager -e '.[test]'
	$(BIN)/pip freeze --all --exclude-editable --exclude pip --exclude scimsvc > requirements.lock

.venv/run.stamp: setup.cfg requirements.lock
	$(PYTHON) -c 'import sys; sys.exit("scimsvc needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
# setuptools warns about every editable install. What venv brings along is as old as Python itself: pip before 25.3 and setuptools before 78.1.1 have known vulnerabilities.
	$(BIN)/pip install -q --disable-pip-version-check --upgrade 'pip>=25.3'
	PYTHONWARNINGS=ignore $(BIN)/pip install -q --disable-pip-version-check -c requirements.lock -e .
	$(BIN)/pip uninstall -q -y setuptools
	@touch $@

.venv/test.stamp: .venv/run.stamp
	PYTHONWARNINGS=ignore $(BIN)/pip install -q --disable-pip-version-check -c requirements.lock -e '.[test]'
	@touch $@

clean:
	rm -rf .venv var build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
