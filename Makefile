# `make demo` and `make test` do all the set-up on a machine that has Python 3.11 and make.
PYTHON ?= python3.11
ifeq ($(shell command -v $(PYTHON) 2>/dev/null),)
PYTHON := python3
endif
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: install test test-vllm lint types demo bench nano scorecard clean

install: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev,train]"
	touch $@

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

test: lint types
	$(BIN)/pytest

# The engines against the real vLLM, whose requirements are its own: RSCOVLM_VLLM=/path/to/its/python make test-vllm
test-vllm: $(READY)
	@test -n "$(RSCOVLM_VLLM)" || { echo "set RSCOVLM_VLLM to the python of an environment that has vLLM" >&2; exit 2; }
	$(BIN)/pytest tests/rscovlm/engines/test_vllm.py

# The main job, as a user would do it: a scene of 8192 x 8192 px, two questions, and a map layer of its objects.
demo: $(READY) demo/scene.tif
	sed -n '1p;3p' demo/scene.questions.jsonl > demo/questions.jsonl
	$(BIN)/rscovlm ask demo/scene.tif --questions demo/questions.jsonl --trace demo/trace.html
	$(BIN)/rscovlm detect demo/scene.tif --output demo/objects.gpkg --overlay demo/objects.png --overwrite
	@echo "See demo/trace.html (how the answers came about), demo/objects.png and demo/objects.gpkg (what was found)."

demo/scene.tif: | $(READY)
	mkdir -p demo
	$(BIN)/rscovlm synth scene $@ --size 8192 --seed 7

bench: $(READY)
	$(BIN)/python benchmarks/reading.py
	$(BIN)/python benchmarks/merging.py
	$(BIN)/python benchmarks/zoom.py

# Train nano from scratch: hours on two CPU cores; an interrupted run goes on where it was.
nano: $(READY)
	$(BIN)/python -m rscovlm.training.nano.train --output runs/nano

scorecard: $(READY)
	$(BIN)/python -m rscovlm.training.nano.scorecard

clean:
	rm -rf $(VENV) demo runs
