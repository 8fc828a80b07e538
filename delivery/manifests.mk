# The manifests: rendered, and checked without a cluster.
KUSTOMIZE_VERSION := v5.7.1
ARGO_ROLLOUTS := github.com/argoproj/argo-rollouts@v1.9.0
ARGO_CD := github.com/argoproj/argo-cd/v3@v3.2.11
ENVIRONMENTS := staging production

.PHONY: render

build/bin/kustomize: delivery/manifests.mk
	GOBIN=$(CURDIR)/build/bin go install sigs.k8s.io/kustomize/kustomize/v5@$(KUSTOMIZE_VERSION)
	@touch $@

render: install build/bin/kustomize ## what Argo CD would apply, per environment, into build/rendered
	@mkdir -p build/rendered
	for environment in $(ENVIRONMENTS); do \
		$(BIN)/python -m delivery.render $$environment > build/rendered/$$environment.yaml || exit; done
