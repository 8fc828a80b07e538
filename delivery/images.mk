# Images: one per stage, each tag is git's tree hash of what goes into it. STAGE=data-fetch names one of them (all);
# BASE, TORCH_INDEX and BUILD_NETWORK are handed on to the build.
REGISTRY ?= registry.digitalocean.com/sentinel
BUILD_NETWORK ?= default
SOURCE ?= $(shell git config --get remote.origin.url)
IMAGES = -m delivery.images
IMAGE_OPTIONS = $(STAGE) --registry $(REGISTRY) $(if $(BASE),--base $(BASE))

.PHONY: image images push-images list-images test-image test-images load-test-image lock-images image-sbom sbom

images: ## build the images whose tree is new, or that of STAGE
	@$(PYTHON) $(IMAGES) build $(IMAGE_OPTIONS) --network $(BUILD_NETWORK) --source "$(SOURCE)" \
		$(if $(TORCH_INDEX),--torch-index $(TORCH_INDEX))

image: images

push-images: ## push the images to REGISTRY, print stage, tag and digest
	@$(PYTHON) $(IMAGES) push $(IMAGE_OPTIONS)

list-images: ## print tag, size and digest of each image
	@$(PYTHON) $(IMAGES) list $(IMAGE_OPTIONS)

test-images: install ## run the images, or that of STAGE, under the restricted profile on real stores (minutes)
	SENTINEL_IMAGES="$$($(PYTHON) $(IMAGES) names $(IMAGE_OPTIONS))" $(BIN)/python -m pytest \
		tests/delivery/test_images_run.py tests/delivery/test_images_sbom.py

test-image: test-images

load-test-image: install ## Locust, of the scorer's image, against the scorer's image
	SENTINEL_IMAGES="$$($(PYTHON) $(IMAGES) names model-serving --registry $(REGISTRY) $(if $(BASE),--base $(BASE)))" \
		$(BIN)/python -m pytest tests/delivery/test_images_run.py -k load_test

lock-images: ## pin what each image and the delivery install, with hashes (needs uv)
	$(PYTHON) -m delivery.locks

sbom: install ## list what is in each image, in build/images/STAGE.cdx.json and licences.md
	$(BIN)/python -m delivery.sbom $(IMAGE_OPTIONS) --folder build/images

image-sbom: sbom
