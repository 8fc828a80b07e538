# The whole loop, on the trial cluster that KUBECONFIG names, with kubectl and its Argo Rollouts plugin in the PATH.
.PHONY: cluster-test

cluster-test: install build/bin/kustomize ## the whole loop on a trial cluster (KUBECONFIG; DATA='["prs.jsonl.gz"]')
	$(if $(DATA),SENTINEL_TRIAL_DATA='$(DATA)') $(BIN)/python -m pytest -x -m cluster tests/cluster
	@cat build/cluster-report.md
