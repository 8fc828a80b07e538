# Images: one per stage, each tag is git's tree hash of what goes into it.
# STAGES="data-fetch …" chooses some; REGISTRY, BASE, TORCH_INDEX and BUILD_NETWORK are handed on.
.PHONY: images push-images list-images test-images lock-images sbom

REGISTRY ?= registry.digitalocean.com/sentinel
BUILD_NETWORK ?= default
SOURCE ?= $(shell git remote get-url origin 2>/dev/null)
IMAGES = $(BIN)/python -m delivery.images
IMAGE_OPTIONS = $(STAGES) --registry $(REGISTRY) $(if $(BASE),--base $(BASE))

images: install ## build the images whose tree is new; STAGES=data-fetch for one
	$(IMAGES) build $(IMAGE_OPTIONS) --network $(BUILD_NETWORK) --source "$(SOURCE)" \
		$(if $(TORCH_INDEX),--torch-index $(TORCH_INDEX))

push-images: install ## push the images, print stage, tag and digest; REGISTRY=host/folder
	@$(IMAGES) push $(IMAGE_OPTIONS)

list-images: install ## tags, sizes and digests of the images
	@$(IMAGES) list $(IMAGE_OPTIONS)

test-images: install ## run the images under the restricted profile, on real stores (minutes)
	SENTINEL_IMAGES="$$($(IMAGES) names $(IMAGE_OPTIONS))" $(BIN)/python -m pytest tests/delivery/test_images_run.py

lock-images: ## pin what each image installs, with hashes (needs uv)
	$(PYTHON) -m delivery.locks

sbom: install ## write build/sbom/STAGE.json (CycloneDX) and build/sbom/licences.md from the images
	$(BIN)/python -m delivery.sbom $(IMAGE_OPTIONS)
