# From a merge on staging to a digest in argo-apps/base, and from there to main. STAGE=data-fetch names the stage;
# REGISTRY is set in images.mk.
REMOTE ?= origin
# OWNER/NAME; a workflow has it in its environment, a checkout in the address of its remote.
GITHUB_REPOSITORY ?= $(shell git config --get remote.$(REMOTE).url | sed -E 's,(\.git)?/?$$,,; s,.*[:/]([^/:]+/[^/]+)$$,\1,')
# Whose signatures count: the reusable workflow of this repository, run on staging. Elsewhere: --key cosign.pub …
COSIGN_VERIFY ?= --certificate-oidc-issuer=https://token.actions.githubusercontent.com \
	--certificate-identity=https://github.com/$(GITHUB_REPOSITORY)/.github/workflows/stage.yml@refs/heads/staging
COSIGN_SIGN ?=
# A small environment, with hashes, for the jobs that hold a key.
RELEASE ?= build/release

.PHONY: test-stage plan-release log-in-registry look-release push-image pull-image sign-image write-digest publish-digest \
	check-promotion check-merged update-base test-workflows

$(RELEASE)/.installed: delivery/requirements.lock
	@$(PYTHON) -m venv $(RELEASE)
	@$(RELEASE)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

test-stage: install ## flake8 and pytest of one stage and of what it imports, STAGE=data-fetch
	$(BIN)/python -m flake8 sentinel $(subst -,_,$(STAGE))
	$(BIN)/python -m pytest tests/sentinel tests/$(subst -,_,$(STAGE))

plan-release: $(RELEASE)/.installed ## say whether the manifests already run this tree of STAGE (no network)
	@$(RELEASE)/bin/python -m delivery.release plan $(STAGE)

log-in-registry: ## log in with the token in REGISTRY_TOKEN
	@test -n "$$REGISTRY_TOKEN" || { echo 'REGISTRY_TOKEN is empty; set it to a token of the registry' >&2; exit 2; }
	@printenv REGISTRY_TOKEN | docker login $(firstword $(subst /, ,$(REGISTRY))) --username token --password-stdin

look-release: $(RELEASE)/.installed ## say what the registry has of this tree of STAGE: absent, unsigned or signed
	@$(RELEASE)/bin/python -m delivery.release look $(STAGE) --registry $(REGISTRY) -- $(COSIGN_VERIFY)

push-image: $(RELEASE)/.installed ## push the image of STAGE that was tried, print its digest
	@$(RELEASE)/bin/python -m delivery.release push $(STAGE) --registry $(REGISTRY)

pull-image: $(RELEASE)/.installed ## bring DIGEST of STAGE here, to try what a cancelled run pushed
	@$(RELEASE)/bin/python -m delivery.release pull $(STAGE) $(DIGEST) --registry $(REGISTRY)

sign-image: $(RELEASE)/.installed ## sign DIGEST of STAGE, which was tried just now
	@$(RELEASE)/bin/python -m delivery.release sign $(STAGE) $(DIGEST) --registry $(REGISTRY) -- $(COSIGN_SIGN)

write-digest: $(RELEASE)/.installed ## write DIGEST and TAG of STAGE into argo-apps/base, here
	@$(RELEASE)/bin/python -m delivery.write_digest $(STAGE) $(DIGEST) --tag $(TAG)

publish-digest: $(RELEASE)/.installed ## commit and push DIGEST and TAG of STAGE to the branch staging
	@$(RELEASE)/bin/python -m delivery.publish_digest $(STAGE) $(DIGEST) --tag $(TAG)

check-promotion: $(RELEASE)/.installed ## check that HEAD (a commit) may be merged into main
	@$(RELEASE)/bin/python -m delivery.promote --head $(HEAD) --registry $(REGISTRY) -- $(COSIGN_VERIFY)

check-merged: $(RELEASE)/.installed ## check that main is what staging was, and that all of it is signed
	@$(RELEASE)/bin/python -m delivery.promote --merged $(or $(HEAD),origin/main) --registry $(REGISTRY) -- $(COSIGN_VERIFY)

update-base: $(RELEASE)/.installed ## pin the newest base image in the four Dockerfiles, on the branch staging
	@$(RELEASE)/bin/python -m delivery.update_base

test-workflows: install ## run the workflows' steps against a registry and a Git server of this machine
	$(BIN)/python -m pytest -m long_workflows tests/delivery
