"""How long a test waits for what comes about by itself.

Only what hangs takes as long, on a machine that does other things too; no test tells quick from slow by it.
"""

PATIENCE_SECONDS = 900.0
