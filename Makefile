# `make` builds the report page from sample data, `make test` runs the tests. Both need python3 (3.11 or newer), make and git.
VENV := .venv
ACTIVATE := . $(VENV)/bin/activate
# Downloads show their progress to who looks on, and fill no log.
QUIET := $(shell [ -t 2 ] || echo --quiet)
# Where Python writes no bytecode itself, importing torch and mlflow costs seconds in every stage.
UV_SYNC := $(VENV)/bin/uv pip sync $(QUIET) --compile-bytecode --require-hashes --python $(VENV)/bin/python requirements.lock

# Around the commands of a recipe's line: how long they took, and how they ended.
TIMED := begun=$$(date +%s);
TOOK := code=$$?; echo "== took $$(( $$(date +%s) - begun )) s"; exit $$code

# What the packages take: torch for Linux on x86-64 comes with CUDA.
GIGABYTES := $(if $(filter Linux-x86_64,$(shell uname -sm | tr ' ' -)),6,2)

OWN := own/dvc.yaml own/data/dvc.yaml own/reports/dvc.yaml

.PHONY: all setup own test lock lint

# One thread a stage, as many stages at a time as there are cores; the `dvc repro` behind it finds everything made.
all: setup full/dvc.yaml
	@echo "== The sample pipeline: 290 stages, about 5 minutes on two cores; what is up to date is skipped"
	@$(TIMED) $(ACTIVATE) && OMP_NUM_THREADS=1 python -m stages.reproduce && dvc repro --quiet; $(TOOK)
	@$(ACTIVATE) && python -m stages.report --profile sample --where

setup: $(VENV)/installed

# uv comes from the same hash-pinned lock as everything else; pip installs that one entry of it.
$(VENV)/installed: requirements.lock
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: python3 is older than 3.11"; exit 2; }
	@echo "== Setting up $(VENV): about $(GIGABYTES) GB of Python packages, most of them torch's"
	@[ -d $(VENV) ] || df -Pk . | awk 'NR == 2 && $$4 < $(GIGABYTES)500000 { \
	  printf "warning: this disk has %.1f GB free; if that is not enough, free some and type make again\n", $$4 / 1000000 }' >&2
	python3 -m venv $(VENV)
	awk '/^[a-z0-9]/ { take = /^uv==/ } take' requirements.lock > $(VENV)/uv.lock
	$(VENV)/bin/python -m pip install $(QUIET) --no-deps --require-hashes --requirement $(VENV)/uv.lock
	@echo "== Installing the packages of requirements.lock"
	@$(TIMED) $(UV_SYNC); $(TOOK)
	# The user's own `mlflow ui` sends nothing home either.
	echo 'export MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true' >> $(VENV)/bin/activate
	touch $@

# The pipelines of the user's own data. They are copied when they are asked for: `dvc pull` would miss the outputs of
# committed ones that nobody has run.
own: setup $(OWN)
	@echo "== own/ is ready: name your data in own/data/data.yaml; docs/own-data.md says how"

$(OWN): %dvc.yaml: %pipeline.yaml
	cp $< $@

# A file's tests share what is costly to make, so a file stays in one process.
test: setup
	@echo "== All tests: 10 to 20 minutes on two cores"
	$(ACTIVATE) && OMP_NUM_THREADS=1 pytest --numprocesses logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder

lint: setup
	$(ACTIVATE) && ruff check . && ruff format --check . && mypy

# The same stages for real data. A link would do, but DVC reads earlier revisions from Git, where a link is its target's name.
full/dvc.yaml: dvc.yaml
	sed 's|^  - reports/|  - ../reports/|' dvc.yaml > $@

# Pins every platform and Python version at once; no package index is named in the result.
lock:
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --extra dev \
	  --custom-compile-command "make lock" --output-file requirements.lock pyproject.toml
