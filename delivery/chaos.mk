# The fault matrix: real processes killed, cut off and overloaded on this machine; some ten minutes, no cluster.
.PHONY: chaos

chaos: install ## kill, cut off and overload the stages, print what was seen (minutes; ARGS='--write docs/reliability.md')
	$(BIN)/python -m tests.chaos.table $(ARGS)
