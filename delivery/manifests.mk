# The manifests: rendered, and checked without a cluster.
KUSTOMIZE_VERSION := v5.7.1  # Argo CD 3.2 carries 5.7.0
ARGO_MODULES := github.com/argoproj/argo-rollouts@v1.9.0 github.com/argoproj/argo-cd/v3@v3.2.11

.PHONY: render validate mutations

build/bin/.kustomize-$(strip $(KUSTOMIZE_VERSION)):
	@command -v go >/dev/null || { echo 'kustomize is built with Go 1.24 or later: install it (https://go.dev/dl)' >&2; exit 2; }
	GOBIN=$(CURDIR)/build/bin go install sigs.k8s.io/kustomize/kustomize/v5@$(strip $(KUSTOMIZE_VERSION))
	@touch $@

build/bin/kustomize: build/bin/.kustomize-$(strip $(KUSTOMIZE_VERSION))
	@touch $@

build/schemas: delivery/schemas.py | install
	$(BIN)/python -m delivery.schemas $@ $(ARGO_MODULES)
	@touch $@

render: install build/bin/kustomize ## what Argo CD would apply, into build/rendered
	@mkdir -p build/rendered
	for environment in staging production; do \
		$(BIN)/python -m delivery.render $$environment > build/rendered/$$environment.yaml || exit; done

validate: install build/bin/kustomize build/schemas ## the rendered objects against the schemas of their kinds
	$(BIN)/python -m delivery.validate staging production

mutations: install build/bin/kustomize build/schemas ## break each rule for manifests once, and see which rule tells
	$(BIN)/python -m tests.delivery.mutations
