# make demo, make serve and make test need nothing but Python >= 3.11 with venv: they set up .venv themselves.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo serve test test-slow lint docs pages pages-check clean

demo: $(STAMP)
	$(BIN)/slipcast demo --out demo

# The watch floor at http://127.0.0.1:8000 with a simulated earthquake that runs at 60 times its pace; Ctrl-C ends it.
SERVE := $(BIN)/slipcast serve --host 127.0.0.1 --port 8000 --token-file runs/serve/token --database sqlite:///runs/serve/watch.sqlite

serve: $(STAMP)
	@mkdir -p runs/serve
	@test -s runs/serve/token || (umask 077 && $(BIN)/python -c "import secrets; print(secrets.token_urlsafe(32))" > runs/serve/token)
	@$(SERVE) & serving=$$!; trap 'kill $$serving 2>/dev/null; exit 0' INT TERM; \
	$(BIN)/slipcast replay cascadia-simulation --to http://127.0.0.1:8000 --magnitude 8.5 --speed 60 --token-file runs/serve/token; \
	wait $$serving || true

# One thread for each of BLAS's small matrices: threads that wait for each other are slower on a busy machine. Compiled code
# is kept, since tests start many processes. Two at a time, each of which runs whole files: these share what is costly to make.
TESTING := PYTHONDONTWRITEBYTECODE= OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE

test: $(STAMP)
	$(TESTING) $(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-slow: $(STAMP)
	$(TESTING) $(BIN)/python -m pytest -m slow -n 2 --dist loadfile

lint: $(STAMP)
	$(BIN)/ruff check src tests benchmarks training
	$(BIN)/ruff format --check src tests benchmarks training
	$(BIN)/mypy

# strict: a dead link or a page outside the navigation is an error
docs: $(STAMP)
	$(BIN)/mkdocs build --strict --quiet --site-dir site

# Pages of results: filled again, and checked against results and code.
pages: $(STAMP)
	$(BIN)/python -m benchmarks.pages

pages-check: $(STAMP)
	$(BIN)/python -m benchmarks.pages --check

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test]"
	touch $@

clean:
	rm -rf $(VENV) build dist site demo demo-quick
