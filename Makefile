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

.PHONY: serving kills install test test-vllm test-lmms lmms-eval lint types docs demo bench bench-map bench-demo georeferences regress-table regress-head regress-demo fuzz mutants nano scorecard train-demo clean

install: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev,train,regress]"
	touch $@

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

test: lint types
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

# The engines against the real vLLM, whose requirements are its own: RSCOVLM_VLLM=/path/to/its/python make test-vllm
test-vllm: $(READY)
	@test -n "$(RSCOVLM_VLLM)" || { echo "set RSCOVLM_VLLM to the python of an environment that has vLLM" >&2; exit 2; }
	$(BIN)/pytest tests/rscovlm/engines/test_vllm.py

# This engine inside the real lmms-eval, whose requirements are its own: RSCOVLM_LMMS=/path/to/its/python make test-lmms
test-lmms: $(READY)
	@test -n "$(RSCOVLM_LMMS)" || { echo "set RSCOVLM_LMMS to the python of an environment that has lmms-eval and rscovlm" >&2; exit 2; }
	$(BIN)/pytest tests/rscovlm/lmms/test_model.py

# The documentation site, with the reference made from docstrings -> build/site/index.html
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "See build/site/index.html, or: $(BIN)/mkdocs serve"

$(VENV)/.docs: $(READY) constraints-docs.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -c constraints-docs.txt -e ".[docs]"
	touch $@

# The main job, as a user would do it: a scene of 8192 x 8192 px, two questions, and a map layer of its objects.
demo: $(READY) demo/scene.tif
	sed -n '2p;11p' demo/scene.questions.jsonl > demo/questions.jsonl
	$(BIN)/rscovlm ask demo/scene.tif --questions demo/questions.jsonl --trace demo/trace.html --overwrite
	$(BIN)/rscovlm detect demo/scene.tif --classes "plane,ship,storage tank,soccer ball field,tennis court,bridge" \
		--output demo/objects.gpkg --overlay demo/objects.png --overwrite
	@echo "See demo/trace.html (how the answers came about), demo/objects.png and demo/objects.gpkg (what was found)."

demo/scene.tif: | $(READY)
	mkdir -p demo
	$(BIN)/rscovlm synth scene $@ --size 8192 --seed 7 --cover coast

bench: $(READY)
	$(BIN)/python benchmarks/reading.py
	$(BIN)/python benchmarks/merging.py
	$(BIN)/python benchmarks/zoom.py
	$(BIN)/python benchmarks/training.py

# Servers: slow requests beside the ideal, failed ones, peak memory; runs that are killed again and again
serving: $(READY)
	$(BIN)/python benchmarks/serving.py

kills: $(READY)
	$(BIN)/python benchmarks/kills.py

# mAP of rotated boxes beside the real MMRotate, in an environment of its own: make bench-map MMROTATE=ENV/bin/python
IMAGES ?= 5000
bench-map: $(READY)
	@test -n "$(MMROTATE)" || { echo "set MMROTATE to the python of an environment that has MMRotate 1.x" >&2; exit 2; }
	$(BIN)/python benchmarks/rotated_map.py --mmrotate $(MMROTATE) --images $(IMAGES)

# nano without and with zoom on a task of lmms-eval, in an environment of its own: make lmms-eval LMMS=ENV/bin/python
SCENES ?= 4
lmms-eval: $(READY)
	@test -n "$(LMMS)" || { echo "set LMMS to the python of an environment that has lmms-eval and rscovlm" >&2; exit 2; }
	mkdir -p build
	$(BIN)/rscovlm synth dataset build/lmms-eval --count $(SCENES) --size 4096 --seed 3
	rm -rf build/lmms-eval/results-* build/lmms-eval/traces-*
	# lmms-eval ends with 0 after an error too; what it wrote tells.
	for zoom in off chain; do \
		$(LMMS) -m lmms_eval --model rscovlm --model_args pretrained=nano,zoom=$$zoom,traces=build/lmms-eval/traces-$$zoom \
			--include_path examples/lmms_eval --tasks synthetic_scenes --batch_size 16 \
			--output_path build/lmms-eval/results-$$zoom --log_samples && test -d build/lmms-eval/results-$$zoom || exit 1; \
	done

# One report of nano and of a simulated detector's results.pkl on synthetic scenes -> demo/detectors/report/report.html
bench-demo: $(READY)
	$(BIN)/python benchmarks/nano_beside_detector.py

# One scene in six georeferences: the same objects in the same places -> docs/georeferences.png
georeferences: $(READY)
	$(BIN)/python benchmarks/georeferences.py --picture docs/georeferences.png

# Heads, number words and baselines on synthetic plots of known physics, with intervals over tiles -> build/regression/table.md
regress-table: $(READY)
	$(BIN)/python benchmarks/regression.py --folder build/regression

# The heads of biomass and canopy height that ship beside nano; to be run again whenever its weights change.
regress-head: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m rscovlm.reo.shipped --folder build/regress-head

# A synthetic Sentinel-2 scene of 10 x 10 km mapped by the shipped heads, and the map held against the truth:
# demo/agb-1000.png shows it. SIDE, in pixels of 10 m, may be 10980, a whole Sentinel-2 tile.
SIDE ?= 1000
STRIDE ?= 50
regress-demo: $(READY)
	mkdir -p demo
	$(BIN)/python benchmarks/regression_map.py --model nano --sides $(SIDE) --stride $(STRIDE) --folder demo

# The parser of replies under every contract, on replies that are spoilt at random.
REPLIES ?= 100000
fuzz: $(READY)
	$(BIN)/python -m tests.detection_eval.text.fuzzing --replies $(REPLIES)

# How many small, deliberate mistakes (tests/mutants) the tests notice: some seconds each.
mutants: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python tests/mutants/run.py $(MUTANTS)

# Train nano from scratch: hours on two CPU cores; an interrupted run goes on where it was.
nano: $(READY)
	$(BIN)/rscovlm train nano --output runs/nano --resume

scorecard: $(READY)
	$(BIN)/python -m rscovlm.nano.scorecard

# Co-train nano on five tasks, some ten minutes on two idle cores; an interrupted run goes on where it was. See
# runs/train-demo/summary.html.
train-demo: $(READY)
	mkdir -p runs
	$(BIN)/rscovlm synth samples runs/samples --count 10000 --seed 3
	$(BIN)/rscovlm train synth mix_root=runs/samples --output runs/train-demo --resume

clean:
	rm -rf $(VENV) demo runs build
