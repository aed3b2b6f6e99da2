# What one can do here. Python 3.11 and make are all that is needed beforehand, and Java 17 with Maven
# for what runs on a Flink cluster or against a Kafka broker.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
OUTPUT ?= demo
FRAMES ?= 14400

# One thread for each process: Beam parallelises over blocks, not inside numpy.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

JAVA_PARTS := $(BIN)/python -m flink.parts

.PHONY: help env demo test lint type check bench peers-env format lock clean
.PHONY: flink-jar flink-env flink-up flink-down kafka-jars kafka-up kafka-down prometheus live-demo rehearsal

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

env: $(READY)  ## build the environment in .venv

$(READY): requirements.lock pyproject.toml setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: env  ## find GW150914 in 32 s of H1 and L1
	$(BIN)/wavefier run tests/data/*_LOSC_4_V2-1126259446-32.hdf5 --output $(OUTPUT)

test: env  ## run all tests; without Java, all but those on a real cluster
	$(JAVA_PARTS) --if-possible
	$(BIN)/python -m flink.prometheus --if-possible
	$(BIN)/python -m pytest -rs

lint: env  ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: env  ## types
	$(BIN)/mypy

check: lint type test  ## style, types and tests

bench: env  ## measure efficiency and throughput
	$(BIN)/python -m benchmarks.efficiency
	$(BIN)/python -m benchmarks.throughput

peers-env:  ## build the environments of benchmarks.peers in .venv-peers (6 GB)
	mkdir -p .venv-peers && echo '*' > .venv-peers/.gitignore
	for peer in sgnax wdflow; do \
		$(PYTHON) -m venv .venv-peers/$$peer && \
		.venv-peers/$$peer/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r benchmarks/peers_env/$$peer.txt || exit 1; \
	done

flink-jar: env  ## build Beam's job server for Flink (Java 17, Maven)
	$(JAVA_PARTS) jar

flink-env: env  ## get Flink itself, into .flink
	$(JAVA_PARTS) distribution

flink-up: env flink-jar flink-env  ## start a Flink cluster on this machine
	$(BIN)/python -m flink.cluster up

flink-down: env  ## stop it, remove its files
	$(BIN)/python -m flink.cluster down

kafka-jars: env  ## get Kafka (Java 17, Maven)
	$(JAVA_PARTS) broker

kafka-up: env kafka-jars  ## start a Kafka broker on this machine
	$(BIN)/python -m flink.broker up

kafka-down: env  ## stop it, remove its files
	$(BIN)/python -m flink.broker down

prometheus: env  ## get Prometheus, unless it is on the PATH
	$(BIN)/python -m flink.prometheus

live-demo: env flink-jar flink-env kafka-jars  ## find GW150914 live: broker, cluster, job and replay at real time
	$(BIN)/python -m flink.demo

rehearsal: env flink-jar flink-env kafka-jars  ## play FRAMES s to a live job with faults and kills; compare with the archive's job
	$(BIN)/python -m benchmarks.rehearsal --frames $(FRAMES) --json rehearsal.json

format: env  ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: env  ## resolve requirements.in into requirements.lock
	$(BIN)/uv pip compile requirements.in --override requirements.override --python-version 3.11 --generate-hashes --no-header --quiet -o requirements.lock

clean:  ## stop what runs, remove what was built
	test ! -d .flink/cluster || $(PYTHON) -m flink.cluster down
	test ! -d .flink/broker || $(PYTHON) -m flink.broker down
	rm -rf $(VENV) .flink flink/*/target build *.egg-info demo
