"""How long requests wait in a worker's queue before their turn comes."""

import time

EVERY_SECONDS = 0.05


class Load:
    """The wait of the last moment: how much later than asked for the worker woke a sleeper."""

    def __init__(self) -> None:
        """Begin without a wait."""
        self.wait_seconds = 0.0

    def watch(self) -> None:
        """Measure for ever; run it beside the requests of one worker."""
        while True:
            began = time.monotonic()
            time.sleep(EVERY_SECONDS)
            self.wait_seconds = max(0.0, time.monotonic() - began - EVERY_SECONDS)
