# Tidegate. `make help` lists what there is.
.DEFAULT_GOAL := help
SHELL := /bin/sh

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHON VENV

# What installs into .venv: locked versions, and the packages of this checkout in editable form
INSTALLED := requirements/run.txt proto/pyproject.toml services/web/pyproject.toml services/serving/pyproject.toml local/setup.sh

.PHONY: help
help: ## Show this help
	@$(SHELL) local/help.sh $(MAKEFILE_LIST)

## Run

.PHONY: run
run: $(VENV)/run.stamp ## Serve a model with its web form here (MODEL=folder NAME=name for your own, VERSIONS=all; HTTP_PORT, OPS_PORT, GRPC_PORT, REST_PORT)
	@$(BIN)/python local/run.py $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))

.PHONY: loadtest
loadtest: $(VENV)/dev.stamp ## Open Locust's page against `make run` (HTTP_PORT=port, HOST=http://address, ARGS="--headless -u 10 -t 1m")
	@$(BIN)/python local/load.py $(if $(HOST),--host $(HOST)) $(ARGS)

.PHONY: tools
tools: $(VENV)/dev.stamp ## Install locust, tidegate-hpa and tidegate-proof, and say how to call them
	@echo "locust, tidegate-hpa and tidegate-proof are in $(BIN). To call them by name, in this terminal:"
	@echo "    . $(BIN)/activate"

## Deploy

.PHONY: images
images: $(VENV)/run.stamp ## Build the images (SERVING=embedded for arm64 or without tensorflow/serving)
	@k8s/images.sh

.PHONY: push
push: $(VENV)/run.stamp ## Push the images and write an overlay that deploys from there (REGISTRY=registry.example/team)
	@k8s/push.sh

.PHONY: cards
cards: $(VENV)/run.stamp ## Write the models' cards into the manifests
	@k8s/cards.sh

.PHONY: wheels
wheels: $(VENV)/run.stamp ## Collect the wheels that the images install
	@k8s/wheels.sh

.PHONY: cluster
cluster: ## Make a kind cluster with metrics-server
	@k8s/cluster.sh

.PHONY: deploy
deploy: $(VENV)/run.stamp ## Build, load, apply and wait for pods and autoscalers (OVERLAY=k8s/overlays/laptop; MODEL=folder NAME=name for your own)
	@k8s/deploy.sh

.PHONY: compare-versions
compare-versions: $(VENV)/run.stamp ## Ask two versions the same and fail where they differ too much (NAME=and_gate VERSIONS=1,2 HOST=… SAMPLES=…)
	@k8s/compare-versions.sh

.PHONY: autoscaling
autoscaling: ## Choose what running model servers scale on (SIGNAL=inflight with KEDA, or cpu; TARGET=16 CPU=60)
	@k8s/autoscaling.sh

.PHONY: undeploy
undeploy: ## Take it out of the cluster
	@k8s/undeploy.sh

.PHONY: release
release: $(VENV)/run.stamp ## Serve a new version of a model to those who ask for it (NAME=name MODEL=path VERSION=n)
	@k8s/release.sh release

.PHONY: canary
canary: $(VENV)/run.stamp ## Send a share of the clients to the new version (NAME=name PERCENT=10)
	@k8s/release.sh canary

.PHONY: promote
promote: $(VENV)/run.stamp ## Compare the new version with the old one, then make it the stable one (NAME=name; FORCE=1)
	@k8s/release.sh promote

.PHONY: rollback
rollback: $(VENV)/run.stamp ## Go back to the version before (NAME=name for a model, TIER=web TO=version for the gateway)
	@k8s/release.sh rollback

## Develop

.PHONY: test
test: $(VENV)/dev.stamp ## Run the tests that need no cluster
	@$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m "not cluster and not cluster_full"

.PHONY: test-resilience
test-resilience: $(VENV)/dev.stamp ## Try to break gateways at full length, restarts by the fifty; the report goes to build/resilience.json
	@$(BIN)/python -m tests.resilience --full --output build/resilience.json

.PHONY: check
check: $(VENV)/dev.stamp ## Run the linters, the type checker and the import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: test-cluster
test-cluster: $(VENV)/dev.stamp ## Run the cluster tests on the cluster of your kubectl (deploys, loads and scales)
	@$(BIN)/python -m pytest -m cluster tests/cluster

.PHONY: test-cluster-full
test-cluster-full: $(VENV)/dev.stamp ## Run the long cluster tests; figures go to docs/evidence/cluster-full.json (half an hour; the cluster for it alone)
	@TIDEGATE_CLUSTER_EVIDENCE=docs/evidence/cluster-full.json $(BIN)/python -m pytest -m cluster_full tests/cluster

.PHONY: prove
prove: $(VENV)/dev.stamp ## Show on the cluster of your kubectl that it scales, and that controls fail (twelve minutes; ARGS="--cpu-only")
	@$(BIN)/python -m tidegate_proof prove $(ARGS)

.PHONY: prove-full
prove-full: $(VENV)/dev.stamp ## The same for both tiers, with more shapes and repeats (an hour; the cluster for it alone)
	@$(BIN)/python -m tidegate_proof prove --full $(ARGS)

.PHONY: bench
bench: $(VENV)/dev.stamp ## Measure the gateway beside an aiohttp echo and Flask (ARGS="--rounds 3 --clients 64"); needs wrk
	@$(BIN)/python benchmarks/gateway_speed.py $(ARGS)

.PHONY: lock
lock: $(VENV)/dev.stamp ## Resolve the dependencies anew
	@PATH="$(CURDIR)/$(BIN):$$PATH" requirements/lock.sh

.PHONY: clean
clean: ## Remove what make made (.venv, .run, build)
	rm -rf $(VENV) .run build

$(VENV)/run.stamp: $(INSTALLED)
	@local/setup.sh run

$(VENV)/dev.stamp: $(INSTALLED) loadtest/pyproject.toml hpa/pyproject.toml proof/pyproject.toml requirements/dev.txt requirements/oracle.txt
	@local/setup.sh dev
