# Every task of a person and of CI; `make help` lists them.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

include $(wildcard delivery/*.mk)

.DEFAULT_GOAL := help
.PHONY: help install run test lint docs test-contracts test-faults test-mongo-java test-parity test-spark test-pages load-test lock clean

help: ## list the tasks
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

$(BIN)/.installed: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[laptop,test]'
	@touch $@

install: $(BIN)/.installed ## make .venv with everything pinned in requirements.lock

run: install ## run the four stages on a simulated history and serve the scorer
	$(BIN)/sentinel run $(ARGS)

# Where there is no Go or no promtool, the tests that need them are skipped and say so.
test: install lint $(if $(shell command -v go),build/bin/kustomize build/schemas) ## flake8, then pytest
	@$(MAKE) --no-print-directory build/bin/promtool || echo 'without promtool, the alerts are not tested'
	$(BIN)/python -m pytest

lint: install
	$(BIN)/python -m flake8

docs: install ## write docs/features.md from the catalogue
	$(BIN)/python -m sentinel.features > docs/features.md

build/npm: Makefile
	npm install --silent --prefix build/npm @octokit/graphql-schema@15 @octokit/fixtures@23 \
		@octokit/webhooks-examples@7
	@touch $@

test-contracts: install build/npm ## our queries and parser against what GitHub and Octokit publish (needs npm), and our own API
	$(BIN)/python -m pytest tests/sources/test_github_schema.py tests/sources/test_github_recorded.py
	SENTINEL_CONTRACT_EXAMPLES=60 $(BIN)/python -m pytest tests/model_serving/test_contract.py

test-faults: install ## the seeded faults of fetching, 50 seeds (minutes)
	SENTINEL_FAULT_SEEDS=50 $(BIN)/python -m pytest tests/sources/test_github_faults.py tests/data_fetch/test_nothing_lost.py

build/mongo-java-server: tests/sentinel/mongo_java_server/pom.xml
	mvn --quiet --batch-mode --file $< dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$@
	@touch $@

test-mongo-java: install build/mongo-java-server ## the store on a second, independent server (needs Maven)
	$(BIN)/python -m pytest tests/sentinel/test_mongo.py

test-parity: install ## Spark, a plain fold and HTTP give the same numbers of 2,000 real pull requests, DATA=FILE.jsonl.gz
	SENTINEL_PARITY_DATA=$(abspath $(DATA)) $(BIN)/python -m pytest -m parity tests/test_parity.py

test-spark: install ## Spark on clusters of this machine and onto S3 (minutes)
	$(BIN)/python -m pytest -m long_spark tests/spark_preprocess

build/browser: Makefile
	npm install --silent --prefix build/browser axe-core@4 playwright-core@1
	@touch $@

test-pages: install build/browser ## the pages in Debian's chromium, by axe's rules (needs npm)
	$(BIN)/python -m pytest tests/model_serving/test_pages_in_chromium.py

load-test: install ## Locust against a running scorer, HOST=http://127.0.0.1:8080; exit 1 when the gate is missed
	$(BIN)/locust -f model_serving/locustfile.py --headless --users 20 --spawn-rate 10 --run-time 60s \
		--host $(or $(HOST),http://127.0.0.1:8080)

lock: ## pin every dependency anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header --all-extras \
		pyproject.toml -o requirements.lock
	$(MAKE) lock-images

clean: ## remove the environment and all data
	rm -rf $(VENV) .sentinel
