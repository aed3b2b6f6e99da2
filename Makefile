# What one can do here. Python 3.11 and make are all that is needed beforehand, and Java 17 with Maven
# for what runs on a Flink cluster or against a Kafka broker, and Go for what concerns the Helm chart.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
OUTPUT ?= demo
FRAMES ?= 14400
# How many files of tests run beside each other: some of them mostly wait for servers.
WORKERS ?= 3

# One thread for each process: Beam parallelises over blocks, not inside numpy.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

# Each file in one process, whose fixtures its tests share; those that wait for servers come first.
PYTEST := $(BIN)/python -m pytest -rs -n $(WORKERS) --dist loadfile --no-loadscope-reorder

JAVA_PARTS := $(BIN)/python -m flink.parts
CHARTS := $(BIN)/python -m flink.charts

# What CI alone needs, in folders of its own: nothing of it is in requirements.lock.
PIP_AUDIT := pip-audit==2.9.0
COVERAGE := coverage==7.10.7
# Known faults that do not concern us, each with its reason: --ignore-vuln ID
AUDIT_IGNORED :=

.PHONY: help env demo quick test lint type check bench peers-env schemas format lock clean audit coverage
.PHONY: chart-tools chart-check chart-package images-push images-sign ci-image deploy smoke rollback undeploy
.PHONY: flink-jar flink-s3 flink-env flink-up flink-down kafka-jars kafka-up kafka-down prometheus live-demo rehearsal
.PHONY: images k8s-binaries k8s-up k8s-test k8s-down
.PHONY: docs docs-pages docs-lock

help:  ## list the targets
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

env: $(READY)  ## build the environment in .venv

