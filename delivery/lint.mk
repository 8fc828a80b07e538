# Checks of manifests, images, workflows, alerts, units and compose.yaml; none needs a cluster or a daemon.
# What is accepted all the same stands in delivery/suppressions.yaml, with a reason and a date.
ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

.PHONY: lint-delivery lint-manifests lint-images lint-workflows lint-alerts lint-compose lint-units

lint-delivery: validate lint-manifests lint-images lint-workflows lint-alerts lint-compose lint-units ## every check of the delivery that needs no cluster

build/bin/actionlint: delivery/lint.mk
	@command -v go >/dev/null || { echo 'actionlint is built with Go 1.24 or later: install it (https://go.dev/dl)' >&2; exit 2; }
	GOBIN=$(CURDIR)/build/bin go install $(ACTIONLINT)
	@touch $@

# Debian's and Ubuntu's package, unpacked without being root; elsewhere the machine's own promtool.
build/bin/promtool: delivery/lint.mk
	@mkdir -p build/bin build/prometheus
	@if command -v promtool >/dev/null; then cp "$$(command -v promtool)" $@; \
	elif command -v apt-get >/dev/null; then cd build/prometheus && rm -f prometheus_*.deb && \
		apt-get -q download prometheus && dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb && \
		cp usr/bin/promtool ../bin/promtool; \
	else echo 'promtool is not there: install the package prometheus of your system' >&2; exit 2; fi
	@touch $@

build/checkov/bin/checkov: delivery/checkov.lock
	$(PYTHON) -m venv build/checkov
	build/checkov/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r $<
	@touch $@

lint-manifests: install build/bin/kustomize build/checkov/bin/checkov ## the rendered objects by checkov, a Rollout as a Deployment
	$(BIN)/python -m delivery.lint_checkov

lint-images: install ## the Dockerfiles by hadolint
	$(BIN)/python -m delivery.lint_images

lint-workflows: install build/bin/actionlint ## the workflows by actionlint, zizmor, GitHub's schema, bash and shellcheck
	$(BIN)/python -m delivery.lint_workflows

lint-alerts: install build/bin/promtool ## the alert rules and their unit tests, by promtool
	$(BIN)/python -m delivery.lint_alerts

lint-compose: install ## compose.yaml and its shell by compose's schema and shellcheck
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	$(BIN)/shellcheck deploy/compose/*.sh

lint-units: install ## the systemd units by systemd-analyze
	$(BIN)/python -m delivery.lint_units
