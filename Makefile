# Two commands do all set-up on a fresh Debian or Ubuntu with Python 3.11:
#   make quickstart   the main job on real candidates, from the plain lm_eval command
#   make test         all tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out/quickstart

.PHONY: quickstart test check bench lock clean help
.DEFAULT_GOAL := help

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

quickstart: $(VENV)/installed  ## install, then best-of-n on 400 real candidates
	.ci/system-packages sandbox
	HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 $(BIN)/lm_eval --model rewardranker \
	  --model_args backend=replay,generator=humaneval_py_20x20 \
	  --tasks multiple_py_bon --confirm_run_unsafe_code --log_samples --output_path $(OUT)
	@echo
	@pool=$$(ls -t $(OUT)/*/pool_multiple_py_bon_*.jsonl | head -n 1) && echo "$$pool" && \
	  $(BIN)/rr-harness evaluate "$$pool" --json $(OUT)/results.json

test: $(VENV)/installed  ## all tests but the slow ones
	.ci/system-packages toolchains
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(VENV)/installed  ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/installed  ## the measurements that README and docs quote
	.ci/system-packages toolchains
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.generation
	$(BIN)/python -m benchmarks.verdicts
	$(BIN)/python -m benchmarks.canonical

lock:  ## write requirements.lock anew from pyproject.toml, in a clean environment
	.ci/lock $(PYTHON)

clean:  ## remove what the targets above made
	rm -rf $(VENV) out dist build

$(VENV)/installed: requirements.lock pyproject.toml
	.ci/system-packages python
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@
