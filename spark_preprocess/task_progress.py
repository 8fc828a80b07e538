"""How far a Spark job came, told in pull requests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context

from py4j.protocol import Py4JError
from pyspark import SparkContext

from sentinel.logs import Progress

ASK_EVERY_SECONDS = 0.3


@contextmanager
def reported_progress(context: SparkContext, n_tasks: int, n_pull_requests: int) -> Iterator[None]:
    """Report, while the block runs, the share of `n_tasks` that are done as a share of the pull requests."""
    ended = threading.Event()
    progress = Progress("spark_preprocess", "pull requests", n_pull_requests)

    def report() -> None:
        while not ended.wait(ASK_EVERY_SECONDS):
            try:
                done = n_pull_requests * _tasks_done(context) // n_tasks
            except Py4JError:
                return  # Java is gone; who waits for the job says so
            if done > progress.done:
                progress.advance(done - progress.done)

    asker = threading.Thread(target=copy_context().run, args=(report,), name="progress", daemon=True)
    asker.start()
    try:
        yield
    finally:
        ended.set()
        asker.join()
    progress.advance(n_pull_requests - progress.done)


def _tasks_done(context: SparkContext) -> int:
    tracker = context.statusTracker()
    jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup()]
    stages = [stage for job in jobs if job is not None for stage in job.stageIds]
    return sum(getattr(tracker.getStageInfo(stage), "numCompletedTasks", 0) for stage in stages)