$(READY): requirements.lock pyproject.toml setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: env  ## find GW150914 in 32 s of H1 and L1
	$(BIN)/wavefier run tests/data/*_LOSC_4_V2-1126259446-32.hdf5 --output $(OUTPUT)

test: env  ## run all tests; without Java, all but those on a real cluster; without Go, all but the chart's
	$(JAVA_PARTS) --if-possible
	$(CHARTS) tools --if-possible
	$(BIN)/python -m flink.dev.prometheus --if-possible
	$(PYTEST)

quick: env lint type  ## style, types and what a minute tests: no server, no Helm, few examples
	WAVEFIER_EXAMPLES=20 $(PYTEST) -n 2 -m "not java and not go and not slow"

lint: env  ## style, direction of imports, links of the documentation; warns of what is too long
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m docs.tools.links
	$(BIN)/python -m tests.sizes

type: env  ## types
	$(BIN)/mypy

check: lint type test  ## style, types and tests: all that a change must pass

docs: .venv-docs/.ready  ## build the documentation as a site: build/site
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build

.venv-docs/.ready: docs/requirements.txt
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r docs/requirements.txt
	@touch $@

docs-pages: env  ## make the pages and drawings that come from the code
	$(BIN)/python -m docs.tools.configuration
	$(BIN)/python -m docs.tools.grid

docs-lock: env  ## resolve docs/requirements.in into docs/requirements.txt
	$(BIN)/uv pip compile docs/requirements.in --python-version 3.11 --generate-hashes --no-header --quiet -o docs/requirements.txt

audit:  ## look up known faults of all that is locked, and list it as build/sbom.json (CycloneDX)
	test -x .venv-audit/bin/pip-audit || { $(PYTHON) -m venv .venv-audit && \
		.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_AUDIT); }
	mkdir -p build
	.venv-audit/bin/pip-audit --requirement requirements.lock --disable-pip --require-hashes \
		--format cyclonedx-json --output build/sbom.json $(AUDIT_IGNORED)

coverage: env  ## run all tests and see which lines they reach: build/coverage.xml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target .venv-coverage $(COVERAGE)
	mkdir -p build
	PYTHONPATH=$(CURDIR)/.venv-coverage $(BIN)/python -m coverage run -m pytest -rs
	PYTHONPATH=$(CURDIR)/.venv-coverage $(BIN)/python -m coverage xml -o build/coverage.xml
	PYTHONPATH=$(CURDIR)/.venv-coverage $(BIN)/python -m coverage report --skip-covered

bench: env  ## measure efficiency and throughput
	$(BIN)/python -m benchmarks.detection.efficiency
	$(BIN)/python -m benchmarks.throughput.archive

peers-env:  ## build the environments of peers in .venv-peers (12 GB)
	mkdir -p .venv-peers && echo '*' > .venv-peers/.gitignore
	for peer in sgnax wdflow gengli; do \
		$(PYTHON) -m venv .venv-peers/$$peer && \
		.venv-peers/$$peer/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r benchmarks/peers/env/$$peer.txt || exit 1; \
	done

flink-jar: env  ## build Beam's job server for Flink (Java 17, Maven)
	$(JAVA_PARTS) jar

flink-s3: env  ## get Flink's plugin for checkpoints in an S3 store (Java 17, Maven)
	$(JAVA_PARTS) s3

flink-env: env  ## get Flink itself, into .flink
	$(JAVA_PARTS) distribution

flink-up: env flink-jar flink-env  ## start a Flink cluster on this machine
	$(BIN)/python -m flink.dev.cluster up

flink-down: env  ## stop it, remove its files
	$(BIN)/python -m flink.dev.cluster down

kafka-jars: env  ## get Kafka (Java 17, Maven)
	$(JAVA_PARTS) broker

kafka-up: env kafka-jars  ## start a Kafka broker on this machine
	$(BIN)/python -m flink.dev.broker up

kafka-down: env  ## stop it, remove its files
	$(BIN)/python -m flink.dev.broker down

chart-tools: env  ## build Helm and kubeconform (Go)
	$(CHARTS) tools

chart-check: env chart-tools  ## lint the Helm chart; compare what it makes with Kubernetes' schemas
	$(CHARTS) check

chart-package: env chart-tools  ## pack the Helm chart into build/chart
	$(CHARTS) package build/chart

images-push: env flink-jar flink-s3 flink-env kafka-jars  ## build the images, push them to IMAGES_REGISTRY as IMAGES_TAG
	$(BIN)/python -m flink.images --push

images-sign: env  ## sign what was pushed (cosign, COSIGN_PRIVATE_KEY)
	$(BIN)/python -m flink.images --sign

ci-image:  ## build and push the image that CI's jobs run in, as CI_IMAGE (buildah)
	buildah bud --tag "$(CI_IMAGE)" --file flink/docker/ci.Dockerfile .
	buildah push "$(CI_IMAGE)" "docker://$(CI_IMAGE)"

deploy: env chart-tools  ## install or upgrade HELM_RELEASE in HELM_NAMESPACE with HELM_VALUES
	$(CHARTS) deploy

smoke: env chart-tools  ## see that what is deployed runs
	$(CHARTS) smoke

rollback: env chart-tools  ## go back to what was deployed before
	$(CHARTS) rollback

undeploy: env chart-tools  ## uninstall HELM_RELEASE
	$(CHARTS) undeploy

prometheus: env  ## get Prometheus, unless it is on the PATH
	$(BIN)/python -m flink.dev.prometheus

live-demo: env flink-jar flink-env kafka-jars  ## find GW150914 live: broker, cluster, job and replay at real time
	$(BIN)/python -m flink.dev.demo

rehearsal: env flink-jar flink-env kafka-jars  ## play FRAMES s to a live job with faults and kills; compare with the archive's job
	$(BIN)/python -m benchmarks.rehearsal.run --frames $(FRAMES) --json rehearsal.json

images: env flink-jar flink-s3 flink-env kafka-jars  ## build the images of a cluster (root, buildah)
	$(BIN)/python -m flink.images

k8s-binaries: env  ## build Kubernetes, CoreDNS and Helm (Go)
	$(BIN)/python -m flink.dev.kubernetes.binaries

k8s-up: env k8s-binaries  ## start a Kubernetes cluster of one node on this machine (root), with our images
	$(BIN)/python -m flink.dev.kubernetes.cluster up
	$(BIN)/python -m flink.dev.kubernetes.cluster load

k8s-test: env k8s-binaries  ## try the chart on it: install, replay, kill, upgrade, uninstall (root, after make images)
	$(BIN)/python -m benchmarks.rehearsal.kubernetes.trial

k8s-down: env  ## stop it, remove its files
	$(BIN)/python -m flink.dev.kubernetes.cluster down

schemas: env  ## write the JSON schemas anew: of messages, of the science, of the chart's values
	$(BIN)/python -m transforms.sink.schemas --write
	$(BIN)/python -m beam_pipeline.schema --write
	$(CHARTS) schema

format: env  ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: env  ## resolve requirements.in into requirements.lock
	$(BIN)/uv pip compile requirements.in --override requirements.override --python-version 3.11 --generate-hashes --no-header --quiet -o requirements.lock

clean:  ## stop what runs, remove what was built
	test ! -d .flink/cluster || $(PYTHON) -m flink.dev.cluster down
	test ! -d .flink/broker || $(PYTHON) -m flink.dev.broker down
	test ! -d .flink/kubernetes/cluster || $(PYTHON) -m flink.dev.kubernetes.cluster down
	rm -rf $(VENV) .flink flink/*/target build *.egg-info demo
