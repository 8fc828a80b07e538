.PHONY: vault-setup

vault-setup: install ## Vault's policies and roles of ENVIRONMENT (VAULT_ADDR and VAULT_TOKEN of an operator; ARGS=--dry-run)
	$(BIN)/python -m delivery.vault_setup --environment $(ENVIRONMENT) $(ARGS)
